// latency.ts — how long people wait: for an answer to a submission (T15), to a question while the machine is full (T20),
// for their one picture behind ten thousand others (T21), and for the news of it (T22).
//
// Milliseconds are no ratios: they get a verdict on a quiet machine alone. The driver is the harness's own process. Each
// part has a server of its own: what one leaves waiting would be in the figures of the next.

import { enginesOf, missingFor } from './lib/backing.ts';
import type { Stage } from './lib/stage.ts';
import { skipped, type Row } from './lib/table.ts';
import { readingRows } from './latency/reading.ts';
import { singleRows } from './latency/single.ts';
import { submittingRows } from './latency/submitting.ts';
import { tellingRows } from './latency/telling.ts';
import { targets } from './targets.ts';

const parts = { T15: submittingRows, T20: readingRows, T21: singleRows, T22: tellingRows };

export async function rows(stage: Stage): Promise<Row[]> {
  const found: Row[] = [];
  for (const engine of enginesOf(stage.options.engines, ['embedded', 'postgres']))
    for (const [name, part] of Object.entries(parts))
      found.push(
        ...(await stage.attempt(name, async () => (await part(stage, engine)) ?? missing(name, missingFor(engine)))),
      );
  return found;
}

const missing = (name: string, why: string): Row[] =>
  targets.filter(({ id }) => id.split('-', 1)[0] === name).map(({ id }) => skipped(id, why));
