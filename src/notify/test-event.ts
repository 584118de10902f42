// test-event.ts — one signed call that belongs to no batch: made, sent to a receiver, or received by ourselves.
//
// It is tried once and not written down. What the receiver answers, or why nothing came back, is the result.

import type { Uses } from '../app.ts';
import { asProblem } from '../problem.ts';
import { isGenuine, signatureHeaders } from './signing.ts';

export type TestEvent = { id: string; type: string; timestamp: string; data: unknown };
export type SignedTest = { headers: Record<string, string>; body: Buffer };
/** `error`: one of our codes, when there was no answer. */
export type TestResult = { status: number | null; ms: number; excerpt: string; error: string | null };

export function signTest(secrets: readonly string[], event: TestEvent): SignedTest {
  const body = Buffer.from(JSON.stringify(event));
  const signature = signatureHeaders(secrets, { id: `msg_${event.id}`, at: new Date(event.timestamp), body });
  return { headers: { 'content-type': 'application/json', ...signature }, body };
}

export async function sendTest(
  { egress }: Uses<'egress'>,
  url: string,
  { headers, body, hop }: SignedTest & { hop: number },
): Promise<TestResult> {
  const begun = performance.now();
  try {
    const { status, ms, excerpt } = await egress.post(url, { headers, body, hop });
    return { status, ms, excerpt, error: null };
  } catch (error) {
    return { status: null, ms: Math.round(performance.now() - begun), excerpt: '', error: asProblem(error).code };
  }
}

/** The built-in receiver: checks the signature as any receiver should, and answers 204 or 401. */
export function receiveTest(secrets: readonly string[], { headers, body }: SignedTest): TestResult {
  const begun = performance.now();
  const status = secrets.some((secret) => isGenuine(secret, headers, body.toString())) ? 204 : 401;
  return { status, ms: Math.round(performance.now() - begun), excerpt: '', error: null };
}
