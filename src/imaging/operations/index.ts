// index.ts — the list of operations, in the order of the documents; output operations last, in canonical order.

import { avif } from './avif.ts';
import { blur } from './blur.ts';
import { compress } from './compress.ts';
import { cover } from './cover.ts';
import { crop } from './crop.ts';
import { effort } from './effort.ts';
import { fit } from './fit.ts';
import { flatten } from './flatten.ts';
import { flip } from './flip.ts';
import { flop } from './flop.ts';
import { format } from './format.ts';
import { grayscale } from './grayscale.ts';
import { jpeg } from './jpeg.ts';
import { maxBytes } from './max-bytes.ts';
import type { Operation } from './operation.ts';
import { orient } from './orient.ts';
import { pad } from './pad.ts';
import { png } from './png.ts';
import { preset } from './preset.ts';
import { quality } from './quality.ts';
import { resize } from './resize.ts';
import { rotate } from './rotate.ts';
import { scale } from './scale.ts';
import { sharpen } from './sharpen.ts';
import { stretch } from './stretch.ts';
import { strip } from './strip.ts';
import { target } from './target.ts';
import { trim } from './trim.ts';
import { webp } from './webp.ts';

export const operations: readonly Operation[] = [
  resize,
  cover,
  fit,
  pad,
  stretch,
  scale,
  crop,
  trim,
  orient,
  rotate,
  flip,
  flop,
  flatten,
  grayscale,
  blur,
  sharpen,
  preset,
  jpeg,
  png,
  webp,
  avif,
  format,
  quality,
  compress,
  target,
  maxBytes,
  effort,
  strip,
];
