// catalog.ts — a catalog in, its CSV with results out, by the typed client: node catalog.ts catalog.csv output.csv

import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { client } from '../../client/client.gen.ts';
import { createBatch, createUploads, getBatch, getOutputCsv, listFailures, type Batch } from '../../client/index.ts';

const { DARKROOM_URL = 'http://localhost:8000', DARKROOM_KEY } = process.env;
const [input = 'catalog.csv', output = 'output.csv'] = process.argv.slice(2);
// With throwOnError every refusal is thrown: an object with code, detail and request_id.
client.setConfig({
  baseUrl: DARKROOM_URL,
  throwOnError: true,
  auth: ({ scheme }) => (scheme === 'bearer' ? DARKROOM_KEY : undefined),
});

const file = new File([await openAsBlob(input)], basename(input));
const { data: sent } = await createUploads<true>({ body: { file: [file] } });
const upload = sent.items[0]?.upload ?? '';
const { data: begun } = await createBatch<true>({ body: { catalog: { upload }, pipeline: 'fit:1600x/webp:80' } });
if (!('id' in begun)) throw new Error('this was a rehearsal');

const batch = await ended(begun);
const { succeeded, total } = batch.counts;
console.log(`${batch.state}: ${succeeded} of ${total} images, ${batch.bytes.saved_percent ?? 0} % smaller`);
const { data: failures } = await listFailures<true>({ path: { id: batch.id } });
for (const { count, code, message } of failures.items) console.log(`failed: ${count} x ${code}: ${message}`);
const { data: csv } = await getOutputCsv<true>({ path: { id: batch.id }, parseAs: 'text' });
await writeFile(output, csv);

async function ended(latest: Batch): Promise<Batch> {
  if (latest.finished_at !== null) return latest;
  const { data } = await getBatch<true>({ path: { id: latest.id }, query: { wait: 30 } });
  return ended(data);
}
