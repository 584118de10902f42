// liar.ts — a child that claims what the last word of the rendition's name says, and is honest otherwise.

import { writeSync } from 'node:fs';
import { honestHeader, honestRendition, nextJob, png, ready, waitForGo, write } from './child.ts';

ready();
for (;;) {
  const job = nextJob();
  const lie = job.renditions[0]!.name;
  if (lie === 'noise') writeSync(1, 'Hello, I am a library that prints.\n'.repeat(20));
  if (lie === 'length') writeSync(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
  if (lie === 'payload') writeSync(1, Buffer.from([0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0x7b, 0x7d]));
  if (lie === 'list') writeSync(1, Buffer.from([0, 0, 0, 2, 0, 0, 0, 0, 0x5b, 0x5d]));
  if (lie === 'frame') write({ type: 'surprise', id: job.id } as never);
  if (lie === 'early') write({ type: 'done', id: job.id });
  if (lie === 'exit') process.exit(3);
  const header = honestHeader(job);
  if (lie === 'id') header.id = 'another';
  if (lie === 'sides') header.width = -5;
  write(header);
  waitForGo();
  if (lie === 'code') write({ type: 'failed', id: job.id, code: 'internal', detail: '', facts: {} });
  if (lie === 'stages')
    for (let i = 0; i < 100; i++) write({ type: 'stage', id: job.id, rendition: '', doing: 'encode' });
  const rendition = honestRendition(job);
  if (lie === 'name') rendition.name = '../../etc/passwd';
  if (lie === 'format') rendition.format = 'jpeg';
  if (lie === 'box') rendition.width = 8000;
  if (lie === 'warning') rendition.warnings = ['<script>'];
  if (lie !== 'missing') write(rendition, lie === 'magic' ? Buffer.from('<html>') : png);
  if (lie === 'twice') write(rendition, png);
  write({ type: 'done', id: job.id });
}
