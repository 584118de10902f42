// check.ts — judges a run by what was promised, told, received and stored. It knows no product code but the words of the rows.

import { judgeFiles } from './check-files.ts';
import { judgeNews } from './check-news.ts';
import { judgeRows } from './check-rows.ts';
import { openFindings, type Findings } from './findings.ts';
import type { Follower } from './followers.ts';
import { readLedger, type Entry, type Promised } from './ledger.ts';
import type { Snapshot } from './snapshot.ts';

/** Everything outside the product that saw something of the run. */
export type Witnesses = {
  entries: readonly Entry[];
  followers: Follower[];
  /** Verified webhooks by their id, and calls that nobody would believe. */
  arrived: ReadonlyMap<string, number>;
  forged: readonly string[];
};

export type Case = Snapshot & { promised: Promised; byBatch: Map<string, Snapshot['images']> };

export async function judge(snapshot: Snapshot, witnesses: Witnesses): Promise<Findings> {
  const findings = openFindings();
  const promised = readLedger(witnesses.entries);
  const byBatch = Map.groupBy(snapshot.images, ({ batch_id }) => batch_id);
  const all: Case = { ...snapshot, promised, byBatch };
  judgeRows(all, findings);
  judgeNews(all, witnesses, findings);
  await judgeFiles(all, findings);
  return findings;
}
