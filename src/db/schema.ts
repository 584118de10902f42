// schema.ts — the tables as TypeScript sees them; migrations/ is what makes them so.
//
// Columns carry their SQL names, so that a statement reads the same in Kysely and in psql. JSON columns are written as
// text (`JSON.stringify`): the driver would turn a JavaScript array into a PostgreSQL array, which jsonb refuses.

import type { ColumnType, Generated } from 'kysely';

export type Lane = 0 | 1 | 2;
export type FileKind = 'source' | 'result' | 'catalog';
export type BatchState =
  | 'expanding'
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'partially_succeeded'
  | 'failed'
  | 'canceled';
export type ImageState = 'queued' | 'dispatched' | 'running' | 'succeeded' | 'failed' | 'canceled';
export type DeliveryState = 'queued' | 'sending' | 'delivered' | 'dead';
export type Chore = 'expand' | 'retry' | 'cancel' | 'delete';

/** Read as the value, written as JSON text. Narrow it with a type only where the writer is known. */
export type Json<T = unknown> = ColumnType<T, string, string>;
export type JsonOrNull<T = unknown> = ColumnType<T | null, string | null | undefined, string | null>;
type Moment = ColumnType<Date, Date | string | undefined, Date | string>;
type MomentOrNull = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

export type FilesTable = {
  name: string;
  kind: FileKind;
  media_type: string;
  bytes: number;
  sha256: Buffer;
  created_at: Moment;
  gone_at: MomentOrNull;
  owner: Generated<string>;
  label: string | null;
};

export type BatchesTable = {
  id: string;
  name: string | null;
  surface: string;
  owner: Generated<string>;
  hop: Generated<number>;
  state: BatchState;
  lane: Lane;
  turn: Generated<number>;
  generation: Generated<number>;
  renditions: Json;
  catalog: string | null;
  dialect: JsonOrNull;
  problems: JsonOrNull;
  problem_count: Generated<number>;
  webhook_url: string | null;
  webhook_format: Generated<string>;
  total: number;
  succeeded: Generated<number>;
  failed: Generated<number>;
  canceled: Generated<number>;
  bytes_in: Generated<number>;
  bytes_out: Generated<number>;
  chore: Chore | null;
  chore_row: Generated<number>;
  chore_filter: JsonOrNull;
  worker: string | null;
  claims: Generated<number>;
  error_code: string | null;
  created_at: Moment;
  started_at: MomentOrNull;
  canceled_at: MomentOrNull;
  finished_at: MomentOrNull;
  expires_at: MomentOrNull;
};

export type ProductsTable = {
  batch_id: string;
  line: number;
  serial: string | null;
  name: string | null;
  cells: JsonOrNull;
  problem: string | null;
};

export type ImagesTable = {
  id: string;
  batch_id: string;
  position: number;
  line: number | null;
  ref: string | null;
  name: string | null;
  source_url: string | null;
  source_file: string | null;
  /** Null: those of the batch. */
  renditions: JsonOrNull;
  state: Generated<ImageState>;
  lane: Lane;
  turn: number;
  /** Null: due now. */
  run_at: MomentOrNull;
  /** The fence: it only rises. */
  attempts: Generated<number>;
  /** The budget. */
  attempts_left: Generated<number>;
  strikes: Generated<number>;
  parks: Generated<number>;
  worker: string | null;
  dispatched_at: MomentOrNull;
  started_at: MomentOrNull;
  finished_at: MomentOrNull;
  error_code: string | null;
  error_host: string | null;
  error_status: number | null;
  warnings: string[] | null;
  source_sha256: Buffer | null;
  source_type: string | null;
  source_bytes: number | null;
  source_width: number | null;
  source_height: number | null;
  timings: number[] | null;
  history: JsonOrNull;
};

export type RenditionsTable = {
  image_id: string;
  name: string;
  /** Null: expired. */
  file: string | null;
  work_key: string;
  width: number;
  height: number;
  details: ColumnType<unknown, string | undefined, string>;
};

export type EventsTable = {
  id: ColumnType<number, never, never>;
  /** Null until numbered. */
  seq: number | null;
  batch_id: string;
  owner: string;
  generation: number;
  type: string;
  images: string[] | null;
  outcomes: string | null;
  data: JsonOrNull;
  at: Moment;
};

export type DeliveriesTable = {
  id: string;
  batch_id: string;
  generation: number;
  owner: string;
  url: string;
  host: string;
  format: string;
  body: string | null;
  state: Generated<DeliveryState>;
  attempts: Generated<number>;
  run_at: Moment;
  worker: string | null;
  log: ColumnType<unknown, string | undefined, string>;
  created_at: Moment;
  finished_at: MomentOrNull;
};

export type WorkersTable = {
  id: string;
  machine: string;
  pid: number;
  version: string;
  slots: number;
  busy: Generated<number>;
  started_at: Moment;
  seen_at: Moment;
};

export type HostsTable = {
  host: string;
  blocked_until: MomentOrNull;
  next_at: MomentOrNull;
  rate: number | null;
  slowed_until: MomentOrNull;
  failures: Generated<number>;
};

export type ReceiversTable = {
  owner: string;
  url: string;
  disabled_at: MomentOrNull;
  failing_since: MomentOrNull;
};

export type ApiKeysTable = {
  id: string;
  hash: Buffer;
  name: string;
  scope: 'read' | 'write' | 'admin';
  owner: string;
  created_at: Moment;
  expires_at: MomentOrNull;
  last_used_at: MomentOrNull;
  revoked_at: MomentOrNull;
};

export type SessionsTable = {
  hash: Buffer;
  key_id: string;
  csrf: string;
  created_at: Moment;
  seen_at: Moment;
};

export type SignInLinksTable = {
  hash: Buffer;
  key_id: string;
  expires_at: ColumnType<Date, Date | string, Date | string>;
};

export type SocketTicketsTable = {
  hash: Buffer;
  key_id: string | null;
  owner: string;
  scope: 'read' | 'write' | 'admin';
  expires_at: ColumnType<Date, Date | string, Date | string>;
};

export type IdempotencyKeysTable = {
  owner: string;
  method: string;
  route: string;
  key: string;
  fingerprint: Buffer;
  batch_id: string | null;
  status: number;
  headers: JsonOrNull;
  body: string | null;
  created_at: Moment;
};

export type SettingsTable = { name: string; value: Json };
export type TrashTable = { file: string; at: Moment };

export type Schema = {
  files: FilesTable;
  batches: BatchesTable;
  products: ProductsTable;
  images: ImagesTable;
  renditions: RenditionsTable;
  events: EventsTable;
  deliveries: DeliveriesTable;
  workers: WorkersTable;
  hosts: HostsTable;
  receivers: ReceiversTable;
  api_keys: ApiKeysTable;
  sessions: SessionsTable;
  sign_in_links: SignInLinksTable;
  socket_tickets: SocketTicketsTable;
  idempotency_keys: IdempotencyKeysTable;
  settings: SettingsTable;
  trash: TrashTable;
};
