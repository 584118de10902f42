// index.ts — the migrations, oldest first. Forward only; each must leave last release's workers able to run on.

import type { Migration } from 'kysely/migration';
import { tables } from './0001-tables.ts';
import { uploadsOwned } from './0002-uploads.ts';
import { ticketsOfKeys } from './0003-tickets.ts';
import { slowedHosts } from './0004-slowed-hosts.ts';

export const migrations: Record<string, Migration> = {
  '0001-tables': tables,
  '0002-uploads': uploadsOwned,
  '0003-tickets': ticketsOfKeys,
  '0004-slowed-hosts': slowedHosts,
};
