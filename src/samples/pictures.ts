// pictures.ts — makes the sample pictures: drawn here, encoded in the sandbox, once per process and on first request.
//
// Even our own drawings are encoded in a child, because that is the only place where a codec runs. The repository so
// holds no picture, and the samples need no network.

import type { Uses } from '../app.ts';
import type { Recipe } from '../imaging/imaging.ts';
import { brokenSample } from './catalog.ts';
import { paint, withOrientation, type Canvas } from './paint.ts';
import { box, button, landscape, lantern, portrait, sticker, vessel } from './scenes.ts';

export type SamplePicture = { mediaType: string; body: Buffer[] };
type Plan = Canvas & { recipe: Recipe };

const jpeg: Recipe = {
  ops: [],
  out: { format: 'jpeg', quality: 92, progressive: false, chroma: '420', effort: 'balanced' },
};
const png: Recipe = { ops: [], out: { format: 'png', quality: 100, effort: 'balanced' } };
const webp: Recipe = { ops: [], out: { format: 'webp', quality: 90, lossless: false } };

const day = { high: [0.25, 0.45, 0.75], low: [0.8, 0.87, 0.93] } as const;
const evening = { high: [0.2, 0.15, 0.35], low: [0.98, 0.6, 0.35] } as const;

const plans: Record<string, Plan> = {
  '01.jpg': product(1000, 1000, vessel([0.25, 0.45, 0.55], { top: 0.3, waist: 0.24, neck: 0.24, handle: true })),
  '02.jpg': product(900, 1200, vessel([0.55, 0.6, 0.25], { top: 0.12, waist: 0.17, neck: 0.06, handle: false })),
  '03.jpg': product(900, 900, box([0.72, 0.3, 0.26], [0.95, 0.85, 0.6])),
  '04.jpg': product(900, 900, box([0.72, 0.3, 0.26], [0.78, 0.36, 0.3])),
  '05.jpg': { ...photograph(day, [0.2, 0.28, 0.22], { x: 0.7, y: 0.16 }), recipe: jpeg },
  '06.webp': { ...photograph(evening, [0.12, 0.08, 0.16], { x: 0.35, y: 0.45 }), recipe: webp },
  '07.png': { width: 800, height: 800, scene: sticker, transparent: true, recipe: png },
  '08.webp': { width: 640, height: 800, scene: lantern, transparent: true, recipe: webp },
  '09.jpg': { width: 900, height: 1200, scene: portrait, lying: true, recipe: jpeg },
  // Drawn small and enlarged by the sandbox: twelve million points by hand would take seconds.
  '10.jpg': {
    ...photograph(evening, [0.16, 0.2, 0.3], { x: 0.6, y: 0.3 }, { width: 1000, height: 750 }),
    recipe: { ...jpeg, ops: [{ op: 'stretch', width: 4000, height: 3000, enlarge: true }] },
  },
  '11.png': { width: 24, height: 24, scene: button, recipe: png },
};

const made = new Map<string, Promise<SamplePicture>>();

/** The file `name` of the sample catalog, undefined when there is none. */
export async function samplePicture(app: Uses<'sandbox'>, name: string): Promise<SamplePicture | undefined> {
  if (name === brokenSample.name) return { mediaType: brokenSample.mediaType, body: [Buffer.from(brokenSample.text)] };
  if (!Object.hasOwn(plans, name)) return undefined;
  const plan = plans[name];
  if (!plan) return undefined;
  let picture = made.get(name);
  if (!picture) {
    picture = make(app, name, plan);
    made.set(name, picture);
    // The sandbox may be away for a moment: the next request tries again.
    picture.catch(() => made.delete(name));
  }
  return picture;
}

async function make({ sandbox }: Uses<'sandbox'>, name: string, plan: Plan): Promise<SamplePicture> {
  const drawn = await paint(plan);
  const rendering = await sandbox.render({
    id: `sample-${name}`,
    chunks: [drawn],
    bytes: drawn.length,
    renditions: [{ name: 'default', recipe: plan.recipe }],
  });
  const [encoded] = rendering.renditions;
  if (!encoded) throw new Error(`the sandbox gave nothing for ${name}`);
  const body = plan.lying ? [withOrientation(Buffer.concat(encoded.body), 6)] : encoded.body;
  return { mediaType: encoded.mediaType, body };
}

function product(width: number, height: number, scene: Canvas['scene']): Plan {
  return { width, height, scene, recipe: jpeg };
}

function photograph(
  sky: Parameters<typeof landscape>[0],
  ground: Parameters<typeof landscape>[1],
  sun: { x: number; y: number },
  size = { width: 1200, height: 800 },
): Canvas {
  return { ...size, scene: landscape(sky, ground, sun) };
}
