// 0003-tickets.ts — a socket that was opened by a ticket ends with the key that the ticket stood for.

import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const ticketsOfKeys: Migration = {
  async up(db) {
    await sql`alter table socket_tickets add column key_id text`.execute(db); // null: issued while there were no keys
  },
};
