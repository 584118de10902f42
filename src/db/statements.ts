// statements.ts — names for statements that come again, so that the database plans them once a connection.
//
// Planning was half of what PostgreSQL did for a small job. A named statement is planned for its values five times and
// then, where that costs no more, once for any values. Such a plan would outlive the table it was made for: a catalog
// grows from nothing to a million rows within seconds, and nobody analyzes it meanwhile. So a connection forgets its
// plans every second (the names stay known), and a poor plan lasts no longer than that.

import type { PoolClient } from 'pg';

const comesAgain = 3;
const mostNames = 200;
const mostSeen = 2_000;
const plansLastMs = 1_000;

export type Statements = {
  /** The name under which to send `text`; undefined for what is rare, or has no values and is sent as it is. */
  nameOf(text: string, values: readonly unknown[]): string | undefined;
  /** Whether the plans of a connection that is about to be lent have become old; they count as new from now on. */
  plansAreOld(client: PoolClient): boolean;
};

export function openStatements(): Statements {
  const names = new Map<string, string>();
  // Lists of changing length make new texts without end.
  const seen = new Map<string, number>();
  const plannedAt = new WeakMap<PoolClient, number>();
  return {
    nameOf(text, values) {
      if (values.length === 0) return undefined;
      const known = names.get(text);
      if (known !== undefined || names.size >= mostNames) return known;
      if (seen.size >= mostSeen) seen.clear();
      const times = (seen.get(text) ?? 0) + 1;
      seen.set(text, times);
      if (times < comesAgain) return undefined;
      seen.delete(text);
      const name = `darkroom_${names.size + 1}`;
      names.set(text, name);
      return name;
    },
    plansAreOld(client) {
      const now = performance.now();
      const since = plannedAt.get(client);
      if (since !== undefined && now - since < plansLastMs) return false;
      plannedAt.set(client, now);
      return since !== undefined;
    },
  };
}
