// lock.ts — one owner for the folder of the embedded database; two would lose acknowledged rows without an error.
//
// Every starter listens on a socket of its own in `<folder>/lock`, named after its process, and only then looks at the
// others. Of two starters the one that looks later sees the other, so two can never both believe to be alone; no clock
// decides. Names never return, so a dead one (connection refused) can be removed at any time. Where several start at
// once, the lowest name waits and the others step back. The kernel closes the socket of a killed process, and a stopped
// one still accepts: connected but silent is alive.

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseRefusal } from './database.ts';

type State = 'owner' | 'candidate';
type Other = { name: string; state: State | 'silent' };

/** Longest that the address of a socket may be; the smallest limit is 104 bytes (macOS). */
const longestAddress = 100;
const answerMs = 500;

/**
 * Locks `folder` until the returned function is called or the process ends, however it ends. Throws DatabaseRefusal with
 * the pid of the owner. `silentMs`: how long a process that accepts but does not answer is given.
 */
export async function lockFolder(folder: string, silentMs = 3000): Promise<() => Promise<void>> {
  const place = await placeFor(await realpath(folder));
  for (const started = Date.now(); ; await sleep(25)) {
    const seen = await lookAround(place, undefined);
    refuse(folder, seen, Date.now() - started > silentMs);
    if (seen.length > 0) continue;
    const release = await standForElection(place, folder, silentMs);
    if (release) return release;
  }
}

/** Undefined: stepped back for somebody else. */
async function standForElection(place: string, folder: string, silentMs: number) {
  const name = `${process.pid}-${randomBytes(8).toString('hex')}`;
  let state: State = 'candidate';
  const server = await listen(join(place, `.${name}`), () => state);
  const release = async () => {
    await rm(join(place, name), { force: true });
    server.close();
  };
  try {
    // It listens before it has its name: whoever meets it between the two would take it for dead.
    await rename(join(place, `.${name}`), join(place, name));
    for (const started = Date.now(); ; await sleep(25)) {
      const others = await lookAround(place, name);
      if (others.length === 0) {
        state = 'owner';
        return release;
      }
      refuse(folder, others, Date.now() - started > silentMs);
      if (others.some((other) => other.state === 'candidate' && other.name < name)) break;
    }
  } catch (error) {
    await release();
    throw error;
  }
  await release();
  return undefined;
}

/** Everybody else who lives, and away with the dead. */
async function lookAround(place: string, own: string | undefined): Promise<Other[]> {
  const names = (await readdir(place)).filter((name) => name !== own && !name.startsWith('.'));
  const answers = await Promise.all(names.map(async (name) => ({ name, state: await ask(join(place, name)) })));
  const living: Other[] = [];
  for (const { name, state } of answers) {
    if (state === 'dead') await rm(join(place, name), { force: true });
    else living.push({ name, state });
  }
  return living;
}

function ask(path: string): Promise<Other['state'] | 'dead'> {
  const { promise, resolve } = Promise.withResolvers<Other['state'] | 'dead'>();
  const socket = createConnection(path);
  let heard = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => (heard += text));
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    // Only these two prove a death. A full backlog (EAGAIN), for one, is that of a stopped process.
    resolve(code === 'ECONNREFUSED' || code === 'ENOENT' ? 'dead' : 'silent');
  });
  socket.on('close', () => resolve(heard === 'owner' || heard === 'candidate' ? heard : 'silent'));
  socket.setTimeout(answerMs, () => socket.destroy());
  return promise;
}

function refuse(folder: string, others: Other[], outOfPatience: boolean): void {
  const owner = others.find(({ state }) => state === 'owner') ?? (outOfPatience ? others[0] : undefined);
  if (!owner) return;
  const pid = owner.name.split('-')[0];
  throw new DatabaseRefusal(
    `The data directory ${folder} is in use by process ${pid}. Stop it, or set DATA_DIR to another folder.`,
  );
}

async function listen(path: string, state: () => State): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // who asked may be gone
    socket.end(state());
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
  server.unref();
  return server;
}

/** In the folder itself, so that it also holds between containers that share it; too long a path has a stand-in. */
async function placeFor(folder: string): Promise<string> {
  const inside = join(folder, 'lock');
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const fits = Buffer.byteLength(join(inside, `.4194304-${digest}`)) <= longestAddress;
  const place = fits ? inside : join(tmpdir(), `darkroom-lock-${digest}`);
  await mkdir(place, { recursive: true, mode: 0o700 });
  return place;
}
