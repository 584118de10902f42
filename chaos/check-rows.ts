// check-rows.ts — batches and images against the ledger: all there, once, ended as they must, and counted right.

import type { Case } from './check.ts';
import type { Findings } from './findings.ts';
import type { Act, Order } from './ledger.ts';
import { numberOf } from './outside.ts';
import { fateOf, type Fate } from './pictures.ts';
import { attempts } from './product.ts';
import { numbersOf, uploadNumber } from './requests.ts';
import type { BatchRow, ImageRow } from './snapshot.ts';

const openStates = ['expanding', 'queued', 'running'];
const imageEnds = ['succeeded', 'failed', 'canceled'];

export function judgeRows(all: Case, findings: Findings): void {
  const batches = new Map(all.batches.map((batch) => [batch.id, batch]));
  for (const { order, ids } of all.promised.orders.values()) {
    if (ids.size > 1) findings.add('duplicated', `${order.key} was acknowledged as ${[...ids].join(' and ')}`);
    const acts = all.promised.acts.filter(({ act }) => act.order === order.key);
    for (const id of ids) judgeOrder(all, { order, acts, id, batch: batches.get(id) }, findings);
  }
  const known = new Set([...all.promised.orders.values()].flatMap(({ ids }) => [...ids]));
  // What was sent and never answered may have been done, once.
  const unanswered = new Set([...all.promised.orders].flatMap(([key, { ids }]) => (ids.size === 0 ? [key] : [])));
  for (const { id, name } of all.batches)
    if (!known.has(id) && !unanswered.delete(keyIn(name)))
      findings.add('duplicated', `batch ${id} (${name}) was acknowledged to nobody`);
  for (const id of new Set([...all.byBatch.keys(), ...all.productBatches]))
    if (!batches.has(id)) findings.add('miscounted', `rows of batch ${id}, which is gone`);
}

/** Batches bear the key of their order; those that came as a file alone bear the file's name. */
const keyIn = (name: string | null): string => (name ?? '').replace(/\.csv$/, '');

type Ordered = { order: Order; acts: { act: Act; acknowledged: boolean }[]; id: string; batch: BatchRow | undefined };

function judgeOrder(all: Case, { order, acts, id, batch }: Ordered, findings: Findings): void {
  const what = `${order.key} (${order.kind} of ${order.count}, ${id})`;
  const deletion = acts.find(({ act }) => act.kind === 'delete');
  if (!batch) {
    if (!deletion) findings.add('lost', `${what} is gone`);
    return;
  }
  if (deletion?.acknowledged) findings.add('stuck', `${what} was deleted and is still there (chore ${batch.chore})`);
  if (openStates.includes(batch.state) || (batch.chore !== null && !deletion))
    findings.add('stuck', `${what} is ${batch.state}, chore ${batch.chore}`);
  if (deletion) return; // whatever is left of it is on its way out

  const images = all.byBatch.get(id) ?? [];
  judgePositions({ order, acts, what }, images, findings);
  judgeCounters(batch, images, { what, ordered: order.count }, findings);
  const mayBeCanceled = acts.some(({ act }) => act.kind === 'cancel');
  for (const image of images) judgeImage(image, { order, what, mayBeCanceled }, findings);
}

/** Every position once, with its own picture; those deleted by hand are gone for good once that was acknowledged. */
function judgePositions(
  { order, acts, what }: Pick<Ordered, 'order' | 'acts'> & { what: string },
  images: ImageRow[],
  findings: Findings,
): void {
  const robbed = acts.filter(({ act }) => act.kind === 'rows');
  const covers = ({ act }: { act: Act }, position: number): boolean =>
    position >= (act.from ?? 0) && position <= (act.to ?? 0);
  const found = new Map(images.map((image) => [image.position, image]));
  if (found.size < images.length) findings.add('duplicated', `${what}: ${images.length - found.size} positions twice`);
  for (const [index, n] of numbersOf(order).entries()) {
    const position = index + 1;
    const image = found.get(position);
    found.delete(position);
    const robbers = robbed.filter((each) => covers(each, position));
    if (!image && robbers.length === 0) findings.add('lost', `${what}: position ${position}`);
    if (image && robbers.some(({ acknowledged }) => acknowledged))
      findings.add('miscounted', `${what}: position ${position} came back after it was deleted`);
    const expected = order.kind === 'form' ? uploadNumber(n) : n;
    if (image && numberOf(image.source_url ?? image.name ?? '') !== expected)
      findings.add('torn', `${what}: position ${position} is ${image.source_url ?? image.name}, not ${expected}`);
  }
  for (const position of found.keys()) findings.add('duplicated', `${what}: position ${position} was never ordered`);
}

function judgeCounters(
  batch: BatchRow,
  images: ImageRow[],
  { what, ordered }: { what: string; ordered: number },
  findings: Findings,
): void {
  const count = (state: string) => images.filter((image) => image.state === state).length;
  const rows = {
    total: images.length,
    succeeded: count('succeeded'),
    failed: count('failed'),
    canceled: count('canceled'),
  };
  for (const [name, value] of Object.entries(rows))
    if (batch[name as keyof typeof rows] !== value)
      findings.add('miscounted', `${what}: ${name} says ${batch[name as keyof typeof rows]}, rows say ${value}`);
  const state = endOf(rows);
  // After a deletion by hand the state is that of the moment of its end.
  if (rows.total === ordered && !openStates.includes(batch.state) && batch.state !== state)
    findings.add('miscounted', `${what}: ended as ${batch.state}, its rows say ${state}`);
}

function endOf({ total, succeeded, failed, canceled }: Record<string, number>): string {
  if (canceled || !total) return 'canceled';
  if (!failed) return 'succeeded';
  return succeeded ? 'partially_succeeded' : 'failed';
}

/** The end that each fate must have: state, and how many tries are left of them. */
const ends: Record<Fate, { state: string; code?: string; left: number }> = {
  fine: { state: 'succeeded', left: attempts - 1 },
  twice503: { state: 'succeeded', left: 0 },
  always500: { state: 'failed', code: 'server_error', left: 0 },
  missing: { state: 'failed', code: 'not_found', left: attempts - 1 },
  faulty: { state: 'failed', left: attempts - 1 },
  killer: { state: 'failed', code: 'worker_lost', left: attempts },
};

function judgeImage(
  image: ImageRow,
  { order, what, mayBeCanceled }: { order: Order; what: string; mayBeCanceled: boolean },
  findings: Findings,
): void {
  const fate = fateOf(numberOf(image.source_url ?? image.name ?? ''));
  const expected = ends[order.kind === 'form' ? 'fine' : fate];
  const row = `${what} position ${image.position}, image ${image.id} (${fate})`;
  const told = `${row}: ${image.state} ${image.error_code}, ${image.attempts_left} tries left of ${image.attempts} starts, ${image.strikes} strikes, history ${JSON.stringify(image.history)}`;
  if (!imageEnds.includes(image.state)) return findings.add('stuck', told);
  if (image.state === 'canceled') {
    if (!mayBeCanceled) findings.add('miscounted', told);
    return;
  }
  if (image.state === 'failed' && expected.state === 'succeeded') return findings.add('innocentsFailed', told);
  if (image.state !== expected.state || (expected.code && image.error_code !== expected.code))
    return findings.add('miscounted', told);
  // A 503 may also have been met by a run that was lost with its worker: then more are left.
  const isExact = fate !== 'twice503';
  const wasted = expected.left - image.attempts_left;
  if (wasted > 0 || (isExact && wasted < 0)) findings.add('attemptsWasted', told, Math.abs(wasted));
}
