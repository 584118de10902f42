// 0004-slowed-hosts.ts — a host that struggles is spared by every process: `rate` holds how many connections it is allowed.

import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const slowedHosts: Migration = {
  async up(db) {
    await sql`alter table hosts add column slowed_until timestamptz`.execute(db); // until when `rate` is for all
  },
};
