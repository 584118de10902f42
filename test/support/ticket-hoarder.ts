// ticket-hoarder.ts — a process that takes tickets in hand and never lets go of them, until somebody kills it.
//
// Started with the address, the instance and the time of silence; says the id of each ticket.

import { pino } from 'pino';
import { openQueue } from '../../src/queue/index.ts';

const [url = '', instance = '', silentMs = '0'] = process.argv.slice(2);
const queue = await openQueue({ url, instance, log: pino({ level: 'silent' }), silentMs: Number(silentMs) });
await queue.consume({ lane: 1, limit: 10, signal: new AbortController().signal }, async ({ id }) => {
  console.log(id);
  await new Promise(() => {});
});
