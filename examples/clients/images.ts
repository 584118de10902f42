// images.ts — surface D, from its README: one picture by URL, transformed; polls its job and keeps the result.
// node images.ts https://example.com/image.jpg resize:100x100 grayscale

import { writeFile } from 'node:fs/promises';

const base = process.env.DARKROOM_URL ?? 'http://localhost:8000';
const [imageUrl, ...transformations] = process.argv.slice(2);

type Job = { jobId: string; status: string; resultUrl: string | null; errorMessage: string | null };

const answer = await fetch(`${base}/api/v1/images/process`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ imageUrl, transformations }),
});
if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
const { jobId } = (await answer.json()) as { jobId: string };

let job: Job;
do {
  await new Promise((resolve) => setTimeout(resolve, 200));
  job = (await (await fetch(`${base}/api/v1/images/jobs/${jobId}`)).json()) as Job;
} while (job.status !== 'COMPLETED' && job.status !== 'FAILED');

if (job.resultUrl === null) throw new Error(job.errorMessage ?? job.status);
// The README shows a path.
const result = await fetch(new URL(job.resultUrl, base));
await writeFile(`${jobId}.png`, Buffer.from(await result.arrayBuffer()));
console.log(`${jobId}.png`);
