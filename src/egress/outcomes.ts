// outcomes.ts — gives every way a foreign host can fail its code: what it answered, and how the connection broke.

import { errors } from 'undici';
import { imageSentence, Problem, problem, problemSaying, type Code, type ProblemFacts } from '../problem.ts';
import { maxHeaderBytes, maxRetryAfterMs } from './limits.ts';

type Headers = Record<string, string | string[] | undefined>;

/** The problem of a status that is not 200 and not a redirect; what it means for a picture, with Retry-After kept. */
export function problemOfStatus(status: number, headers: Headers, host: string): Problem {
  const facts: ProblemFacts = { host, httpStatus: status };
  const code = codeOfStatus(status);
  if (code === 'rate_limited' || code === 'server_error') facts.retryAfterMs = retryAfterMs(headers);
  return problemSaying(code, imageSentence(code), facts);
}

function codeOfStatus(status: number): Code {
  if (status === 408 || status === 425 || status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  if (status === 404 || status === 410) return 'not_found';
  if (status === 401 || status === 403) return 'forbidden';
  return status === 204 ? 'empty_body' : 'http_status';
}

/** Retry-After as seconds or as a date, at most an hour; undefined when absent or unreadable. */
export function retryAfterMs(headers: Headers, now = Date.now()): number | undefined {
  const text = headers['retry-after'];
  if (typeof text !== 'string') return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}

/** No file, memory or port is left for a connection: our own machine's state, and no fault of the host. */
const ownFaults = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL']);

const timeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);

// The names OpenSSL and Node give to what is wrong with a certificate or a handshake.
const tlsFault = /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|INVALID_(?:CA|PURPOSE)|HOSTNAME_)|_CERT/;

/** What a thrown thing means: our own problems with `host` added, broken connections by their code; bugs stay bugs. */
export function problemOfError(thrown: unknown, host: string): unknown {
  if (thrown instanceof Problem) return new Problem(thrown.code, thrown.message, { host, ...thrown.facts });
  const facts = { host, cause: thrown };
  // What is no HTTP has no code for some of its faults.
  if (thrown instanceof errors.HTTPParserError) return problem('connect_failed', {}, facts);
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== 'string' || code === 'UND_ERR_INVALID_ARG') return thrown;
  if (ownFaults.has(code)) return problem('unavailable', {}, facts);
  if (timeouts.has(code)) return problem('timeout', {}, facts);
  if (tlsFault.test(code)) return problem('tls_failed', {}, facts);
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return problemSaying('too_large', `The host sent more than ${maxHeaderBytes / 1024} kB of headers.`, facts);
  return problem('connect_failed', {}, facts);
}
