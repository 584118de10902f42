// run.ts — `npm run chaos`: breaks what can break while people send pictures, and shows that nothing is lost.
//
//   npm run chaos -- --profile postgres --seed 7                      one run
//   npm run chaos -- --profile redis --seed 7 --minutes 3 --faults 8,9
//   npm run chaos -- --seeds 20 --profiles all                        a campaign; runs that have a line are left out
//   npm run chaos -- --report                                         writes the table of docs/RELIABILITY.md
//
// Each run appends a line to chaos/results.jsonl. Exit 1 when anything was lost, stuck, told twice, torn or miscounted.

import { parseArgs } from 'node:util';
import { runOnce } from './once.ts';
import { appendResult, missingRuns, writeReport } from './results.ts';
import { profiles, type Profile } from './servers.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'embedded' },
    profiles: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    minutes: { type: 'string', default: '0.35' },
    images: { type: 'string', default: '1300' },
    faults: { type: 'string' },
    report: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function readProfile(name: string): Profile {
  const found = profiles.find((each) => each === name);
  if (!found) throw new Error(`There is no profile ${name}: ${profiles.join(', ')}, and all for a campaign.`);
  return found;
}

type Planned = { profile: Profile; seed: number };

async function plannedRuns(): Promise<Planned[]> {
  if (values.seeds === undefined && values.profiles === undefined)
    return [{ profile: readProfile(values.profile), seed: Number(values.seed) }];
  const names = values.profiles ?? values.profile;
  const chosen = names === 'all' ? profiles : names.split(',').map(readProfile);
  const first = Number(values.seed);
  const seeds = Array.from({ length: Number(values.seeds ?? 1) }, (_, index) => first + index);
  return missingRuns(seeds.flatMap((seed) => chosen.map((profile) => ({ profile, seed }))));
}

async function run({ profile, seed }: Planned): Promise<boolean> {
  const { minutes, images, faults } = values;
  const only = faults === undefined ? {} : { faults: faults.split(',').map(Number) };
  const options = { profile, seed, minutes: Number(minutes), images: Number(images), ...only, say };
  const { result, isClean } = await runOnce(options);
  say(JSON.stringify(result));
  await appendResult(result);
  return isClean;
}

// Whatever was started ends with this process, and only an ordinary exit gives it the time to say so.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

if (values.report) await writeReport();
else {
  const runs = await plannedRuns();
  for (const [index, planned] of runs.entries()) {
    if (runs.length > 1) say(`\n# ${index + 1} of ${runs.length}: ${planned.profile}, seed ${planned.seed}`);
    try {
      if (!(await run(planned))) process.exitCode = 1;
    } catch (error) {
      // It was never judged, so it has no line: the next campaign makes it again.
      process.exitCode = 1;
      say(`This run broke off: ${String(error)}`);
    }
  }
  if (runs.length > 1) await writeReport();
}
