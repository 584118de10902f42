// formats.ts — which pictures are taken, told from their first bytes.
//
// No name, extension or header of HTTP is believed. Nothing is decoded here, so this may run in any process.

import { problem } from '../problem.ts';
import type { Format } from './imaging.ts';
import { formats } from './kinds.ts';
import { recognise } from './signatures.ts';

export type Sniffed = { format: Format; mediaType: string; extension: string };

/** As many bytes of head as {@link sniff} can use. */
export const sniffBytes = 4096;

/** What a picture is that begins with `head`. Throws `not_an_image` or `unsupported_format`. */
export function sniff(head: Buffer): Sniffed {
  const found = recognise(head);
  if (found.kind === 'other') throw problem('not_an_image', { kind: found.name });
  if (found.kind === 'unsupported') throw problem('unsupported_format', { format: found.name });
  const { mediaType, extension } = formats[found.format];
  return { format: found.format, mediaType, extension };
}
