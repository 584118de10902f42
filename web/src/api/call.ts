// call.ts — one call of the API: its answer, or a Refusal that says why not.
//
// The client is the generated one. Its fetch passes the door of this page: an unsafe call carries the session's token,
// and after a 401 the call waits until somebody has signed in and is then repeated.

import { client } from '../../../client/client.gen.ts';
import { askForKey, session } from '../session.svelte.ts';
import type { ProblemBody } from './answers.ts';

/** Why a call did not succeed. Status 0: no answer came. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly requestId: string | null;
  readonly body: Partial<ProblemBody>;

  constructor(status: number, body: Partial<ProblemBody>) {
    super(body.detail ?? body.title ?? 'The service did not answer.');
    this.name = 'Refusal';
    this.status = status;
    this.code = body.code ?? (status === 0 ? 'offline' : 'unknown');
    this.title = body.title ?? (status === 0 ? 'Darkroom cannot be reached.' : 'That did not work.');
    this.requestId = body.request_id ?? null;
    this.body = body;
  }
}

client.setConfig({ baseUrl: location.origin, fetch: throughTheDoor });

async function throughTheDoor(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  for (;;) {
    const attempt = request.clone();
    const isSafe = attempt.method === 'GET' || attempt.method === 'HEAD';
    if (!isSafe && session.csrfToken) attempt.headers.set('x-csrf-token', session.csrfToken);
    const response = await fetch(attempt);
    if (response.status !== 401 || !(await askForKey())) return response;
  }
}

type Answered = { data?: unknown; error?: unknown; response?: Response };

/** The answer of a generated call as `T`. Throws a {@link Refusal}. */
export async function answerOf<T>(calling: Promise<Answered>): Promise<T> {
  const { data, error, response } = await calling;
  if (response?.ok) return data as T;
  const body = typeof error === 'object' && error !== null && 'code' in error ? (error as ProblemBody) : {};
  throw new Refusal(response?.status ?? 0, body);
}

export { client };
