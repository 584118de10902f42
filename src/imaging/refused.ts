// refused.ts — how the child says what is wrong with a picture: a code of the catalogue, and a detail for the log.

import type { Reason } from './operations/operation.ts';

export type RefusalCode =
  | 'corrupt_image'
  | 'unsupported_format'
  | 'transform_failed'
  | 'decode_memory'
  | 'output_too_large';

/** What the public sentence of a refusal is made of. The parent reads it as it reads everything: as a claim. */
export type RefusalFacts = { step?: number; reason?: Reason; width?: number; height?: number };

/** Thrown inside the child. The message is for the log; the parent finds the public sentence by the code. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: RefusalCode;
  readonly facts: RefusalFacts;

  constructor(code: RefusalCode, detail: string, facts: RefusalFacts = {}) {
    super(detail);
    this.code = code;
    this.facts = facts;
  }
}

// libvips and its loaders name their faults in free text. What comes while a picture is read is the picture's fault.
const texts: readonly (readonly [RegExp, RefusalCode])[] = [
  // Whole pictures of a kind that this build does not read: odd sample sizes, compressions and colour spaces of TIFF.
  [
    /not a whole number of bytes|unsupported tiff|samples out of range|not configured|no known route from/i,
    'unsupported_format',
  ],
  [
    /unsupported image format|not a known file format|unsupported codec|no decoding plugin|unsupported feature/i,
    'corrupt_image',
  ],
  [/exceeds pixel limit|bad seek|channel limit/i, 'corrupt_image'],
  [/out of memory|unable to allocate|cannot allocate|memory area/i, 'decode_memory'],
  [
    /premature|truncated|corrupt|invalid|bad |error reading|read error|unexpected end|end of (?:stream|file)/i,
    'corrupt_image',
  ],
  [
    /extract_area|bad extract|linear:|composite|resize:|embed:|window too large|unable to call|colourspace/i,
    'transform_failed',
  ],
];

/** The code for what sharp or a reader threw. `reading`: source bytes were being decoded, not pixels of an earlier pass. */
export function refusalOf(error: unknown, reading: boolean): Refused {
  if (error instanceof Refused) return error;
  const text = error instanceof Error ? error.message : String(error);
  const found = texts.find(([pattern]) => pattern.test(text))?.[1];
  const code = found ?? (reading ? 'corrupt_image' : 'transform_failed');
  return new Refused(code, text);
}
