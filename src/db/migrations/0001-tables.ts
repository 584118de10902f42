// 0001-tables.ts — every table, index and trigger of the first release.
//
// The queue is the table `images` itself, so its indexes are the hot path: each serves one statement, named beside it.
// There is no foreign key from images and products to batches: it would cost 5.4 of 14 µs a row. Rows are only inserted
// from the locked batch row, and the triggers in 0001-triggers.ts delete them with it.

import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { triggers } from './0001-triggers.ts';

const work = `
create table files ( -- one row per stored object; objects are written once, shared by reference
  name text primary key, -- 26 random base32 characters + extension: storage key, and public URL of results only
  kind text not null check (kind in ('source','result','catalog')),
  media_type text not null,
  bytes bigint not null,
  sha256 bytea not null,
  created_at timestamptz not null default now(),
  gone_at timestamptz); -- being removed

create table batches (
  id uuid primary key, -- UUIDv7
  name text,
  surface text not null,
  owner text not null default '',
  hop smallint not null default 0,
  state text not null check (
    state in ('expanding','queued','running','succeeded','partially_succeeded','failed','canceled')),
  lane smallint not null,
  turn bigint not null default 0,
  generation smallint not null default 1,
  renditions jsonb not null,
  catalog text references files,
  dialect jsonb,
  problems jsonb,
  problem_count int not null default 0,
  webhook_url text,
  webhook_format text not null default 'json',
  total int not null,
  succeeded int not null default 0,
  failed int not null default 0,
  canceled int not null default 0,
  bytes_in bigint not null default 0,
  bytes_out bigint not null default 0,
  chore text check (chore in ('expand','retry','cancel','delete')),
  chore_row int not null default 0,
  chore_filter jsonb,
  worker text, -- who does the chore
  claims int not null default 0, -- and its fence
  error_code text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  canceled_at timestamptz,
  finished_at timestamptz,
  expires_at timestamptz)
  with (fillfactor = 50); -- counters stay HOT
create index batches_owner on batches (owner, id); -- lists
create index batches_open on batches (lane, owner) where state in ('expanding','queued','running'); -- housekeeping, fair step
create index batches_chores on batches (id) where chore is not null;
create index batches_expiry on batches (expires_at) where expires_at is not null;
create index batches_file on batches (catalog) where catalog is not null;

create table products ( -- line of the CSV; cells serve the round trip
  batch_id uuid not null,
  line int not null,
  serial text,
  name text,
  cells jsonb,
  problem text,
  primary key (batch_id, line));

create table images (
  id uuid primary key, -- UUIDv7, its 74 free bits from the CSPRNG; its time = created_at; also the ticket
  batch_id uuid not null,
  position int not null, -- 1..n in input order
  line int,
  ref text,
  name text,
  source_url text,
  source_file text references files,
  renditions jsonb, -- null: the batch's
  state text not null default 'queued' check (
    state in ('queued','dispatched','running','succeeded','failed','canceled')),
  lane smallint not null,
  turn bigint not null,
  run_at timestamptz, -- null = due now
  attempts smallint not null default 0, -- fence (only rises)
  attempts_left smallint not null default 5, -- budget
  strikes smallint not null default 0,
  parks smallint not null default 0,
  worker text,
  dispatched_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  error_code text,
  error_host text,
  error_status smallint,
  warnings text[],
  source_sha256 bytea,
  source_type text,
  source_bytes int,
  source_width int,
  source_height int,
  timings int[],
  history jsonb) -- the last 10 attempts, null after a first success
  with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
create unique index images_order on images (batch_id, position); -- pages, export, windows
create index images_ready on images (lane, turn, id) where state = 'queued' and run_at is null; -- the queue
create index images_waiting on images (run_at) where state = 'queued' and run_at is not null; -- backoff, parked
create index images_tickets on images (lane, dispatched_at) where state = 'dispatched'; -- window, lost tickets
create index images_running on images (worker) where state = 'running'; -- reaper
create index images_failed on images (batch_id, error_code, error_host) where state = 'failed'; -- groups, retry by code
create index images_same on images (batch_id, (md5(source_url)::uuid))
  where state = 'succeeded' and source_url is not null;
create index images_uploads on images (id) where source_url is null; -- lists of uploads
create index images_file on images (source_file) where source_file is not null;

create table renditions ( -- a name with a leading dot is internal (thumbnails); file null = expired
  image_id uuid not null references images on delete cascade,
  name text not null,
  file text references files,
  work_key uuid not null,
  width int not null,
  height int not null,
  details jsonb not null default '{}',
  primary key (image_id, name));
create index renditions_work on renditions (work_key) where file is not null; -- reuse
create index renditions_file on renditions (file) where file is not null;
`;

const news = `
create sequence event_numbers;
create table events (
  id bigint generated always as identity primary key,
  seq bigint unique, -- null until numbered
  batch_id uuid not null,
  owner text not null,
  generation smallint not null,
  type text not null,
  images uuid[],
  outcomes text,
  data jsonb,
  at timestamptz not null default now());
create index events_new on events (id) where seq is null;
create index events_age on events (at);
create unique index events_once on events (batch_id, generation) where type = 'batch.finished';

create table deliveries (
  id uuid primary key,
  batch_id uuid not null references batches on delete cascade,
  generation smallint not null,
  owner text not null,
  url text not null,
  host text not null,
  format text not null,
  body text, -- frozen at the first try
  state text not null default 'queued' check (state in ('queued','sending','delivered','dead')),
  attempts smallint not null default 0,
  run_at timestamptz not null default now(),
  worker text,
  log jsonb not null default '[]',
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (batch_id, generation));
create index deliveries_due on deliveries (run_at) where state = 'queued';
create index deliveries_sending on deliveries (worker) where state = 'sending';
`;

const rest = `
create table workers (
  id text primary key, -- one per process start
  machine text not null,
  pid int not null,
  version text not null,
  slots int not null,
  busy int not null default 0,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now());
create table hosts (
  host text primary key,
  blocked_until timestamptz,
  next_at timestamptz,
  rate real,
  failures int not null default 0);
create table receivers (
  owner text not null,
  url text not null,
  disabled_at timestamptz,
  failing_since timestamptz,
  primary key (owner, url));
create table api_keys (
  id text primary key,
  hash bytea not null,
  name text not null,
  scope text not null check (scope in ('read','write','admin')),
  owner text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz);
create table sessions ( -- dies with its key
  hash bytea primary key,
  key_id text not null references api_keys on delete cascade,
  csrf text not null,
  created_at timestamptz not null default now(),
  seen_at timestamptz not null default now());
create table sign_in_links (
  hash bytea primary key,
  key_id text not null references api_keys on delete cascade,
  expires_at timestamptz not null);
create table socket_tickets (
  hash bytea primary key,
  owner text not null,
  scope text not null check (scope in ('read','write','admin')),
  expires_at timestamptz not null);
create table idempotency_keys (
  owner text not null,
  method text not null,
  route text not null,
  key text not null,
  fingerprint bytea not null,
  batch_id uuid,
  status smallint not null,
  headers jsonb,
  body text,
  created_at timestamptz not null default now(),
  primary key (owner, method, route, key));
create index idempotency_keys_age on idempotency_keys (created_at);
create table settings (name text primary key, value jsonb not null); -- instance id, generated secrets
create table trash ( -- files that may have lost their last user; the sweep looks again
  file text primary key references files on delete cascade,
  at timestamptz not null default now());
`;

export const tables: Migration = {
  async up(db) {
    for (const part of [work, news, rest, triggers]) await sql.raw(part).execute(db);
  },
};
