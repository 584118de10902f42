// faults.ts — turns whatever was thrown while a request was served into a Problem.
//
// The framework and the form parser throw errors of their own; what a client sent must never come out as a 500. Errors
// that nobody foresaw stay `internal`: the log gets the cause, the client gets the request id.

import { asProblem, problem, Problem, problemSaying } from '../problem.ts';

const notJson = () =>
  problem('malformed_body', {}, { faults: [{ type: 'json_invalid', loc: ['body'], message: 'JSON decode error' }] });

const byCode: Record<string, () => Problem> = {
  FST_ERR_CTP_INVALID_JSON_BODY: notJson,
  FST_ERR_CTP_BODY_TOO_LARGE: () => problemSaying('too_large', 'The body is larger than 1 MB, the limit of JSON here.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => problem('unsupported_media_type', { accepted: 'application/json' }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => problem('malformed_body'),
  FST_ERR_BAD_URL: () => problem('not_found'),
  FST_ERR_MAX_PARAM_LENGTH: () => problem('not_found'),
  FST_PARTS_LIMIT: () => problemSaying('too_many_files', 'The form has too many parts.'),
  FST_FILES_LIMIT: () => problemSaying('too_many_files', 'The form has too many files.'),
  FST_FIELDS_LIMIT: () => problemSaying('too_many_files', 'The form has too many fields.'),
  ENOSPC: () => problem('storage_full', {}, { retryAfterMs: 30_000 }),
  EDQUOT: () => problem('storage_full', {}, { retryAfterMs: 30_000 }),
  EROFS: () => problem('storage_full', {}, { retryAfterMs: 30_000 }),
};

/** The Problem that a thrown thing means to the client. */
export function problemFrom(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const { code, statusCode } = Object(thrown) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? byCode[code] : undefined;
  if (known) return withCause(known(), thrown);
  if (isDatabaseAway(thrown)) return problem('unavailable', {}, { cause: thrown, retryAfterMs: 5000 });
  if (statusCode === 415) return problem('unsupported_media_type', { accepted: 'application/json' }, { cause: thrown });
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return problem('malformed_body', {}, { cause: thrown });
  return asProblem(thrown);
}

/** SQLSTATEs that pass by themselves: connection, resources (a full disk is one), standby, gave up, stopping, I/O. */
const passingStates = /^(08...|53...|25006|25P03|55P03|57...|58030)$/;
const brokenLines = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);
/** What the driver of PostgreSQL, its pool and our own patience say without a code. */
const lostConnections =
  /^(Connection terminated|Client (has encountered a connection error|was closed)|timeout exceeded when trying to connect|timeout: no answer from the database|Query read timeout)/;

function isDatabaseAway(thrown: unknown): boolean {
  const { code, syscall, message } = Object(thrown) as { code?: unknown; syscall?: unknown; message?: unknown };
  if (syscall === 'getaddrinfo') return true;
  // A client that hangs up is also an ECONNRESET; only those of our own connections name a system call.
  if (typeof code === 'string') return passingStates.test(code) || (syscall !== undefined && brokenLines.has(code));
  return typeof message === 'string' && lostConnections.test(message);
}

function withCause(found: Problem, cause: unknown): Problem {
  return problemSaying(found.code, found.message, { ...found.facts, cause });
}

/** The form parser's errors: an unfinished form comes as a plain Error, which would be a 500. */
export function problemOfForm(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const found = problemFrom(thrown);
  return found.code === 'internal' ? problem('malformed_body', {}, { cause: thrown }) : found;
}
