// admin-schemas.ts — what the routes of deliveries, webhooks, sessions, keys and operators take and answer.

import Type, { type TSchema } from 'typebox';

const closed = { additionalProperties: false };
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Items of a page; 50.' }));
const cursor = Type.Optional(Type.String({ maxLength: 1000 }));
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const moment = Type.String({ description: 'RFC 3339, UTC' });

export const id = Type.Object({ id: Type.String({ description: 'UUID' }) });
export const noQuery = Type.Object({}, closed);

/** A page of a list. */
export const pageOf = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item), next_cursor: orNull(Type.String()) });

export const deliveriesQuery = Type.Object(
  {
    limit,
    cursor,
    state: Type.Optional(Type.Enum(['queued', 'sending', 'delivered', 'dead'])),
    batch_id: Type.Optional(Type.String({ maxLength: 100 })),
  },
  closed,
);

const attempt = Type.Object({
  at: moment,
  status: orNull(Type.Integer()),
  ms: Type.Number(),
  excerpt: Type.String({ description: 'First 1 kB of the answer.' }),
  error: orNull(Type.String({ description: 'Our code, when there was no answer.' })),
});

export const delivery = Type.Object({
  id: Type.String(),
  webhook_id: Type.String({ description: 'The webhook-id header, equal over all tries.' }),
  batch_id: Type.String(),
  generation: Type.Integer(),
  event_type: Type.String(),
  url: Type.String(),
  state: Type.Enum(['queued', 'sending', 'delivered', 'dead']),
  attempts: Type.Array(attempt),
  next_attempt_at: orNull(moment),
  receiver_disabled_at: orNull(moment),
  created_at: moment,
  finished_at: orNull(moment),
});

export const testBody = Type.Object(
  { url: Type.Optional(Type.String({ maxLength: 2048 })) },
  { ...closed, examples: [{ url: 'https://shop.example.com/hook' }] },
);
export const testAnswer = Type.Object({
  status: orNull(Type.Integer()),
  ms: Type.Number(),
  excerpt: Type.String(),
  error: orNull(Type.String()),
});

const queue = Type.Object({
  name: Type.Enum(['images', 'deliveries']),
  waiting: Type.Integer(),
  running: Type.Integer(),
  failed: Type.Integer(),
  oldest_seconds: orNull(Type.Integer()),
  rate: Type.Number({ description: 'Ends per second.' }),
});

const worker = Type.Object({
  id: Type.String(),
  machine: Type.String(),
  pid: Type.Integer(),
  version: Type.String(),
  slots: Type.Integer(),
  busy: Type.Integer(),
  started_at: moment,
  seen_at: moment,
  silent: Type.Boolean(),
});

const host = Type.Object({
  host: Type.String(),
  state: Type.Enum(['blocked', 'slow', 'ok']),
  connections: orNull(Type.Integer()),
  parked: Type.Integer(),
  retry_at: orNull(moment),
});

const receiver = Type.Object({
  owner: Type.String(),
  url: Type.String(),
  failing_since: orNull(moment),
  disabled_at: orNull(moment),
});

export const overview = Type.Object({
  queues: Type.Array(queue),
  workers: Type.Array(worker),
  hosts: Type.Array(host),
  deliveries: Type.Object({ receivers: Type.Array(receiver) }),
  storage: Type.Object({
    name: Type.String(),
    ok: Type.Boolean(),
    detail: orNull(Type.String()),
    free_bytes: orNull(Type.Number()),
    total_bytes: orNull(Type.Number()),
    used_bytes: Type.Number(),
  }),
  warnings: Type.Array(Type.String()),
});

const words = Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { minItems: 1, maxItems: 1000 });
const since = Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339' }));

export const failuresQuery = Type.Object({ since }, closed);
export const failures = Type.Object({
  items: Type.Array(
    Type.Object({
      code: Type.String(),
      host: orNull(Type.String()),
      count: Type.Integer(),
      batches: Type.Integer(),
      retryable: Type.Boolean(),
      message: Type.String(),
      remedy: orNull(Type.String()),
      example_image_ids: Type.Array(Type.String()),
    }),
  ),
});
export const retryAllBody = Type.Object({ codes: Type.Optional(words), hosts: Type.Optional(words), since }, closed);
export const retriedAll = Type.Object({ retried: Type.Integer(), batches: Type.Integer() });
export const swept = Type.Object({ files: Type.Integer(), bytes: Type.Number() });

export const pageQuery = Type.Object({ limit, cursor }, closed);
export const nothing = Type.Null({ description: 'It is done.' });

const scope = Type.Enum(['read', 'write', 'admin']);
const keyFacts = {
  id: Type.String(),
  name: Type.String(),
  prefix: Type.String({ description: 'What the key begins with.' }),
  scope,
  owner: Type.String({ description: 'Whose rows it sees; an admin key sees all.' }),
  created_at: moment,
  expires_at: orNull(moment),
  last_used_at: orNull(moment),
  revoked_at: orNull(moment),
};
export const keyId = Type.Object({ id: Type.String({ description: 'The 8 characters behind drk_' }) });
export const key = Type.Object(keyFacts);
export const newKey = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    scope,
    owner: Type.Optional(Type.String({ maxLength: 64, description: 'Absent: the key is its own owner.' })),
    expires_at: Type.Optional(orNull(Type.String({ maxLength: 40, description: 'RFC 3339' }))),
  },
  { ...closed, examples: [{ name: 'shop', scope: 'write' }] },
);
export const madeKey = Type.Object({ ...keyFacts, key: Type.String(), webhook_secret: Type.String() });

export const ownerQuery = Type.Object(
  { owner: Type.Optional(Type.String({ maxLength: 64, description: 'Absent: the owner of this key.' })) },
  closed,
);
export const secrets = Type.Object({
  owner: Type.String(),
  secrets: Type.Array(Type.String({ description: 'whsec_…, the newest first; each of them signs.' })),
  previous_until: orNull(moment),
});

export const signIn = Type.Object(
  { key: Type.Optional(Type.String({ maxLength: 200 })), token: Type.Optional(Type.String({ maxLength: 200 })) },
  { ...closed, examples: [{ key: 'drk_…' }] },
);
export const session = Type.Object({
  auth_required: Type.Boolean(),
  scopes: Type.Array(scope),
  owner: orNull(Type.String()),
  csrf_token: orNull(Type.String({ description: 'For X-CSRF-Token, when signed in by a cookie.' })),
});
