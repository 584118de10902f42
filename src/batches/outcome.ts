// outcome.ts — what a fault means for an image: its own fault, the host's, or ours.
//
// The picture's or the host's fault costs a try. A fault of our own house (disk full, no sandbox, database away, a stop)
// never does: the attempt is given back.

import { isNativeError } from 'node:util/types';
import { asProblem, Problem, problem, type Code } from '../problem.ts';
import type { Outcome } from './settle.ts';

/** Waits before the second, third, … try. */
const waitsMs = [1_000, 5_000, 30_000, 120_000];
const jitter = 0.2;

const houseFaults = new Set<Code>(['storage_full', 'sandbox_unavailable', 'unavailable', 'overloaded']);
/** Too many open files, no memory, no space: the machine's state, not the picture's. */
const houseErrnos = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** Thrown when the host of a source may not be asked yet. */
export class Parked extends Error {
  override readonly name = 'Parked';
  readonly host: string;
  readonly waitMs: number;
  constructor(host: string, waitMs: number) {
    super(`${host} asked for a pause`);
    this.host = host;
    this.waitMs = waitMs;
  }
}

/**
 * How an image goes on after `thrown` in its `tries`-th try. `random` in 0..1 spreads the waits, so that a crowd does not
 * come back at once.
 */
export function outcomeOf(thrown: unknown, tries: number, random: number = Math.random()): Outcome {
  if (thrown instanceof Parked) return { kind: 'park', waitMs: thrown.waitMs, host: thrown.host };
  if (isStop(thrown) || isHouseFault(thrown)) return { kind: 'release' };
  const { code, retryable, facts } = asProblem(thrown);
  const fault = { code, host: facts.host, httpStatus: facts.httpStatus };
  if (!retryable) return { kind: 'failed', ...fault };
  const step = waitsMs[Math.min(Math.max(tries, 1), waitsMs.length) - 1] ?? 0;
  const spread = step * (1 + jitter * (2 * random - 1));
  return { kind: 'retry', ...fault, waitMs: Math.max(spread, facts.retryAfterMs ?? 0) };
}

/** Whatever stands between us and our own storage, it is no fault of the picture. */
export function faultOfStorage(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : problem('unavailable', {}, { cause: thrown });
}

export function isHouseFault(thrown: unknown): boolean {
  const { code } = asProblem(thrown);
  if (houseFaults.has(code)) return true;
  const cause = code === 'internal' ? thrown : undefined;
  return isNativeError(cause) && 'code' in cause && houseErrnos.has(String(cause.code));
}

function isStop(thrown: unknown): boolean {
  return isNativeError(thrown) && thrown.name === 'AbortError';
}
