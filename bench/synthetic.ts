// synthetic.ts — a stand-in for the photos where none can be fetched: 24 pictures from a seed.
//
// Noise of falling amplitude in octaves over a gradient, which costs a codec about what a photo costs (0.19 MB a
// megapixel at q85-92). Never compared with the photos: the rows of such a run are only printed.

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

type Plan = { name: string; width: number; height: number; quality?: number };

/** Widths and heights from 0.3 to 24 MP; every sixth is a PNG. */
const plans: Plan[] = Array.from({ length: 24 }, (_, index) => {
  const megapixels = 0.3 * (24 / 0.3) ** (((index * 7) % 24) / 23) * (index % 6 === 5 ? 0.2 : 1);
  const width = Math.round(Math.sqrt((megapixels * 1e6 * 3) / 2));
  const plan = { name: `synthetic-${String(index + 1).padStart(2, '0')}`, width, height: Math.round((width * 2) / 3) };
  return index % 6 === 5 ? plan : { ...plan, quality: 85 + (index % 8) };
});

/** Makes the pictures that `folder` lacks. */
export async function makeSynthetic(folder: string, log: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true });
  const present = await readdir(folder);
  const lacking = plans.filter((plan) => !present.some((name) => name.startsWith(plan.name)));
  if (lacking.length > 0) log(`corpus: making ${lacking.length} synthetic pictures`);
  for (const plan of lacking) await makePicture(folder, plan, plans.indexOf(plan) + 1);
}

async function makePicture(folder: string, { name, width, height, quality }: Plan, seed: number): Promise<void> {
  const body = await noise(width, height, seed);
  const picture = sharp(body, { raw: { width, height, channels: 3 } });
  if (quality) await picture.jpeg({ quality }).toFile(join(folder, `${name}.jpg`));
  else await picture.png().toFile(join(folder, `${name}.png`));
}

/** From coarse to fine: double the raster, add noise of two thirds the amplitude. The finest is what costs the codec. */
export async function noise(width: number, height: number, seed: number): Promise<Buffer> {
  const random = seeded(seed);
  const octaves = Math.ceil(Math.log2(Math.max(width, height) / 4));
  let size = { width: Math.ceil(width / 2 ** octaves), height: Math.ceil(height / 2 ** octaves) };
  let raster = gradient(size.width, size.height, random);
  for (let octave = 0; octave < octaves; octave++) {
    const last = octave === octaves - 1;
    const amplitude = Math.min(90, 10 * 1.5 ** (octaves - 1 - octave));
    const next = last ? { width, height } : { width: size.width * 2, height: size.height * 2 };
    raster = await sharp(raster, { raw: { ...size, channels: 3 } })
      .resize({ ...next, fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    addNoise(raster, amplitude, random);
    size = next;
  }
  return raster;
}

function gradient(width: number, height: number, random: () => number): Buffer {
  const raster = Buffer.alloc(width * height * 3);
  const [from, to] = [0, 1].map(() => [random(), random(), random()].map((share) => 60 + share * 130));
  for (let i = 0; i < raster.length; i++) {
    const across = Math.floor(i / 3) / (width * height);
    raster[i] = (from?.[i % 3] ?? 0) * (1 - across) + (to?.[i % 3] ?? 0) * across;
  }
  return raster;
}

/** Mostly light, a little colour: as photos have it, and as 4:2:0 expects it. */
function addNoise(raster: Buffer, amplitude: number, random: () => number): void {
  for (let i = 0; i < raster.length; i += 3) {
    const light = (random() - 0.5) * amplitude;
    const tint = (random() - 0.5) * amplitude * 0.2;
    raster[i] = clamp((raster[i] ?? 0) + light + tint);
    raster[i + 1] = clamp((raster[i + 1] ?? 0) + light);
    raster[i + 2] = clamp((raster[i + 2] ?? 0) + light - tint);
  }
}

const clamp = (level: number): number => Math.min(255, Math.max(0, level));

/** xorshift32: the same pictures for the same seed on every machine. */
function seeded(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
