// check-news.ts — what was told: each end once, to every follower, and each batch's end to its receiver.

import type { Case, Witnesses } from './check.ts';
import type { Findings } from './findings.ts';
import type { EventRow } from './snapshot.ts';

const idsPerRow = 128;
const letters: Record<string, string> = { succeeded: 's', failed: 'f', canceled: 'c' };

export function judgeNews(all: Case, witnesses: Witnesses, findings: Findings): void {
  judgeJournal(all, findings);
  judgeFollowers(all.events, witnesses, findings);
  judgeDeliveries(all, witnesses, findings);
}

/** Each image once a generation, and last as it stands now; each generation of a batch begins and ends once. */
function judgeJournal({ events, images, batches }: Case, findings: Findings): void {
  const told = new Map<string, { generation: number; outcome: string }[]>();
  const finished = new Map<string, number>();
  const created = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { seq, type, batch_id, generation, images: ids, outcomes } of events) {
    if (seq === null) findings.add('eventsMissed', `an event of batch ${batch_id} (${type}) has no number`);
    if (type === 'batch.created') count(created, batch_id);
    if (type === 'batch.finished') count(finished, `${batch_id} ${generation}`);
    for (const [index, id] of (ids ?? []).entries()) {
      const before = told.get(id) ?? [];
      if (before.some((each) => each.generation === generation))
        findings.add('duplicated', `image ${id} was told twice in generation ${generation}`);
      told.set(id, [...before, { generation, outcome: outcomes?.[index] ?? '' }]);
    }
  }
  for (const { id, state } of images) {
    const last = told.get(id)?.at(-1)?.outcome;
    if (letters[state] && last !== letters[state])
      findings.add('eventsMissed', `image ${id} is ${state}, last told as ${last ?? 'nothing'}`);
  }
  for (const { id, generation, state, chore } of batches) {
    if (created.get(id) !== 1)
      findings.add('eventsMissed', `batch ${id} was told ${created.get(id) ?? 0} times as new`);
    if (chore === 'delete' || ['expanding', 'queued', 'running'].includes(state)) continue;
    for (let each = 1; each <= generation; each += 1) {
      const times = finished.get(`${id} ${each}`) ?? 0;
      if (times === 0) findings.add('eventsMissed', `the end of generation ${each} of batch ${id}`);
      if (times > 1) findings.add('duplicated', `generation ${each} of batch ${id} ended ${times} times`);
    }
  }
}

/** A follower that came back each time with its last id has heard every number once, in order. */
function judgeFollowers(events: EventRow[], { followers }: Witnesses, findings: Findings): void {
  const expected = events.flatMap(({ seq, images }) =>
    seq === null ? [] : Array.from({ length: images?.length ?? 1 }, (_, index) => seq * idsPerRow + index),
  );
  for (const [index, { heard, resets }] of followers.entries()) {
    const name = `follower ${index}`;
    if (resets > 0) findings.add('eventsMissed', `${name} was told ${resets} times to begin anew`, resets);
    const known = new Set(heard);
    if (known.size < heard.length)
      findings.add('duplicated', `${name} heard ${heard.length - known.size} events twice`, heard.length - known.size);
    const fallen = heard.findIndex((id, at) => id < (heard[at - 1] ?? 0));
    if (fallen >= 0) findings.add('duplicated', `${name} heard ${heard[fallen]} behind ${heard[fallen - 1]}`);
    const missed = expected.filter((id) => !known.has(id));
    for (const id of missed) findings.add('eventsMissed', `${name} never heard ${id}`);
  }
}

function judgeDeliveries(all: Case, { arrived, forged }: Witnesses, findings: Findings): void {
  for (const each of forged) findings.add('webhooksMissing', `a call that nobody would believe: ${each}`);
  const rows = new Map(all.deliveries.map((row) => [`${row.batch_id} ${row.generation}`, row]));
  for (const { id, generation, webhook_url: url, state, chore } of all.batches) {
    if (url === null || chore === 'delete' || ['expanding', 'queued', 'running'].includes(state)) continue;
    for (let each = 1; each <= generation; each += 1) {
      const row = rows.get(`${id} ${each}`);
      const what = `the webhook of generation ${each} of batch ${id}`;
      if (!row) findings.add('webhooksMissing', `${what} has no row`);
      else if (row.state !== 'delivered')
        findings.add('webhooksMissing', `${what} (${row.id}) is ${row.state}: ${JSON.stringify(row.log)}`);
      else if (!arrived.has(`msg_${row.id}`)) findings.add('webhooksMissing', `${what} (${row.id}) never arrived`);
    }
  }
}
