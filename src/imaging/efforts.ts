// efforts.ts — default qualities, and how much work an encoder does per profile.

import type { ResultFormat } from './kinds.ts';

export type EffortName = 'fast' | 'balanced' | 'small';

/** Quality where nobody asked for one. JPEG, WebP and AVIF then look equally good. */
export const defaultQuality: Readonly<Record<ResultFormat, number>> = { jpeg: 80, png: 100, webp: 82, avif: 65 };

/** Encoders with a number for their effort, and what the profiles mean there. */
export const encoderEfforts: ReadonlyMap<string, Readonly<Record<EffortName, number>>> = new Map([
  ['webp', { fast: 0, balanced: 2, small: 4 }],
  ['avif', { fast: 0, balanced: 2, small: 2 }],
]);

/** The effort an encoder works with: the number of the recipe, or what its profile means for this format. */
export function effortNumber(format: 'webp' | 'avif', effort: string | number | undefined): number {
  if (typeof effort === 'number') return effort;
  return encoderEfforts.get(format)![isEffortName(effort) ? effort : 'balanced'];
}

/** The profile of a recipe that is not bound to an encoder with numbers. */
export function profileOf(effort: string | number | undefined): EffortName {
  return isEffortName(effort) ? effort : 'balanced';
}

function isEffortName(effort: unknown): effort is EffortName {
  return effort === 'fast' || effort === 'balanced' || effort === 'small';
}
