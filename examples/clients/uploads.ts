// uploads.ts — surface A, from its README: uploads pictures, hears of each on the socket, and keeps the results.
// node uploads.ts a.jpg b.webp

import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

const base = process.env.DARKROOM_URL ?? 'http://localhost:8000';
const files = process.argv.slice(2);

type Notification = { type?: string; job_id: string; status: string; image?: string };

const socket = new WebSocket(`${base.replace('http', 'ws')}/ws/upload/`);
await new Promise((resolve, reject) => {
  socket.addEventListener('open', resolve);
  socket.addEventListener('error', reject);
});
const results = new Promise<Notification[]>((resolve) => {
  const ended: Notification[] = [];
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Notification;
    if (message.type !== 'send_upload_notification' || message.status === 'processing') return;
    console.log(message.job_id, message.status);
    if (ended.push(message) === files.length) resolve(ended);
  });
});

const form = new FormData();
for (const file of files) form.append('images', await openAsBlob(file), basename(file));
const answer = await fetch(`${base}/api/async/upload`, { method: 'POST', body: form });
const { message, error } = (await answer.json()) as { message?: string; error?: string };
if (!answer.ok) throw new Error(error);
console.log(message);

for (const { image } of await results) {
  if (!image) continue;
  const result = await fetch(base + image);
  await writeFile(basename(image), Buffer.from(await result.arrayBuffer()));
  console.log(basename(image));
}
socket.close();

const list = (await (await fetch(`${base}/api/list`)).json()) as { name: string; size: number; status: string }[];
for (const { name, size, status } of list) console.log(`${name} ${size} ${status}`);
