// egress.ts — the guarded way out against plain undici, both from the same host on loopback.
//
// Row T5g. Eight at once, every body whole and hashed on both sides: its hash is how Darkroom knows work that was done
// before, and no part of the guard. What the hash costs is printed beside it.

import { listenForNoise } from './lib/noise.ts';
import { compare, cpuPerImage, imagesPerSecond, interleave, type Lap } from './lib/pairs.ts';
import { cpuOfTree } from './lib/proc.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, type Row } from './lib/table.ts';
import type { EgressRequests } from './sides/egress.ts';

export async function rows(stage: Stage): Promise<Row[]> {
  stage.log('egress: guarded against plain');
  const source = await stage.source();
  const side = stage.side<EgressRequests>('sides/egress.ts');
  const passes = stage.options.thorough ? 30 : 12;
  const lap = (way: 'guarded' | 'plain' | 'unhashed') => async (round: number) => {
    const urls = Array.from({ length: passes }, (_, pass) => source.urls(`${way}-${round}-${pass}`)).flat();
    const before = cpuOfTree(side.pid).allMs;
    const { wallMs } = await side.ask('fetch', { way, urls });
    return { images: urls.length, wallMs, cpu: { worker: cpuOfTree(side.pid).allMs - before } };
  };
  try {
    await side.ask('open', { host: source.host });
    const sides = { guarded: lap('guarded'), plain: lap('plain'), unhashed: lap('unhashed') };
    for (const each of Object.values(sides)) await each(-1);
    const hush = listenForNoise();
    const laps = await interleave(sides, stage.options.pairs);
    return judged(stage, laps, hush());
  } finally {
    await side.stop();
  }
}

function judged(stage: Stage, laps: Record<'guarded' | 'plain' | 'unhashed', Lap[]>, noise: number): Row[] {
  const cpu = compare(laps.guarded, laps.plain, cpuPerImage);
  const note = `CPU ${digits(cpu.ours)} ms an image against ${digits(cpu.reference)}: ${digits(cpu.ratio)}`;
  const row = {
    id: 'T5g',
    ...shown(compare(laps.guarded, laps.plain, imagesPerSecond)),
    against: 'undici',
    noise,
    note,
  };
  const bare = compare(laps.guarded, laps.unhashed, cpuPerImage);
  const what = 'guarded egress ÷ plain undici that does not hash, CPU';
  return [
    judge(row, { reference: stage.reference }),
    printed({ id: 'egress', what, unit: 'CPU ratio', ...shown(bare), against: 'unhashed', noise }),
  ];
}
