// Signatures against the vectors of Standard Webhooks, the secret that makes them, and the schedule of tries.

import { existsSync, readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { problem } from '../src/problem.ts';
import { deliverySchedule, judge } from '../src/notify/schedule.ts';
import { ownerSecrets, rotateSecret, signatureHeaders, webhookSecret } from '../src/notify/signing.ts';
import { onEachDatabase, openTestDatabase } from './support/databases.ts';

type Vector = {
  name: string;
  expect: 'accept' | 'reject' | 'equal';
  headers?: Record<string, string>;
  secret?: string;
  id?: string;
  timestamp?: number;
  payload?: string;
  signature?: string;
};

const file = new URL('../../shared/corpora/webhooks/standard-webhooks-vectors/vectors.json', import.meta.url);
const here = existsSync(file);
if (!here) console.warn(`Skipped: the vectors of Standard Webhooks are not at ${file.pathname}.`);
const vectors = here ? (JSON.parse(readFileSync(file, 'utf8')) as Vector[]) : [];
const known = vectors.find((each) => each.expect === 'equal');
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const payload = '{"test": 2432232314}';

function tried(verify: () => string): string {
  try {
    return verify();
  } catch {
    return 'reject';
  }
}

describe.skipIf(!here)('vectors of Standard Webhooks', () => {
  test('the fixed vector is signed to the letter', () => {
    const { id = '', timestamp = 0, payload: body = '' } = known ?? {};
    const message = { id, at: new Date(timestamp * 1000), body: Buffer.from(body) };
    expect(signatureHeaders([known?.secret ?? ''], message)).toEqual({
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': known?.signature,
    });
  });

  test.each(vectors.filter(({ headers }) => headers))(
    'a receiver will $expect: $name',
    ({ headers = {}, ...vector }) => {
      const id = headers['webhook-id'] ?? '';
      const offset = Number(/^now([+-]\d+)$/.exec(headers['webhook-timestamp'] ?? '')?.[1] ?? 0);
      const at = new Date(Date.now() + offset * 1000);
      const ours = signatureHeaders([secret], { id, at, body: Buffer.from(payload) });
      // The words of the vectors stand for what we send: our time, our signature.
      const sent: Record<string, string> = { ...headers };
      if ('webhook-timestamp' in sent) sent['webhook-timestamp'] = ours['webhook-timestamp'];
      const [, valid = ''] = ours['webhook-signature'].split(',');
      if (sent['webhook-signature'] === 'valid') sent['webhook-signature'] = ours['webhook-signature'];
      if (sent['webhook-signature'] === 'v2:valid') sent['webhook-signature'] = `v2,${valid}`;
      const verify = () => (new Webhook(secret).verify(payload, sent) ? 'accept' : 'nothing');
      expect(tried(verify)).toBe(vector.expect);
    },
  );
});

onEachDatabase((engine) => {
  test('a secret is made once, of 32 random bytes, and every process gets the same', async () => {
    await using db = await openTestDatabase(engine);
    const all = await Promise.all(Array.from({ length: 8 }, () => webhookSecret(db, { webhookSecret: '' })));
    expect(new Set(all).size).toBe(1);
    const [, base64 = ''] = /^whsec_(.+)$/.exec(all[0] ?? '') ?? [];
    expect(Buffer.from(base64, 'base64')).toHaveLength(32);
    expect(await webhookSecret(db, { webhookSecret: '' })).toBe(all[0]);
  });

  test('a configured secret wins and is not kept', async () => {
    await using db = await openTestDatabase(engine);
    expect(await webhookSecret(db, { webhookSecret: secret })).toBe(secret);
    expect(await db.query.selectFrom('settings').selectAll().execute()).toEqual([]);
  });

  test('every owner has a secret of his own, and the house the configured one', async () => {
    await using db = await openTestDatabase(engine);
    const app = { db, config: readConfig({ DARKROOM_WEBHOOK_SECRET: secret }).config };
    const [house, ada, bob] = await Promise.all(['', 'ada', 'bob'].map((owner) => ownerSecrets(app, owner)));
    expect(house).toEqual({ secrets: [secret], previousUntil: null });
    expect(new Set([...house!.secrets, ...ada!.secrets, ...bob!.secrets]).size).toBe(3);
    expect(await ownerSecrets(app, 'ada')).toEqual(ada);
  });

  test('after a rotation both secrets sign for a day, and never three', async () => {
    await using db = await openTestDatabase(engine);
    const app = { db, config: readConfig({ DARKROOM_WEBHOOK_SECRET: secret }).config };
    const first = (await ownerSecrets(app, 'ada')).secrets[0] ?? '';
    const { secrets } = await rotateSecret(app, 'ada');
    expect(secrets).toHaveLength(2);
    expect(secrets[1]).toBe(first);
    const sent = signatureHeaders(secrets, { id: 'msg_1', at: new Date(), body: Buffer.from(payload) });
    for (const each of secrets) expect(new Webhook(each).verify(payload, sent)).toBeTruthy();
    const again = await rotateSecret(app, 'ada');
    expect(again.secrets[1]).toBe(secrets[0]);
    expect(again.secrets).not.toContain(first);
    await sql`update settings set value = jsonb_set(value, '{rotated_at}', to_jsonb(now() - interval '25 hours'))
      where name like 'webhook_rotation%'`.execute(db.query);
    expect(await ownerSecrets(app, 'ada')).toEqual({ secrets: [again.secrets[0]], previousUntil: null });
  });
});

describe('schedule', () => {
  const failed = { status: 500, ms: 1, excerpt: '' };

  test('eight tries: 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h', () => {
    expect(deliverySchedule.map((ms) => ms / 1000)).toEqual([0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000]);
    const verdicts = [1, 2, 3, 4, 5, 6, 7, 8].map((attempts) => judge(failed, attempts, deliverySchedule, 0));
    expect(verdicts.map((each) => (each.state === 'queued' ? each.waitMs / 1000 : each.state))).toEqual([
      5,
      300,
      1800,
      7200,
      18_000,
      36_000,
      36_000,
      'dead',
    ]);
  });

  test('the jitter adds up to a tenth', () => {
    expect(judge(failed, 1, deliverySchedule, 0.5)).toEqual({ state: 'queued', waitMs: 5250 });
    expect(judge(failed, 1, deliverySchedule, 1)).toEqual({ state: 'queued', waitMs: 5500 });
  });

  test('Retry-After is capped at an hour and never shortens the schedule', () => {
    const asked = (retryAfterMs: number) => judge({ ...failed, retryAfterMs }, 2, deliverySchedule, 0);
    expect(asked(900_000)).toMatchObject({ waitMs: 900_000 });
    expect(asked(86_400_000)).toMatchObject({ waitMs: 3_600_000 });
    expect(asked(1000)).toMatchObject({ waitMs: 300_000 });
  });

  test.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [301, 'queued'],
    [304, 'queued'],
    [400, 'queued'],
    [404, 'queued'],
    [410, 'dead'],
    [500, 'queued'],
  ])('an answer of %i means %s', (status, state) => {
    expect(judge({ ...failed, status }, 1, deliverySchedule, 0)).toMatchObject({ state });
  });

  test('no answer at all is tried again', () => {
    const answer = { problem: problem('timeout'), ms: 15_000 };
    expect(judge(answer, 1, deliverySchedule, 0)).toEqual({ state: 'queued', waitMs: 5000 });
  });
});
