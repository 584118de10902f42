// faults.ts — which faults a seed brings, and when. The numbers are those of docs/RELIABILITY.md.
//
// Two seconds apart in the mean. A server has one fault at a time and then a pause: under unbroken faults nothing finishes,
// and what does not finish shows nothing.

import { seeded, type Chance } from './chance.ts';
import type { Profile } from './servers.ts';

export type Fault = {
  /** Ms after the start. */
  at: number;
  fault: number;
  kind: Kind;
  /** Which of those that it may hit. */
  target: number;
  seconds: number;
};

/** `server`: only one of these at a time. `seconds`: from, to. */
type Sort = {
  fault: number;
  weight: number;
  seconds: [number, number];
  server?: true;
  on: (profile: Profile) => boolean;
};

const everywhere = () => true;
const many = (profile: Profile) => profile !== 'embedded';
const brokers = (profile: Profile) => profile === 'redis' || profile === 'rabbitmq';
const alone = (profile: Profile) => profile === 'embedded';

export const kinds = {
  'kill a worker': { fault: 1, weight: 4, seconds: [0, 0], on: many },
  'kill a decoder': { fault: 2, weight: 1, seconds: [0, 0], on: everywhere },
  'kill an API': { fault: 3, weight: 2, seconds: [0, 0], on: many },
  'kill the only process': { fault: 18, weight: 4, seconds: [0, 0], on: alone },
  'kill the database': { fault: 5, weight: 2, seconds: [0.5, 2], server: true, on: many },
  'stop the database at once': { fault: 5, weight: 1, seconds: [0.5, 3], server: true, on: many },
  'stop the database in order': { fault: 5, weight: 1, seconds: [0.5, 3], server: true, on: many },
  'reset the wires to the database': { fault: 6, weight: 2, seconds: [0.2, 1.5], server: true, on: many },
  'silence the wire to the database': { fault: 6, weight: 1, seconds: [3, 14], server: true, on: many },
  'slow the wires to the database': { fault: 6, weight: 1, seconds: [1, 4], server: true, on: many },
  'lose the answers of the database': { fault: 7, weight: 1, seconds: [0.3, 1.5], server: true, on: many },
  'lose the answers of the API': { fault: 7, weight: 2, seconds: [0.3, 1.5], on: everywhere },
  'kill the broker': { fault: 8, weight: 3, seconds: [0.5, 4], server: true, on: brokers },
  'wipe the broker': { fault: 9, weight: 2, seconds: [0, 0], server: true, on: brokers },
  'silence the wires to the broker': { fault: 10, weight: 2, seconds: [3, 12], server: true, on: brokers },
  'freeze a process': { fault: 12, weight: 1, seconds: [11, 14], on: everywhere },
  'freeze a process for a moment': { fault: 20, weight: 1, seconds: [2, 6], on: everywhere },
  'stop a process in order': { fault: 14, weight: 2, seconds: [0, 0], on: everywhere },
  'fill the disk': { fault: 15, weight: 1, seconds: [1, 3], server: true, on: everywhere },
  'take away file handles': { fault: 16, weight: 1, seconds: [1, 4], on: everywhere },
} satisfies Record<string, Sort>;

export type Kind = keyof typeof kinds;

const meanMs = 2_000;
export const pauseMs = 4_000;

/** The faults of a seed over `ms`; `only` leaves those with these numbers. `can` says what is possible on this machine. */
export function planFaults(
  profile: Profile,
  seed: number,
  { ms, only, can }: { ms: number; only?: number[] | undefined; can: (kind: Kind) => boolean },
): Fault[] {
  const chance = seeded(seed, `faults of ${profile}`);
  const possible = (Object.entries(kinds) as [Kind, Sort][]).filter(
    ([kind, { on, fault }]) => on(profile) && can(kind) && (!only || only.includes(fault)),
  );
  const faults: Fault[] = [];
  let serverFreeAt = 0;
  // A single process that dies every other second would do nothing but start.
  const mean = profile === 'embedded' ? 1.5 * meanMs : meanMs;
  for (let at = chance.between(500, 1_500); at < ms; at += -Math.log(1 - chance.part()) * mean) {
    const free = possible.filter(([, { server }]) => !server || at >= serverFreeAt);
    if (free.length === 0) continue;
    const [kind, { fault, seconds, server }] = weighted(chance, free);
    const lasts = Number(chance.between(...seconds).toFixed(1));
    faults.push({ at: Math.round(at), fault, kind, target: chance.below(1_000), seconds: lasts });
    if (server) serverFreeAt = at + lasts * 1_000 + pauseMs;
  }
  return faults;
}

function weighted(chance: Chance, free: [Kind, Sort][]): [Kind, Sort] {
  let left = chance.between(
    0,
    free.reduce((sum, [, { weight }]) => sum + weight, 0),
  );
  const found = free.find(([, { weight }]) => (left -= weight) < 0);
  return found ?? (free[0] as [Kind, Sort]);
}
