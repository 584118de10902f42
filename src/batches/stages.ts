// stages.ts — how far an image is, as its sender sees it: the five stages that the older dialects have words for.
//
// An image that waits for another try is at work: a status that fell back to "waiting" would frighten whoever polls it.

import { sql, type RawBuilder } from 'kysely';
import type { Image } from './model.ts';

export type Stage = 'waiting' | 'working' | 'succeeded' | 'failed' | 'canceled';

export function stageOf({ state, attempts }: Pick<Image, 'state' | 'attempts'>): Stage {
  if (state === 'dispatched') return 'waiting';
  if (state === 'queued') return attempts === 0 ? 'waiting' : 'working';
  return state === 'running' ? 'working' : state;
}

/** The same, of the row `i`. */
export const stageConditions: Record<Stage, RawBuilder<boolean>> = {
  waiting: sql`(i.state = 'dispatched' or (i.state = 'queued' and i.attempts = 0))`,
  working: sql`(i.state = 'running' or (i.state = 'queued' and i.attempts > 0))`,
  succeeded: sql`i.state = 'succeeded'`,
  failed: sql`i.state = 'failed'`,
  canceled: sql`i.state = 'canceled'`,
};
