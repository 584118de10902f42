// api.mjs — a CSV or a JSON job in; a row and a BullMQ job for each image.

import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import express from 'express';
import { Pool } from 'pg';

const { PORT, DATABASE_URL, BROKER_URL } = process.env;
const db = new Pool({ connectionString: DATABASE_URL });
const queue = new Queue('images', { connection: { url: BROKER_URL } });
await db.query(`create table if not exists images (id text primary key, request_id text, url text,
  status text default 'pending', output text, finished_at timestamptz)`);
await db.query('create index if not exists images_request on images (request_id)');

async function accept(urls) {
  const requestId = randomUUID();
  const images = urls.map((url) => ({ id: randomUUID(), url }));
  await db.query(
    'insert into images (id, request_id, url) select a, $1, b from unnest($2::text[], $3::text[]) _(a, b)',
    [requestId, images.map(({ id }) => id), urls],
  );
  await queue.addBulk(images.map((data) => ({ name: 'image', data, opts: { removeOnComplete: true } })));
  return { id: requestId };
}

const app = express();

app.post('/upload', express.text({ type: 'text/csv', limit: '10mb' }), async (request, response) => {
  const [, ...lines] = request.body.trim().split('\n');
  response.status(202).json(await accept(lines.map((line) => line.split(',')[2])));
});

app.post('/jobs', express.json(), async (request, response) => {
  response.status(202).json(await accept([request.body.imageUrl]));
});

app.listen(Number(PORT), '127.0.0.1');
