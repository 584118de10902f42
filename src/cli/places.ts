// places.ts — where files are to lie, judged before any work is done.

import { statfsSync } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';

/** Of a `darkroom process`. */
export type Places = {
  csv: string;
  /** Folder of the images. */
  images: string;
  /** The rows that hold an image without a result, when there are any. */
  failed: string;
  /** A name for the CSV of the run that continues this one. */
  next: string;
};

export function placesFor(out: string): Places {
  const { dir, name, ext } = parse(out);
  const beside = (ending: string): string => join(dir, `${name}${ending}`);
  return {
    csv: out,
    images: beside(ext === '' ? '.images' : ''),
    failed: beside('.failed.csv'),
    next: beside('.rest.csv'),
  };
}

/** Why nothing can be written there, in a sentence; undefined when it can. Nothing is made yet. */
export async function unusable({ csv, images }: Places): Promise<string | undefined> {
  if (/[/\\]$/.test(csv) || (await kindOf(csv)) === 'folder')
    return `--out ${csv} is a folder: name the CSV that shall be written.`;
  if ((await kindOf(images)) === 'file')
    return `--out ${csv} needs a folder ${images} for the images, and a file of that name is there.`;
  let parent = dirname(csv);
  while ((await kindOf(parent)) === undefined && dirname(parent) !== parent) parent = dirname(parent);
  if ((await kindOf(parent)) !== 'folder') return `--out ${csv} cannot be written: ${parent} is not a folder.`;
  if (isOfKernel(parent)) return `--out ${csv} cannot be written: ${parent} takes no files.`;
  return access(parent, constants.W_OK).then(
    () => undefined,
    () => `--out ${csv} cannot be written: ${parent} is closed to you.`,
  );
}

const procfs = 0x9fa0;

/**
 * Whether a folder of that name would lie in /proc. There nothing can be made, and it is answered in a way on which Node's
 * recursive mkdir tries again for ever, so whoever asks must not go on.
 */
export function isOfKernel(path: string): boolean {
  for (let place = resolve(path); ; place = dirname(place)) {
    try {
      return statfsSync(place).type === procfs;
    } catch {
      if (dirname(place) === place) return false;
    }
  }
}

async function kindOf(path: string): Promise<'folder' | 'file' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? 'folder' : 'file');
}
