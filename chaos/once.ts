// once.ts — one run from its seed to its verdict: open everything, send and break at the same time, heal, wait, judge.

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { judge, type Witnesses } from './check.ts';
import { canMount, openDisk } from './disk.ts';
import { planFaults, type Fault } from './faults.ts';
import { wrongs, type Findings, type Wrong } from './findings.ts';
import { openFollowers, type Followers } from './followers.ts';
import { heal, inflict, killHolder, type Town } from './inflict.ts';
import { openLedger, type Ledger } from './ledger.ts';
import { startLoad } from './load.ts';
import { openOutside, type Outside } from './outside.ts';
import { attempts, filesIn, openHouse, type House } from './product.ts';
import { untilHeard, untilQuiet } from './quiet.ts';
import { heldBy, recoveriesOf, type Passed } from './recovery.ts';
import { tailOf } from './seat.ts';
import { startServers, type Profile } from './servers.ts';
import { strikeInTurn } from './turns.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';

export type RunOptions = {
  profile: Profile;
  seed: number;
  /** How long things break. */
  minutes: number;
  /** How many pictures are sent meanwhile. */
  images: number;
  /** Numbers of the faults; absent: all that the profile knows. */
  faults?: number[];
  say: Say;
  /** Looks at what was judged, before it is removed. */
  inspect?: (seen: Snapshot, witnesses: Witnesses) => Promise<void>;
};

type Say = (line: string) => void;

/** A line of results.jsonl. */
export type Result = Record<Wrong, number> & {
  profile: Profile;
  seed: number;
  seconds: number;
  /** Requests and images that were acknowledged, and how often each fault happened. */
  acked: number;
  images: number;
  faults: Record<string, number>;
  /** Starts that were given back: the price of faults. */
  extraRuns: number;
  /** How often the followers were cut off. */
  cuts: number;
  p95RecoverySec: number;
  maxRecoverySec: number;
};

export type Run = { result: Result; isClean: boolean; findings: Findings };

const quietMs = 120_000;
/** After the last fault; a machine with other work needs its time. */
const answerMs = 240_000;
/** Five deaths take a minute, so few seeds bring the picture that takes its worker down. */
const deadlyEvery = 10;

/** Runs it; what went wrong is in the result. Its folder is kept when something did. */
export async function runOnce(options: RunOptions): Promise<Run> {
  const { profile, seed } = options;
  const begun = performance.now();
  const say = (line: string): void => options.say(`${((performance.now() - begun) / 1_000).toFixed(1)} s: ${line}`);
  const folder = await mkdtemp(join(tmpdir(), `darkroom-chaos-${profile}-${seed}-`));
  await using place = openPlace(folder);
  const servers = await startServers(profile);
  place.closers.push(servers.stop);
  const killing: { town?: Town } = {};
  const outside = await openOutside(async () => killing.town && killHolder(killing.town));
  place.closers.push(outside.stop);
  const disk = canMount ? openDisk(filesIn(folder)) : undefined;
  if (disk) place.closers.push(async () => disk.stop());
  const ledger = await openLedger(join(folder, 'ledger.jsonl'));
  place.closers.push(ledger.close);
  const house = await openHouse({ servers, folder, storage: filesIn(folder), allow: outside.allow });
  place.closers.push(house.stop);
  if (!(await house.whole(quietMs))) throw new Error(`The product did not start:\n${logsOf(house)}`);
  const followers = openFollowers(house.urls, 2, seed);
  place.closers.push(followers.stop);

  say('all processes are ready');
  const town: Town = { house, servers, disk };
  killing.town = town;
  const { passed, surprises } = await breakThings({ ...options, say }, town, { outside, ledger });
  say('every request has its answer');
  surprises.push(...(await calmDown(town, followers, say)));
  const placeOfData = { databaseUrl: servers.database?.url ?? '', dataDir: folder, storage: filesIn(folder) };
  say('all processes have ended');
  const snapshot = await takeSnapshot(placeOfData);
  const { arrived, forged } = outside;
  const witnesses = { entries: ledger.entries, followers: followers.all, arrived, forged };
  const findings = await judge(snapshot, witnesses);
  await options.inspect?.(snapshot, witnesses);
  for (const each of surprises) findings.add('surprises', each);
  const recovery = recoveriesOf(passed, snapshot.images);
  const result: Result = {
    profile,
    seed,
    seconds: Math.round((performance.now() - begun) / 1_000),
    ...promisesOf(ledger),
    faults: tally(passed),
    ...findings.counts,
    extraRuns: snapshot.images.reduce((sum, each) => sum + extraRuns(each), 0),
    cuts: followers.all.reduce((sum, { cuts }) => sum + cuts, 0),
    p95RecoverySec: recovery.p95,
    maxRecoverySec: recovery.max,
  };
  const isClean = wrongs.every((wrong) => result[wrong] === 0);
  if (!isClean) await keepEvidence({ folder, findings, house, say });
  place.isKept = !isClean;
  return { result, isClean, findings };
}

/** Sends and breaks at the same time, until every request has its answer. */
async function breakThings(
  { profile, seed, minutes, images, faults: only, say }: RunOptions,
  town: Town,
  { outside, ledger }: { outside: Outside; ledger: Ledger },
): Promise<{ passed: Passed[]; surprises: string[] }> {
  const { house, servers } = town;
  const ms = minutes * 60_000;
  const plan = planFaults(profile, seed, {
    ms,
    only,
    can: (kind) => kind !== 'fill the disk' || town.disk !== undefined,
  });
  const deadly = seed % deadlyEvery === 0 && (!only || only.includes(13));
  const load = startLoad({ urls: house.urls, outside, ledger, servers, seed, ms, images, deadly });
  const surprises: string[] = [];
  const strike = async (fault: Fault): Promise<Passed> => {
    const victim = fault.kind === 'kill a worker' ? workerAt(house, fault.target) : undefined;
    const held = victim ? await heldBy(servers, victim) : [];
    say(`${fault.kind}${fault.seconds > 0 ? `, ${fault.seconds} s` : ''}`);
    await inflict(town, fault).catch((error: unknown) => surprises.push(`${fault.kind}: ${String(error)}`));
    return { fault, at: Date.now(), held };
  };
  const passed = await strikeInTurn(plan, { strike, worked: outside.asked, step: images / (2 * plan.length + 1) });
  await heal(town);
  surprises.push(...(await load.answered(answerMs)));
  return { passed, surprises: [...surprises, ...load.strange] };
}

function workerAt({ seats }: House, target: number): number | undefined {
  const workers = seats.filter(({ role }) => role !== 'api');
  return workers[target % workers.length]?.holder()?.pid;
}

/** Waits until all is done and told, then stops the product in order. Returns what should not have happened. */
async function calmDown({ house, servers }: Town, followers: Followers, say: Say): Promise<string[]> {
  const surprises: string[] = [];
  if (!(await house.whole(quietMs))) surprises.push(`not every process came back:\n${logsOf(house)}`);
  followers.calm();
  say('all processes are back');
  const left = await untilQuiet(servers, house.urls, { ms: quietMs, say });
  say('all is quiet');
  if (left !== 0) surprises.push(`${left} things are not done after ${quietMs / 1_000} s\n${logsOf(house)}`);
  if (!(await untilHeard(followers, house.urls, quietMs))) surprises.push('the followers did not hear the end');
  await followers.stop();
  say('the followers have heard it');
  for (const each of house.departures)
    if (each.why === 'by itself') surprises.push(`${each.seat} ended by itself with ${each.code}:\n${each.said}`);
  const codes = await Promise.all(house.seats.map(async (seat) => ({ seat, code: await seat.leave('SIGTERM') })));
  for (const { seat, code } of codes)
    if (code !== 0) surprises.push(`${seat.name} ended with ${code} after SIGTERM:\n${tailOf(seat.holder())}`);
  return surprises;
}

function promisesOf({ entries }: Ledger): { acked: number; images: number } {
  const counts = new Map(
    entries.flatMap((each) => ('sent' in each && 'count' in each.sent ? [[each.key, each.sent.count]] : [])),
  );
  const acked = new Set(entries.flatMap((each) => ('ack' in each && each.ack < 300 ? [each.key] : [])));
  const images = [...acked].reduce((sum, key) => sum + (counts.get(key) ?? 0), 0);
  return { acked: acked.size, images };
}

function tally(passed: Passed[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { fault } of passed) counts[fault.fault] = (counts[fault.fault] ?? 0) + 1;
  return counts;
}

const extraRuns = (image: { attempts: number; attempts_left: number; state: string }): number =>
  Math.max(0, image.attempts - (attempts - image.attempts_left));

const logsOf = ({ seats }: House): string =>
  seats.map((seat) => `--- ${seat.name}, pid ${seat.holder()?.pid}\n${tailOf(seat.holder())}`).join('\n');

type Evidence = { folder: string; findings: Findings; house: House; say: Say };

/** The findings, the departures and the last lines of every process; the small disk ends with the run, its files stay. */
async function keepEvidence({ folder, findings, house, say }: Evidence): Promise<void> {
  const gone = house.departures.map(({ seat, why, code, said }) => `--- ${seat} ${why} ${code}\n${said}`);
  const text = [...findings.details, logsOf(house), ...gone].join('\n');
  await writeFile(join(folder, 'evidence.txt'), text);
  await cp(filesIn(folder), join(folder, 'files-kept'), { recursive: true });
  for (const line of findings.details) say(line);
  say(`Kept: ${folder} (ledger.jsonl, evidence.txt, files-kept)`);
}

/** Closes what was opened in reverse order, and removes the folder unless it is kept. */
function openPlace(folder: string) {
  const closers: (() => Promise<unknown>)[] = [];
  return {
    closers,
    isKept: false,
    async [Symbol.asyncDispose]() {
      for (let close = closers.pop(); close; close = closers.pop()) await close().catch(() => {});
      if (!this.isKept) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
