// remote.ts — asks a server that runs, on behalf of a command, and says in a sentence why that did not work.

import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from '../../client/client/index.ts';
import { readSettings } from './settings.ts';
import type { Session } from './session.ts';
import { exitCodes, type ExitCode } from './session.ts';

/** What must be there at a server of ours. */
export function found<T>(url: string, value: T | undefined): T {
  if (value === undefined) throw new RemoteRefusal(exitCodes.unreachable, `${url} is no Darkroom server.`);
  return value;
}

/** Ends a command: the sentence is for the person in front of it. */
export class RemoteRefusal extends Error {
  override readonly name = 'RemoteRefusal';
  readonly code: ExitCode;
  constructor(code: ExitCode, message: string) {
    super(message);
    this.code = code;
  }
}

const patienceMs = 60_000;

export type Remote = {
  /** The JSON of the answer, null when it has no body, undefined when what was asked for is not there. */
  ask(method: string, path: string, body?: unknown): Promise<unknown>;
};

export function openRemote(url: string, key: string): Remote {
  const base = url.replace(/\/+$/, '');
  const send = (method: string, path: string, body: unknown): Promise<Response> =>
    fetch(base + path, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
      headers: {
        ...(key !== '' && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new RemoteRefusal(exitCodes.unreachable, `${base} cannot be reached: ${causeOf(error)}.`);
    });

  return {
    async ask(method, path, body) {
      const until = performance.now() + patienceMs;
      for (;;) {
        const response = await send(method, path, body);
        const text = await response.text();
        if (response.ok) return text === '' ? null : found(base, jsonOf(text));
        const waitMs = pauseOf(response, text);
        if (waitMs === undefined || performance.now() + waitMs > until) return judge(base, response.status, text);
        await sleep(waitMs);
      }
    },
  };
}

export type RemoteFlags = { url?: string; key?: string };

/** The server of the flags, or else that of the settings: its address, and the generated client for it. */
export function openClient(session: Session, { url, key }: RemoteFlags): { base: string; client: Client } {
  const { config } = readSettings(session);
  const base = (url ?? (config.publicUrl || `http://localhost:${config.port}`)).replace(/\/+$/, '');
  if (!URL.canParse(base))
    throw new RemoteRefusal(exitCodes.usage, `--url ${base} is no address such as http://host:8000.`);
  const secret = key ?? config.apiKey;
  const client = createClient({
    baseUrl: base,
    throwOnError: true,
    redirect: 'manual',
    auth: ({ scheme }) => (scheme === 'bearer' && secret !== '' ? secret : undefined),
    // The generated client hands over a whole request.
    fetch: (request) => patientFetch(base, request as Request),
  });
  return { base, client };
}

/** An answer that is one of ours and no refusal; throws {@link RemoteRefusal}. */
async function patientFetch(base: string, request: Request): Promise<Response> {
  const until = performance.now() + patienceMs;
  // A form may be large, and to send it twice it would have to be kept: the person does that.
  const isForm = request.headers.get('content-type')?.startsWith('multipart/') ?? false;
  for (;;) {
    const response = await fetch(isForm ? request : request.clone()).catch((error: unknown) => {
      if (request.signal.aborted) throw error;
      throw new RemoteRefusal(exitCodes.unreachable, `${base} cannot be reached: ${causeOf(error)}.`);
    });
    if (response.ok) return response;
    const text = await response.text();
    const waitMs = pauseOf(response, text);
    if (isForm || waitMs === undefined || performance.now() + waitMs > until)
      throw refusalOf(base, response.status, text);
    await sleep(waitMs);
  }
}

/** How long to wait before asking once more; undefined where asking again would not help, or might do a thing twice. */
function pauseOf({ headers }: Response, text: string): number | undefined {
  const { code } = Object(jsonOf(text)) as { code?: unknown };
  if (code !== 'overloaded' && code !== 'rate_limited') return undefined;
  return 1000 * (Number(headers.get('retry-after')) || 1);
}

function judge(base: string, status: number, text: string): undefined {
  if (status !== 404) throw refusalOf(base, status, text);
  found(base, jsonOf(text));
  return undefined;
}

/** What was asked for is wrong, and would be tomorrow. */
const mistakes = new Set([400, 404, 410, 413, 415, 422]);

function refusalOf(base: string, status: number, text: string): RemoteRefusal {
  const { detail } = Object(jsonOf(text)) as { detail?: unknown };
  const says = typeof detail === 'string' ? detail : `it answered ${status}`;
  if (typeof detail !== 'string' && (status === 404 || status === 405))
    return new RemoteRefusal(exitCodes.unreachable, `${base} is no Darkroom server.`);
  if (status === 401)
    return new RemoteRefusal(exitCodes.refused, `${base}: ${says} Give it by --key or DARKROOM_API_KEY.`);
  if (status === 403) return new RemoteRefusal(exitCodes.refused, `${base}: ${says}`);
  return new RemoteRefusal(mistakes.has(status) ? exitCodes.usage : exitCodes.failed, `${base}: ${says}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): string {
  const { cause, message } = Object(error) as { cause?: { code?: string; message?: string }; message?: string };
  return cause?.code ?? cause?.message ?? message ?? 'no answer';
}
