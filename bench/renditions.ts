// renditions.ts — a family of sizes from one decode, against one image for each size.
//
// Row T11. The same pictures go through the house twice: once as a list with four renditions each, once as four lists
// with one each, as a service must that knows one output only. Both must give the same files in name and size.

import { enginesOf, missingFor } from './lib/backing.ts';
import { runList, type Wanted } from './lib/catalog.ts';
import { listenForNoise } from './lib/noise.ts';
import { compare, cpuPerImage, interleave, usualCpu, type Lap } from './lib/pairs.ts';
import { cpuSince, startDarkroom, type Darkroom } from './lib/server.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, shown, skipped, type Row } from './lib/table.ts';

const widths = [1600, 800, 400, 150];
const outputs = { jpeg: 'jpeg:80', webp: 'webp:82' };

export async function rows(stage: Stage): Promise<Row[]> {
  const [engine = 'embedded'] = enginesOf(stage.options.engines, []);
  const server = await startDarkroom(stage, engine, {});
  if (!server) return Object.keys(outputs).map((format) => skipped(`T11-${format}`, missingFor(engine)));
  stage.defer(() => server.stop());
  try {
    const found: Row[] = [];
    for (const [format, output] of Object.entries(outputs)) found.push(await ofFormat(stage, server, format, output));
    return found;
  } finally {
    await server.stop();
  }
}

async function ofFormat(stage: Stage, server: Darkroom, format: string, output: string): Promise<Row> {
  stage.log(`renditions: ${widths.join(', ')} px, ${format}`);
  const source = await stage.source();
  const family = Object.fromEntries(widths.map((width) => [`w${width}`, `fit:${width}x/${output}`]));
  const made = { together: new Map<string, string>(), apart: new Map<string, string>() };
  const imagesOf = (salt: string) => source.urls(salt).map((url) => ({ source: { url } }));
  const lap = async (side: keyof typeof made, lists: Wanted[]): Promise<Lap> => {
    const before = server.cpu();
    const ended = [];
    // One after the other, or the sides would differ in how many pictures are under way.
    for (const list of lists) ended.push(await runList(server, list));
    const cpu = cpuSince(server.cpu(), before);
    const failed = ended.reduce((sum, each) => sum + each.failed, 0);
    if (failed > 0) throw new Error(`${failed} images failed`);
    for (const { id } of ended) await noteResults(server, id, made[side]);
    return { images: stage.corpus.photos.length, wallMs: ended.reduce((sum, each) => sum + each.wallMs, 0), cpu };
  };
  const sides = {
    apart: (round: number) => {
      const images = imagesOf(`apart-${format}-${round}`);
      return lap(
        'apart',
        Object.entries(family).map(([name, text]) => ({ images, renditions: { [name]: text } })),
      );
    },
    together: (round: number) =>
      lap('together', [{ images: imagesOf(`together-${format}-${round}`), renditions: family }]),
  };
  await sides.together(-1);
  const hush = listenForNoise();
  const laps = await interleave(sides, stage.options.pairs);
  const noise = hush();
  const cpuMs = usualCpu(laps.together);
  const comparison = compare(laps.apart, laps.together, cpuPerImage);
  const note = `${digits(comparison.reference)} CPU-ms per image together, ${digits(comparison.ours)} apart`;
  const row = { id: `T11-${format}`, ...shown(comparison), against: 'together', noise, cpuMs, note };
  return judge(row, { reference: stage.reference, refused: faultOf(made.together, made.apart) });
}

type Image = {
  source: { url: string };
  renditions: { name: string; width: number; height: number; media_type: string }[];
};

/** Remembers size and type of every result by picture and rendition; salts differ between laps and are left out. */
async function noteResults({ url }: Darkroom, id: string, made: Map<string, string>): Promise<void> {
  for (let next: string | null = `/v1/batches/${id}/images?limit=200`; next;) {
    const response = await fetch(`${url}${next}`);
    if (!response.ok) throw new Error(`${next} answered ${response.status}: ${await response.text()}`);
    const page = (await response.json()) as { items: Image[]; next: string | null };
    for (const { source, renditions } of page.items)
      for (const { name, width, height, media_type } of renditions)
        made.set(`${source.url.split('/').at(-1)} ${name}`, `${width}x${height} ${media_type}`);
    next = page.next;
  }
}

function faultOf(together: Map<string, string>, apart: Map<string, string>): string | undefined {
  if (together.size !== apart.size) return `${together.size} results together, ${apart.size} apart`;
  const other = [...together].find(([name, size]) => !isAlike(size, apart.get(name) ?? ''));
  return other && `${other[0]} is ${other[1]} together, ${apart.get(other[0])} apart`;
}

/** sharp rounds within a pixel: where it shrinks on load, 599 comes of 1200. */
function isAlike(one: string, other: string): boolean {
  const [a = [], b = []] = [one, other].map((text) => text.split(/[x ]/));
  return a[2] === b[2] && [0, 1].every((side) => Math.abs(Number(a[side]) - Number(b[side])) <= 1);
}
