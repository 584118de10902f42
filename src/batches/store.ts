// store.ts — lays the results of one image into storage: all of them, or none.

import type { Uses } from '../app.ts';
import type { Rendered } from '../imaging/imaging.ts';
import { keyOf } from '../storage/storage.ts';
import type { Claimed } from './claim.ts';
import { newFileName } from './ids.ts';
import { faultOfStorage } from './outcome.ts';
import { workKey } from './reuse.ts';
import type { StoredRendition } from './settle.ts';

/** Stores the renditions under new unguessable names. If one fails, those already stored are removed. */
export async function storeRenditions(
  { storage }: Uses<'storage'>,
  { owner, renditions }: Claimed,
  rendered: Rendered[],
  sourceSha256: Buffer,
): Promise<StoredRendition[]> {
  const stored: StoredRendition[] = [];
  try {
    for (const each of rendered) {
      const recipe = renditions.find((rendition) => rendition.name === each.name)?.recipe;
      if (!recipe) throw new Error(`the sandbox gave a rendition "${each.name}" that was not asked for`);
      const file = newFileName(each.extension);
      const { bytes, sha256 } = await storage.put(keyOf(file), each.body, { type: each.mediaType }).catch(refuse);
      const { name, mediaType, width, height, quality, score, encodes, keptOriginal, warnings } = each;
      const searched = typeof score === 'number' ? { score, encodes } : {};
      const details = { quality, ...searched, keptOriginal, warnings };
      const key = workKey(owner, sourceSha256, recipe);
      stored.push({ name, file, fresh: true, mediaType, bytes, sha256, workKey: key, width, height, details });
    }
  } catch (error) {
    await storage.remove(stored.map(({ file }) => keyOf(file))).catch(() => {});
    throw error;
  }
  return stored;
}

function refuse(error: unknown): never {
  throw faultOfStorage(error);
}
