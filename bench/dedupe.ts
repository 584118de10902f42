// dedupe.ts — a catalog that names every picture twice, against one of as many rows that names none twice.
//
// Row T12. Shops list one photo under several products. The second mention must cost next to nothing: no fetch, no
// decode, one file.

import { enginesOf, missingFor } from './lib/backing.ts';
import { runCatalog, writeCatalog } from './lib/catalog.ts';
import { listenForNoise } from './lib/noise.ts';
import { compare, imagesPerSecond, interleave, usualCpu, type Lap } from './lib/pairs.ts';
import { cpuSince, startDarkroom } from './lib/server.ts';
import type { Stage } from './lib/stage.ts';
import { judge, shown, skipped, type Row } from './lib/table.ts';

export async function rows(stage: Stage): Promise<Row[]> {
  const [engine = 'embedded'] = enginesOf(stage.options.engines, []);
  stage.log(`dedupe: every URL twice, ${engine}`);
  const source = await stage.source();
  const server = await startDarkroom(stage, engine, { DARKROOM_PIPELINE: 'fit:800x600/jpeg:80' });
  if (!server) return [skipped('T12', missingFor(engine))];
  stage.defer(() => server.stop());
  const lap = async (urls: string[], fetches: number): Promise<Lap> => {
    const before = server.cpu();
    const { requests } = await source.side.ask('counts', {});
    const { failed, total, wallMs } = await runCatalog(server, writeCatalog(urls));
    if (failed > 0 || total !== urls.length) throw new Error(`${failed} of ${total} images failed`);
    const asked = (await source.side.ask('counts', {})).requests - requests;
    if (asked !== fetches) throw new Error(`the source was asked ${asked} times instead of ${fetches}`);
    return { images: total, wallMs, cpu: cpuSince(server.cpu(), before) };
  };
  const twice = (round: number) => {
    const urls = [...source.urls(`twice-${round}`), ...source.urls(`twice-${round}-more`)];
    // The second half repeats the first: twins that have finished, and twins that are still under way.
    return lap([...urls, ...urls], urls.length);
  };
  const once = (round: number) => {
    const urls = ['a', 'b', 'c', 'd'].flatMap((part) => source.urls(`once-${round}-${part}`));
    return lap(urls, urls.length);
  };
  try {
    await twice(-1);
    const hush = listenForNoise();
    const laps = await interleave({ twice, once }, stage.options.pairs);
    const noise = hush();
    const cpuMs = usualCpu(laps.twice);
    const figures = shown(compare(laps.twice, laps.once, imagesPerSecond));
    return [judge({ id: 'T12', ...figures, against: 'once', engine, noise, cpuMs }, { reference: stage.reference })];
  } finally {
    await server.stop();
  }
}
