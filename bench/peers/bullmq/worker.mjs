// worker.mjs — takes BullMQ jobs: fetch, sharp, two UPDATEs for each image.

import { Worker } from 'bullmq';
import { Pool } from 'pg';
import sharp from 'sharp';

const { DATABASE_URL, BROKER_URL, OPERATION, OUTPUT, CONCURRENCY } = process.env;
const db = new Pool({ connectionString: DATABASE_URL });

const operations = {
  a: (image) => image.jpeg({ quality: 50 }),
  b: (image) => image.resize(800, 600, { fit: 'inside', withoutEnlargement: true }).jpeg({ quality: 80 }),
  c: (image) => image.resize(100, 100).grayscale().toColourspace('b-w').jpeg({ quality: 80 }),
};

async function processImage({ data: { id, url } }) {
  await db.query("update images set status = 'processing' where id = $1", [id]);
  try {
    const body = Buffer.from(await (await fetch(url)).arrayBuffer());
    const output = `${OUTPUT}/${id}.jpg`;
    await operations[OPERATION](sharp(body).autoOrient()).toFile(output);
    await db.query("update images set status = 'completed', output = $2, finished_at = now() where id = $1", [
      id,
      output,
    ]);
  } catch (error) {
    await db.query("update images set status = 'failed', output = $2, finished_at = now() where id = $1", [
      id,
      String(error),
    ]);
  }
}

const options = { connection: { url: BROKER_URL, maxRetriesPerRequest: null }, concurrency: Number(CONCURRENCY) };
new Worker('images', processImage, options).on('error', console.error);
