// keys.ts — /v1/admin/keys and /v1/admin/webhook_secret: who may use the house, and how its webhooks are signed.
//
// A key is shown once, with its first webhook secret. The first key of all closes the house to everybody without one, so it
// must be able to make others.

import type { App } from '../../app.ts';
import { callerOf, type Ask, type Http } from '../../http/http.ts';
import { sendOutcome } from '../../http/idempotency.ts';
import { createKey, listKeys, ownerForm, prefixOf, revokeKey, type KeyFacts, type NewKey } from '../../http/keys.ts';
import { ownerSecrets, rotateSecret, type OwnerSecrets } from '../../notify/signing.ts';
import { problem, problemSaying } from '../../problem.ts';
import * as forms from './admin-schemas.ts';
import { keyOfCursor, page } from './cursor.ts';
import { onceAfterwards } from './once.ts';

const tags = ['native'];
const isKeyId = (key: unknown): key is string => typeof key === 'string' && /^[A-Za-z0-9]{8}$/.test(key);

export function addKeys(http: Http, app: App): void {
  addList(http, app);
  addCreate(http, app);
  http.delete(
    '/v1/admin/keys/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'revokeKey',
        summary: 'Revoke a key; everywhere within five seconds',
        params: forms.keyId,
        querystring: forms.noQuery,
        response: { 204: forms.nothing },
      },
    },
    async (request, reply) => {
      if (!(await revokeKey(app, request.params.id))) throw problem('not_found');
      await http.identity.changed();
      return reply.code(204).send(null);
    },
  );
  addSecrets(http, app);
}

function addList(http: Http, app: App): void {
  http.get(
    '/v1/admin/keys',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'listKeys',
        summary: 'Keys, newest first',
        querystring: forms.pageQuery,
        response: { 200: forms.pageOf(forms.key) },
      },
    },
    async (request, reply) => {
      const { limit = 50 } = request.query;
      const rows = await listKeys(app, { before: keyOfCursor(request, isKeyId), limit: limit + 1 });
      return page(request, reply, rows, { limit, key: ({ id }) => id, view: keyView, ...app.config });
    },
  );
}

function addCreate(http: Http, app: App): void {
  http.post(
    '/v1/admin/keys',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'createKey',
        summary: 'Make a key; its secret is shown only now',
        querystring: forms.noQuery,
        body: forms.newKey,
        response: { 201: forms.madeKey },
      },
    },
    async (request, reply) => {
      const { name, scope, owner, expires_at } = request.body;
      if (!http.identity.keyed() && scope !== 'admin') throw refused('scope', 'The first key must have scope admin.');
      if (owner !== undefined && !ownerForm.test(owner))
        throw refused('owner', 'An owner is 1 to 64 of the characters A-Z a-z 0-9 . _ @ and -.');
      const expiresAt = expires_at == null ? undefined : moment(expires_at);
      const outcome = await onceAfterwards(app, request, request.body, () =>
        made(http, app, { name, scope, owner, expiresAt }),
      );
      if (outcome.replayed) throw problem('shown_once', { prefix: (outcome.body as { prefix: string }).prefix });
      return sendOutcome(reply, outcome);
    },
  );
}

/** Kept of the answer is which key it was: a secret is never written down. */
async function made(http: Http, app: App, given: NewKey) {
  const { key, secret } = await createKey(app, given);
  await http.identity.changed();
  const [webhookSecret = ''] = (await ownerSecrets(app, key.owner)).secrets;
  const answer = { status: 201, headers: { location: `/v1/admin/keys/${key.id}` } };
  const view = keyView(key);
  return {
    answer: { ...answer, body: { ...view, key: secret, webhook_secret: webhookSecret } },
    kept: { ...answer, body: { prefix: view.prefix } },
    batchId: null,
  };
}

function addSecrets(http: Http, app: App): void {
  const shared = { tags, querystring: forms.ownerQuery, response: { 200: forms.secrets } };
  const ownerOf = (request: Ask): string => {
    const { owner } = request.query as { owner?: string };
    if (owner !== undefined && !ownerForm.test(owner)) throw problem('not_found');
    return owner ?? callerOf(request).owner;
  };
  http.get(
    '/v1/admin/webhook_secret',
    {
      config: { scope: 'admin' },
      schema: { ...shared, operationId: 'getWebhookSecret', summary: 'What signs the webhooks of an owner' },
    },
    async (request) => secretsView(ownerOf(request), await ownerSecrets(app, ownerOf(request))),
  );
  http.post(
    '/v1/admin/webhook_secret',
    {
      config: { scope: 'admin' },
      schema: { ...shared, operationId: 'rotateWebhookSecret', summary: 'A new secret; the old one signs a day more' },
    },
    async (request, reply) => {
      const owner = ownerOf(request);
      const outcome = await onceAfterwards(app, request, { owner }, async () => {
        await rotateSecret(app, owner);
        return { answer: { status: 200, headers: {}, body: null }, batchId: null };
      });
      // Rendered anew each time: what is kept of it holds no secret.
      return sendOutcome(reply, { ...outcome, body: secretsView(owner, await ownerSecrets(app, owner)) });
    },
  );
}

function keyView({ id, name, scope, owner, ...times }: KeyFacts) {
  return {
    id,
    name,
    prefix: prefixOf(id),
    scope,
    owner,
    created_at: times.createdAt.toISOString(),
    expires_at: timeOf(times.expiresAt),
    last_used_at: timeOf(times.lastUsedAt),
    revoked_at: timeOf(times.revokedAt),
  };
}

const secretsView = (owner: string, { secrets, previousUntil }: OwnerSecrets) => ({
  owner,
  secrets,
  previous_until: timeOf(previousUntil),
});

function moment(text: string): Date {
  const date = new Date(text);
  const years = date.getUTCFullYear();
  if (/^\d{4}-\d\d-\d\d/.test(text) && years >= 2000 && years < 10_000) return date;
  throw refused('expires_at', 'Input should be a time such as 2027-01-31T12:00:00Z');
}

function refused(field: string, message: string) {
  const fault = { type: 'value_error', loc: ['body', field], message };
  return problemSaying('invalid_request', message, { faults: [fault] });
}

const timeOf = (date: Date | null): string | null => date?.toISOString() ?? null;
