// inflict.ts — carries faults out, and takes them back when their time is over.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Disk } from './disk.ts';
import type { Fault, Kind } from './faults.ts';
import { killerNumber } from './pictures.ts';
import type { House } from './product.ts';
import type { Proxy, Weather } from './proxy.ts';
import type { Seat } from './seat.ts';
import type { Servers } from './servers.ts';

export type Town = { house: House; servers: Servers; disk: Disk | undefined };

/** Does it and resolves when it has passed. Rejects when it could not be done. */
export async function inflict(town: Town, { kind, target, seconds }: Fault): Promise<void> {
  const ms = seconds * 1_000;
  const { house, servers } = town;
  const database = async (how: 'fast' | 'immediate' | 'kill -9'): Promise<void> => {
    await servers.database?.end(how);
    await sleep(ms);
    await servers.database?.start();
  };
  const oneOf = <T>(things: T[]): T[] => things.slice(target % Math.max(1, things.length)).slice(0, 1);
  const workers = house.seats.filter(({ role }) => role !== 'api');
  const anyone = oneOf(house.seats);
  const deeds: Record<Kind, () => Promise<unknown>> = {
    'kill a worker': () => each(oneOf(workers), (seat) => seat.end('SIGKILL')),
    'kill the only process': () => each(house.seats, (seat) => seat.end('SIGKILL')),
    'kill an API': () => each(oneOf(house.seats.filter(({ role }) => role === 'api')), (seat) => seat.end('SIGKILL')),
    'kill a decoder': () => each(oneOf(workers), killDecoder),
    'kill the database': () => database('kill -9'),
    'stop the database at once': () => database('immediate'),
    'stop the database in order': () => database('fast'),
    'reset the wires to the database': () => weather(house.wires.database, { kind: 'reset' }, ms),
    'silence the wire to the database': () => weather(oneOf(house.wires.database), { kind: 'silent' }, ms),
    'slow the wires to the database': () => weather(house.wires.database, { kind: 'slow', ms: 150 }, ms),
    'lose the answers of the database': () => weather(oneOf(house.wires.database), { kind: 'one-way' }, ms),
    'lose the answers of the API': () => weather(house.wires.http, { kind: 'one-way' }, ms),
    'kill the broker': async () => {
      await servers.broker?.kill();
      await sleep(ms);
      await servers.broker?.start();
    },
    'wipe the broker': async () => servers.broker?.wipe(),
    'silence the wires to the broker': () => weather(house.wires.broker, { kind: 'silent' }, ms),
    'freeze a process': () => each(anyone, (seat) => seat.freeze(ms)),
    'freeze a process for a moment': () => each(anyone, (seat) => seat.freeze(ms)),
    'stop a process in order': () => each(anyone, (seat) => seat.end('SIGTERM')),
    'fill the disk': async () => {
      await town.disk?.fill();
      await sleep(ms);
      await town.disk?.empty();
    },
    'take away file handles': () => each(oneOf(workers), (seat) => takeHandles(seat, ms)),
  };
  await deeds[kind]();
}

/** Takes everything back that may still last. */
export function heal({ house, disk }: Town): Promise<unknown> {
  for (const proxies of Object.values(house.wires)) for (const proxy of proxies) proxy.turn({ kind: 'fair' });
  return Promise.resolve(disk?.empty());
}

/** Kills the process that works on the picture which takes its worker down. */
export async function killHolder({ house, servers }: Town): Promise<void> {
  const [only] = house.seats;
  if (!servers.database) return void (await only?.end('SIGKILL'));
  const rows = await servers
    .ask<{ pid: number }>(
      `select w.pid from images i join workers w on w.id = i.worker
      where i.state = 'running' and i.source_url like '%/${killerNumber}.png%'`,
    )
    .catch(() => []);
  await Promise.all(
    house.seats.filter((seat) => rows.some(({ pid }) => pid === seat.holder()?.pid)).map((seat) => seat.end('SIGKILL')),
  );
}

const each = <T>(things: T[], work: (thing: T) => Promise<unknown>) => Promise.all(things.map(work));

async function weather(proxies: Proxy[], bad: Weather, ms: number): Promise<void> {
  for (const proxy of proxies) proxy.turn(bad);
  await sleep(ms);
  for (const proxy of proxies) proxy.turn({ kind: 'fair' });
}

/** The first child of the process: one that decodes pictures. */
async function killDecoder(seat: Seat): Promise<void> {
  const pid = seat.holder()?.pid ?? 0;
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    if (child) process.kill(Number(child), 'SIGKILL');
  } catch {
    // The process or its child has just gone by itself, or this is no Linux.
  }
}

/** What is open stays open, and little more can be opened. */
async function takeHandles(seat: Seat, ms: number): Promise<void> {
  const pid = seat.holder()?.pid ?? 0;
  const limit = (count: string) =>
    promisify(execFile)('prlimit', [`--pid=${pid}`, `--nofile=${count}:`]).catch(() => {}); // it may be gone already
  const before = handlesOf(pid);
  if (before === undefined) return;
  await limit('40');
  await sleep(ms);
  await limit(before);
}

function handlesOf(pid: number): string | undefined {
  try {
    return /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
  } catch {
    return undefined; // gone, or no Linux
  }
}
