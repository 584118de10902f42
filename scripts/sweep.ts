// sweep.ts — `npm run sweep`: all foreign and hostile pictures through the sandbox, and a table of how each set ended.
//
//   npm run sweep                 every file, some minutes
//   npm run sweep -- --every 10   the short form that the suite runs
//   npm run sweep -- --list       also each file that was refused
//
// Exit 1 when a file ended in a way that no service can live with: without a code, too late, or wrongly.

import { parseArgs } from 'node:util';
import { hasImages, sweep } from '../test/support/sweep.ts';

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    slots: { type: 'string', default: '3' },
    list: { type: 'boolean', default: false },
  },
});
const say = (line: string) => void process.stdout.write(`${line}\n`);

if (!hasImages) say('SKIPPED: ../shared/corpora/images is absent; only the files that the tests make are swept.');
const { files, rows, faults, listed, peakMb } = await sweep({
  every: Number(values.every),
  slots: Number(values.slots),
});
say('| set | files | fine | refused | slowest, ms |');
say('| --- | --: | --: | --- | --: |');
for (const { set, files: count, fine, codes, slowestMs } of rows)
  say(`| ${set} | ${count} | ${fine} | ${codes} | ${slowestMs} |`);
if (values.list)
  for (const { file, code } of files.toSorted((a, b) => (a.file < b.file ? -1 : 1)))
    if (code !== 'fine') say(`${code}  ${file}`);
const fine = files.filter(({ code }) => code === 'fine').length;
say(`\n${files.length} files: ${fine} fine, ${files.length - fine} refused with a code`);
say(`largest child ${Math.round(peakMb)} MB, slowest ${Math.max(...rows.map(({ slowestMs }) => slowestMs))} ms`);
for (const { file, reason } of listed) say(`not read: ${file}: ${reason}`);
for (const fault of faults) say(`FAULT ${fault}`);
say(faults.length === 0 ? 'No faults.' : `${faults.length} faults.`);
process.exitCode = faults.length === 0 ? 0 : 1;
