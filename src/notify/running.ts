// running.ts — tells which images are at work, while somebody wants to know.
//
// Such news are not kept: they travel as notifications with ids and nothing else. A claim is the hottest statement of the
// house, so it tells nothing unless a follower has asked within the last half minute; asking is a notification, too.

import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';

export type Passing = { running: string[] } | { retrying: string[] };

export type Teller = {
  /** Tells, if somebody has asked. Never throws and nobody waits for it: such news may get lost. */
  tell(passing: Passing): void;
  close(): Promise<void>;
};

/** How often a hub with followers asks, and how long a question counts. */
export const askEveryMs = 10_000;
const askedForMs = 3 * askEveryMs;
/** 100 ids are 3.9 kB; a notification holds 8. */
const mostIds = 100;
const question = '?';

/** The worker's side. */
export async function openTeller(db: Database, log: Logger): Promise<Teller> {
  let askedUntil = 0;
  const close = await db.listen('running', (payload) => {
    if (payload === question) askedUntil = performance.now() + askedForMs;
  });
  return {
    tell(passing) {
      if (performance.now() >= askedUntil) return;
      const [[kind, ids] = ['running', []]] = Object.entries(passing);
      for (let from = 0; from < ids.length; from += mostIds) {
        const payload = JSON.stringify({ [kind]: ids.slice(from, from + mostIds) });
        sql`select pg_notify('running', ${payload})`
          .execute(db.query)
          .catch((error: unknown) => log.debug({ err: error }, 'nobody could be told what is at work'));
      }
    },
    close,
  };
}

/** The follower's side: asks all workers to tell for a while. */
export async function askForRunning(db: Database): Promise<void> {
  await sql`select pg_notify('running', ${question})`.execute(db.query);
}

/** What a notification tells; undefined for a question and for what cannot be read. */
export function passingOf(payload: string): Passing | undefined {
  if (payload === question) return undefined;
  try {
    const told = JSON.parse(payload) as Record<string, unknown>;
    if (areIds(told.running)) return { running: told.running };
    if (areIds(told.retrying)) return { retrying: told.retrying };
  } catch {
    // Anyone may notify by hand.
  }
  return undefined;
}

function areIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id));
}
