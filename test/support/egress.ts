// egress.ts — opens the guarded client for a test, shut as in production or with some hosts allowed.

import pino from 'pino';
import { openEgress, type EgressOptions } from '../../src/egress/client.ts';
import type { Egress } from '../../src/egress/egress.ts';
import { Problem } from '../../src/problem.ts';

export const testSettings = {
  allowHosts: [] as string[],
  maxFile: 1024 * 1024,
  fetchTimeMs: 10_000,
  fetches: 64,
  fetchesPerHost: 8,
};

export const ownAddress = { publicUrl: '', internalUrl: '', port: 8000 };

type Wishes = Omit<Partial<EgressOptions>, 'config'> & { config?: Partial<EgressOptions['config']> };

export function openTestEgress({ config, ...rest }: Wishes = {}): Egress & AsyncDisposable {
  const egress = openEgress({
    config: { ...testSettings, ...config },
    log: pino({ level: 'silent' }),
    version: '1.2.3',
    own: () => ownAddress,
    ...rest,
  });
  return { ...egress, [Symbol.asyncDispose]: () => egress.close() };
}

/** The Problem that an act ends with; anything else is a failure of the test. */
export async function problemOf(act: () => unknown): Promise<Problem> {
  try {
    await act();
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
  throw new Error('expected a Problem, but nothing was thrown');
}

export const codeOf = async (act: () => unknown): Promise<string> => (await problemOf(act)).code;

/** 'ok' or the code of the problem: for tables. */
export async function outcomeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'ok';
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
}
