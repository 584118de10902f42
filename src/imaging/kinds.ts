// kinds.ts — the formats: extension, media type, and what `keep` gives for each as a source. Tables only.

import type { Format } from './imaging.ts';

export type ResultFormat = 'jpeg' | 'png' | 'webp' | 'avif';

type FormatFacts = {
  extension: string;
  mediaType: string;
  /** What a result is written in when nobody names a format. */
  keep: (source: { alpha: boolean }) => ResultFormat;
};

const same =
  (format: ResultFormat): FormatFacts['keep'] =>
  () =>
    format;

export const formats: Readonly<Record<Format, FormatFacts>> = {
  jpeg: { extension: 'jpg', mediaType: 'image/jpeg', keep: same('jpeg') },
  png: { extension: 'png', mediaType: 'image/png', keep: same('png') },
  webp: { extension: 'webp', mediaType: 'image/webp', keep: same('webp') },
  avif: { extension: 'avif', mediaType: 'image/avif', keep: same('avif') },
  gif: { extension: 'gif', mediaType: 'image/gif', keep: same('png') },
  tiff: { extension: 'tiff', mediaType: 'image/tiff', keep: ({ alpha }) => (alpha ? 'png' : 'jpeg') },
  bmp: { extension: 'bmp', mediaType: 'image/bmp', keep: same('png') },
  pnm: { extension: 'pnm', mediaType: 'image/x-portable-anymap', keep: same('png') },
};

/** True when `text` names a format that results are written in. */
export function isResultFormat(text: unknown): text is ResultFormat {
  return text === 'jpeg' || text === 'png' || text === 'webp' || text === 'avif';
}

/** What a recipe that asks for this format (or `keep`) is written in, for this source. */
export function resultFormat(asked: string, source: { format: Format; alpha: boolean }): ResultFormat {
  return isResultFormat(asked) ? asked : formats[source.format].keep(source);
}
