// row-writer.ts — a process that writes rows and says so, until it is killed; for the kill -9 test.
//
// Started with the data directory and the number of its round. A line on standard output is an acknowledgement: the
// transaction of that row has committed. Vacuum runs between, because a kill in the middle of it is a kill too.

import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { openDatabase } from '../../src/db/open.ts';

const [dataDir = '', round = ''] = process.argv.slice(2);
const db = await openDatabase({ url: '', dataDir, pool: 1, log: pino({ level: 'silent' }) });
for (let n = 0; ; n++) {
  const name = `${round}-${n}`;
  await db.transaction(async (tx) => {
    await tx
      .insertInto('settings')
      .values({ name, value: JSON.stringify('x'.repeat(n % 3000)) })
      .execute();
    await tx.insertInto('workers').values({ id: name, machine: '', pid: n, version: '', slots: 1 }).execute();
    await tx.updateTable('workers').set({ busy: n }).where('id', '=', `${round}-0`).execute();
  });
  writeSync(1, `${name}\n`); // waits until the pipe has it
  if (n % 100 === 50) await db.maintain();
}
