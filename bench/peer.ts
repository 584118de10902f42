// peer.ts — the same catalogs and jobs through Darkroom and through what people build with well-known parts.
//
// Rows T6-T10 and T14. The peers are small programs of our own (peers/), fair and naive: one table, two UPDATEs and one
// message an image, and neither guard, sandbox, fsync, retries nor events. Both stand on PostgreSQL, in turns, on the same
// pictures from the same host. A peer that is not installed is a named skip; the bench installs nothing.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { passesOf } from './lib/bare.ts';
import { startHouse, type Contender } from './lib/contender.ts';
import { listenForNoise } from './lib/noise.ts';
import { interleave, type Lap } from './lib/pairs.ts';
import { guardAlike } from './lib/peer-guard.ts';
import { choosePeers, lackOf, pillowAlone, type PeerName } from './lib/peer-kinds.ts';
import {
  catalogRow,
  cpuRow,
  engineRow,
  idsOf,
  recompressionRows,
  linesRow,
  seededRow,
  singleRow,
} from './lib/peer-rows.ts';
import { startPeer } from './lib/peer-start.ts';
import { postgresMissing } from './lib/postgres.ts';
import type { Stage } from './lib/stage.ts';
import { skipped, type Row } from './lib/table.ts';
import { operations, type Operation } from './operations.ts';

/** Jobs of a lap of T14, unless `--n` says another number; 0 leaves the row out. */
const usualJobs = 1500;

export async function rows(stage: Stage): Promise<Row[]> {
  const found: Row[] = [];
  for (const name of choosePeers(stage.options.peers)) {
    const lack = await lackOf(name);
    if (lack) stage.log(`peer: SKIPPED ${name}: ${lack}`);
    found.push(...(lack ? idsOf(name).map((id) => skipped(id, lack)) : await ofPeer(stage, name)));
  }
  return found;
}

/** Its parts one after the other; what fails costs the others nothing. */
async function ofPeer(stage: Stage, name: PeerName): Promise<Row[]> {
  const { ops, counts } = stage.options;
  const [jobs = usualJobs] = counts;
  const parts: [what: string, work: () => Promise<Row[]>][] = [];
  if (name === 'celery' && ops.includes('a')) parts.push(['(a)', () => ofRecompression(stage)]);
  for (const key of ['b', 'c'])
    if (ops.includes(key)) parts.push([`(${key})`, () => ofOperation(stage, name, operationOf(key))]);
  if (jobs > 0) parts.push([`${jobs} jobs of one pixel`, () => ofJobs(stage, name, jobs)]);
  const found: Row[] = [];
  for (const [what, work] of parts) {
    stage.log(`peer: ${name}, ${what}`);
    found.push(...(await stage.attempt(`${name}, ${what}`, work)));
  }
  return found;
}

/** (a) at both efforts against Pillow, which knows one: its encoder settings are those of `fast`. */
async function ofRecompression(stage: Stage): Promise<Row[]> {
  const [balanced, fast] = [operationOf('a'), operationOf('f')];
  const sides = {
    fast: () => startHouse(stage, fast),
    balanced: () => startHouse(stage, balanced),
    tuned: () => startPeer(stage, 'celery', { operation: 'a', profile: 'tuned' }),
  };
  return contest(stage, ['T6', 'T7', 'T7-bytes'], sides, async (contenders) => {
    const { laps, noise } = await measure(stage, balanced, contenders);
    const theirs = await contenders.tuned.outputs();
    const guards = {
      fast: await guardAlike(stage, await contenders.fast.outputs(), theirs, true),
      balanced: await guardAlike(stage, await contenders.balanced.outputs(), theirs, true),
    };
    const { reference } = stage;
    return [...recompressionRows(laps, guards, { reference, noise }), await pillowRow(stage, balanced)];
  });
}

/** (b) or (c) against the tuned peer, and against the peer as older designs are written down. */
async function ofOperation(stage: Stage, name: PeerName, operation: Operation): Promise<Row[]> {
  const { reference, cores } = stage;
  const id = `${operation.key === 'b' ? 'T8' : 'T9'}-${name}`;
  const peer = (profile: 'tuned' | 'as-seeded') => () => startPeer(stage, name, { operation: operation.key, profile });
  const sides = { house: () => startHouse(stage, operation), tuned: peer('tuned') };
  if (name === 'rabbitmq')
    return contest(stage, [id], sides, async (contenders) => {
      const { laps, noise } = await measure(stage, operation, contenders);
      const likeness = await guardOf(stage, contenders);
      return [catalogRow(id, name, laps, likeness, { reference, noise }), cpuRow(id, name, laps, noise)];
    });
  const ids = [id, `T10-${name}`];
  return contest(stage, ids, { ...sides, seeded: peer('as-seeded') }, async (contenders) => {
    const { laps, noise } = await measure(stage, operation, contenders);
    const likeness = await guardOf(stage, contenders);
    const found = [
      catalogRow(id, name, laps, likeness, { reference, noise }),
      cpuRow(id, name, laps, noise),
      seededRow(name, operation, laps, { reference, noise, cores }),
    ];
    return name === 'celery' ? [...found, await pillowRow(stage, operation)] : found;
  });
}

/**
 * 1x1 PNGs, so that what remains is what a job costs: as the lines of one catalog, as in T13, and with a request for each.
 * Nobody writes a line of log for each request.
 */
async function ofJobs(stage: Stage, name: PeerName, count: number): Promise<Row[]> {
  const operation = operationOf('a');
  const { host } = await stage.source();
  const sides = {
    house: () => startHouse(stage, operation, { DARKROOM_LOG_LEVEL: 'warn' }),
    tuned: () => startPeer(stage, name, { operation: 'a', profile: 'tuned' }),
  };
  return contest(stage, [`T14-${name}`], sides, async ({ house, tuned }) => {
    const lap = (send: (urls: string[]) => Promise<Lap>, salt: string) => (round: number) => {
      const numbers = Array.from({ length: round < 0 ? Math.ceil(count / 5) : count }, (_, number) => number);
      return send(numbers.map((number) => `http://${host}/${salt}-${round}-${number}/tiny.png`));
    };
    const lines = await inTurns(stage, { house: lap(house.catalog, 'lines'), tuned: lap(tuned.catalog, 'lines') });
    const single = await inTurns(stage, { house: lap(house.jobs, 'single'), tuned: lap(tuned.jobs, 'single') });
    return [linesRow(name, lines.laps, lines.noise), singleRow(name, single.laps, single.noise)];
  });
}

/** Starts the sides, does the work, and ends them again. */
async function contest<Side extends string>(
  stage: Stage,
  ids: string[],
  sides: Record<Side, () => Promise<Contender | undefined>>,
  work: (contenders: Record<Side, Contender>) => Promise<Row[]>,
): Promise<Row[]> {
  const opened: Partial<Record<Side, Contender>> = {};
  const closeAll = async () => {
    for (const each of Object.values<Contender | undefined>(opened)) await each?.stop();
  };
  const closed = stage.defer(closeAll);
  try {
    for (const side of Object.keys(sides) as Side[]) {
      const contender = await sides[side]();
      if (!contender) return ids.map((id) => skipped(id, postgresMissing));
      opened[side] = contender;
    }
    return await work(opened as Record<Side, Contender>);
  } finally {
    closed();
    await closeAll();
  }
}

type Laps<Side extends string> = { laps: Record<Side, Lap[]>; noise: number };

/** Catalogs of the whole corpus, every side's on URLs of its own. */
async function measure<Side extends string>(
  stage: Stage,
  operation: Operation,
  contenders: Record<Side, Contender>,
): Promise<Laps<Side>> {
  const source = await stage.source();
  const lap = (side: Side) => (round: number) => {
    const passes = Array.from({ length: passesOf(operation, round) }, (_, pass) => pass);
    return contenders[side].catalog(passes.flatMap((pass) => source.urls(`${operation.key}-${side}-${round}-${pass}`)));
  };
  const names = Object.keys(contenders) as Side[];
  return inTurns(stage, Object.fromEntries(names.map((side) => [side, lap(side)])) as Record<Side, Lapper>);
}

type Lapper = (round: number) => Promise<Lap>;

/** Three rounds are enough in a full run: with three peers they take minutes. */
async function inTurns<Side extends string>(stage: Stage, sides: Record<Side, Lapper>): Promise<Laps<Side>> {
  for (const lap of Object.values<Lapper>(sides)) await lap(-1);
  const hush = listenForNoise();
  const { pairs, thorough } = stage.options;
  const laps = await interleave(sides, thorough ? Math.min(pairs, 3) : pairs);
  return { laps, noise: hush() };
}

const guardOf = async (stage: Stage, { house, tuned }: Record<'house' | 'tuned', Contender>) =>
  guardAlike(stage, await house.outputs(), await tuned.outputs(), false);

/** What the engine takes of it, so that engine and service can be told apart. */
async function pillowRow(stage: Stage, operation: Operation): Promise<Row> {
  const folder = await mkdtemp(join(stage.folder, 'pillow-'));
  const files = stage.corpus.photos.map(({ path }) => path);
  return engineRow(operation, await pillowAlone(operation.key, folder, files));
}

function operationOf(key: string): Operation {
  const found = operations.find((each) => each.key === key);
  if (!found) throw new Error(`no operation ${key}`);
  return found;
}
