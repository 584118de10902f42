// product.ts — the product as it runs in production: two that serve, four that work, each with wires of its own to the
// servers; embedded one process does it all.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/product.ts';
import { openProxy, type Proxy } from './proxy.ts';
import { openSeat, type Departure, type Role, type Seat } from './seat.ts';
import type { Servers } from './servers.ts';
import { webhookSecret } from './outside.ts';

/** Tries of an image: few, so that what fails for good has done so soon. */
export const attempts = 3;

export type Line = 'database' | 'broker' | 'http';

export type House = {
  seats: Seat[];
  /** Bases of the API as clients reach it: through wires. */
  urls: string[];
  /** The wires of a kind, one a seat. */
  wires: Record<Line, Proxy[]>;
  departures: Departure[];
  /** Resolves when every seat is held by a process that is ready; false when that took too long. */
  whole(ms: number): Promise<boolean>;
  stop(): Promise<void>;
};

type HouseOptions = {
  servers: Servers;
  /** Holds the embedded database. */
  folder: string;
  /** Where the files lie. */
  storage: string;
  allow: string;
};

export async function openHouse(options: HouseOptions): Promise<House> {
  const { servers, folder } = options;
  const wires: House['wires'] = { database: [], broker: [], http: [] };
  const wire = async (line: Line, port: number): Promise<Proxy> => {
    const proxy = await openProxy(() => port);
    wires[line].push(proxy);
    return proxy;
  };
  const departures: Departure[] = [];
  const roles: Role[] = servers.database ? ['api', 'api', 'worker', 'worker', 'worker', 'worker'] : ['all'];
  const seats: Seat[] = [];
  const urls: string[] = [];
  for (const [index, role] of roles.entries()) {
    const port = await freePort();
    if (role !== 'worker') urls.push(`http://127.0.0.1:${(await wire('http', port)).port}`);
    const env = { ...settings(options, role), ...(await linesOf(servers, wire)) };
    const product = { dataDir: folder, port, env };
    seats.push(openSeat({ name: `${role}-${index}`, role, product, left: (each) => departures.push(each) }));
    // Whoever is first makes the tables.
    if (index === 0) await untilReady(seats, 90_000);
  }
  return {
    seats,
    urls,
    wires,
    departures,
    whole: (ms) => untilReady(seats, ms),
    async stop() {
      await Promise.all(seats.map((seat) => seat.leave('SIGKILL')));
      await Promise.all([...wires.database, ...wires.broker, ...wires.http].map((proxy) => proxy.stop()));
    },
  };
}

function settings({ storage, allow }: HouseOptions, role: Role): Record<string, string> {
  return {
    STORAGE_URL: `file:${storage}`,
    DARKROOM_ALLOW_HOSTS: allow,
    DARKROOM_WEBHOOK_SECRET: webhookSecret,
    DARKROOM_ATTEMPTS: String(attempts),
    DARKROOM_DATABASE_POOL: '4',
    DARKROOM_DISK_FLOOR: '1mb',
    DARKROOM_LOG_LEVEL: 'warn',
    DARKROOM_LOG_FORMAT: 'json',
    DARKROOM_SLOTS: role === 'all' ? '2' : '1',
  };
}

/** A wire of its own to each server, so that one process can be cut off while the others work. */
async function linesOf(servers: Servers, wire: (line: Line, port: number) => Promise<Proxy>) {
  const through = async (line: Line, address: string): Promise<string> => {
    const url = new URL(address);
    url.port = String((await wire(line, Number(url.port))).port);
    return url.href;
  };
  return {
    ...(servers.database && { DATABASE_URL: await through('database', servers.database.url) }),
    ...(servers.broker && { QUEUE_URL: await through('broker', servers.broker.url) }),
  };
}

async function untilReady(seats: Seat[], ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; await sleep(50))
    if (seats.every((seat) => seat.isReady())) return true;
  return false;
}

/** The folder of results in a run's folder. */
export const filesIn = (folder: string): string => join(folder, 'files');
