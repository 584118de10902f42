// scale.ts — 1, 2 and 4 workers on the same cores: more processes must not cost what they bring.
//
// Row T24, on PostgreSQL. The workers of a lap are started and warmed up for it and are gone before the next one, for those
// who only wait would still beat and look. Each has the slots of a worker as shipped: cores + 1.

import { missingFor } from './lib/backing.ts';
import { runCatalog, writeCatalog } from './lib/catalog.ts';
import { listenForNoise } from './lib/noise.ts';
import { compare, imagesPerSecond, interleave, type Lap } from './lib/pairs.ts';
import { cpuSince, onDarkroom, type Darkroom } from './lib/server.ts';
import type { Source, Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, skipped, type Row } from './lib/table.ts';

const passes = 3;

export async function rows(stage: Stage): Promise<Row[]> {
  const source = await stage.source();
  const settings = { DARKROOM_PIPELINE: 'fit:800x600/jpeg:80', DARKROOM_LOG_LEVEL: 'warn' };
  const found = await onDarkroom(stage, { engine: 'postgres', settings, role: 'api' }, async (server) => {
    const lap = (workers: number) => (round: number) => lapOf(stage, server, { workers, round, source });
    const hush = listenForNoise();
    const laps = await interleave({ one: lap(1), two: lap(2), four: lap(4) }, stage.options.pairs);
    return judged(laps, hush());
  });
  return found ?? [skipped('T24', missingFor('postgres'))];
}

type Given = { workers: number; round: number; source: Source };

async function lapOf(stage: Stage, server: Darkroom, { workers, round, source }: Given): Promise<Lap> {
  stage.log(`scale: ${workers} workers`);
  const salt = `scale-${workers}-${round}`;
  const catalog = (name: string, times: number) =>
    writeCatalog(Array.from({ length: times }, (_, pass) => source.urls(`${salt}-${name}-${pass}`)).flat());
  const started = await Promise.all(Array.from({ length: workers }, () => server.addWorker()));
  try {
    await runCatalog(server, catalog('warm', 1));
    const before = server.cpu();
    const { failed, total, wallMs } = await runCatalog(server, catalog('lap', passes));
    if (failed > 0) throw new Error(`${failed} of ${total} images failed`);
    return { images: total, wallMs, cpu: cpuSince(server.cpu(), before) };
  } finally {
    await Promise.all(started.map((worker) => worker.end('SIGTERM')));
  }
}

/** The row is the worse of the two steps. */
function judged({ one, two, four }: Record<'one' | 'two' | 'four', Lap[]>, noise: number): Row[] {
  const steps = { '2 workers': compare(two, one, imagesPerSecond), '4 workers': compare(four, one, imagesPerSecond) };
  const [[name, worst] = ['', steps['4 workers']]] = Object.entries(steps).toSorted(
    ([, a], [, b]) => a.ratio - b.ratio,
  );
  const note = Object.entries(steps)
    .map(([what, { ratio }]) => `${what} ${digits(ratio)}`)
    .join(', ');
  const speed = worst.reference;
  const single = { ours: speed, figure: speed, min: speed, max: speed, n: worst.n, noise };
  return [
    judge({ id: 'T24', ...shown(worst), against: '1 worker', noise, note: `${note}; the row is ${name}` }, rules),
    printed({ id: 'scale', what: 'one worker of its own, (b)', unit: 'img/s', ...single }),
  ];
}

const rules = { reference: true };
