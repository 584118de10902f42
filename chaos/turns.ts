// turns.ts — lets the faults of a plan come in their turn: not before their time, and not before there was work to break.
//
// On a busy machine processes need longer to start than a plan is long, and its faults would fall upon nothing. So each
// waits until enough has been done since the one before it; and a server's until the last one of a server is over.

import { setTimeout as sleep } from 'node:timers/promises';
import { kinds, pauseMs, type Fault } from './faults.ts';

type TurnOptions<Struck> = {
  strike(fault: Fault): Promise<Struck>;
  /** Grows with the work that is done. */
  worked(): number;
  /** How much is to be done between two faults. */
  step: number;
};

/** No longer than this for work that does not come, perhaps because of the fault before. */
const patienceMs = 20_000;

/** Resolves when all have passed. */
export async function strikeInTurn<Struck>(
  plan: Fault[],
  { strike, worked, step }: TurnOptions<Struck>,
): Promise<Struck[]> {
  const begun = performance.now();
  const struck: Promise<Struck>[] = [];
  let server: Promise<unknown> = Promise.resolve();
  for (const fault of plan) {
    const before = worked();
    await sleep(Math.max(0, begun + fault.at - performance.now()));
    if (struck.length > 0) await untilWorked(() => worked() - before >= step);
    const isServer = 'server' in kinds[fault.kind];
    if (isServer) await server;
    const over = strike(fault);
    struck.push(over);
    if (isServer) server = over.then(() => sleep(pauseMs));
  }
  return Promise.all(struck);
}

async function untilWorked(enough: () => boolean): Promise<void> {
  for (const until = performance.now() + patienceMs; !enough() && performance.now() < until; await sleep(20));
}
