// http-sessions.test.ts — signing in: by key, by one-time link; what a cookie may do, and what ends it.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSignInLink, findSession } from '../src/http/sessions.ts';
import { onEachDatabase } from './support/databases.ts';
import { openServed, type Served } from './support/served.ts';

const apiKey = `drk_abcdefgh_${'k'.repeat(43)}`;
const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});
const bearer = { authorization: `Bearer ${apiKey}` };

onEachDatabase((engine) => {
  let served: Served;
  beforeAll(async () => {
    served = await openServed(engine, { env: { DARKROOM_API_KEY: apiKey, DARKROOM_RATE_WRITES: '600' }, work: false });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const makeKey = async (scope: string) =>
    (await served.ask('/v1/admin/keys', json({ name: scope, scope }, bearer))).json as { id: string; key: string };
  const signIn = async (body: object) => {
    const reply = await served.ask('/v1/session', json(body));
    const setCookie = reply.headers.get('set-cookie') ?? '';
    return { reply, setCookie, cookie: setCookie.split(';')[0] ?? '', csrf: reply.json?.csrf_token as string };
  };
  const post = (headers: Record<string, string>) => served.ask('/v1/webhooks/test', json({}, headers));
  const own = () => ({ origin: served.url });
  const statusOf = async (cookie: string) => (await served.ask('/v1/batches', { headers: { cookie } })).status;

  test('GET /v1/session says that a key is needed, and what each caller may', async () => {
    const ask = async (headers: Record<string, string>) => (await served.ask('/v1/session', { headers })).json;
    const none = { auth_required: true, scopes: [], owner: null, csrf_token: null };
    expect(await ask({})).toEqual(none);
    expect(await ask({ authorization: 'Bearer drk_nonsense' })).toEqual(none);
    expect(await ask(bearer)).toMatchObject({ scopes: ['read', 'write', 'admin'], csrf_token: null });
    const { key } = await makeKey('read');
    expect(await ask({ authorization: `Bearer ${key}` })).toMatchObject({ scopes: ['read'] });
  });

  test('a key becomes a cookie that scripts and other sites cannot use', async () => {
    const { key } = await makeKey('write');
    const { reply, setCookie, cookie, csrf } = await signIn({ key });
    expect(reply).toMatchObject({ status: 200, json: { scopes: ['read', 'write'], auth_required: true } });
    expect(setCookie).toMatch(/^darkroom_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(await statusOf(cookie)).toBe(200);
    expect((await served.ask('/v1/session', { headers: { cookie } })).json.csrf_token).toBe(csrf);
    const { rows } = await sql<{ row: string }>`select sessions::text as row from sessions`.execute(
      served.app.db.query,
    );
    expect(rows.map(({ row }) => row).join()).not.toContain(cookie.slice('darkroom_session='.length));
  });

  test('a change by cookie needs our own origin and the token; one by key needs neither', async () => {
    const { cookie, csrf } = await signIn({ key: apiKey });
    expect((await post({ cookie, 'x-csrf-token': csrf, ...own() })).status).toBe(200);
    expect((await post({ cookie, 'x-csrf-token': csrf, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    const without: Record<string, string>[] = [
      { cookie },
      { cookie, ...own() },
      { cookie, 'x-csrf-token': csrf },
      { cookie, 'x-csrf-token': `${csrf.slice(0, -1)}_`, ...own() },
      { cookie, 'x-csrf-token': csrf, origin: 'https://evil.test' },
    ];
    for (const headers of without) expect((await post(headers)).status).toBe(403);
    expect((await post(bearer)).status).toBe(200);
    expect((await post({ cookie, ...bearer })).status).toBe(200);
  });

  test('signing out ends the session, and a forged sign-out does not', async () => {
    const { cookie, csrf } = await signIn({ key: apiKey });
    const out = (headers: Record<string, string>) => served.ask('/v1/session', { method: 'DELETE', headers });
    expect((await out({ cookie })).status).toBe(403);
    expect(await statusOf(cookie)).toBe(200);
    const done = await out({ cookie, 'x-csrf-token': csrf, ...own() });
    expect(done.status).toBe(204);
    expect(done.headers.get('set-cookie')).toContain('Max-Age=0');
    expect(await statusOf(cookie)).toBe(401);
    expect((await out({})).status).toBe(204);
  });

  test('a session dies with its key, when it rests, and when it is old', async () => {
    const { db } = served.app;
    const { id, key } = await makeKey('admin');
    const dying = await signIn({ key });
    expect(await statusOf(dying.cookie)).toBe(200);
    await served.ask(`/v1/admin/keys/${id}`, { method: 'DELETE', headers: bearer });
    expect(await statusOf(dying.cookie)).toBe(401);
    for (const [column, hours] of [
      ['seen_at', 3],
      ['created_at', 13],
    ] as const) {
      const { cookie } = await signIn({ key: apiKey });
      const found = () => findSession(served.app, cookie.slice('darkroom_session='.length));
      expect(await found()).toBeDefined();
      await sql`update sessions set ${sql.ref(column)} = now() - ${hours} * interval '1 hour'`.execute(db.query);
      expect(await found()).toBeUndefined();
    }
  });

  test('sessions of DARKROOM_API_KEY end when another key is configured, and its row admits nobody', async () => {
    const { cookie } = await signIn({ key: apiKey });
    const token = cookie.slice('darkroom_session='.length);
    const { db } = served.app;
    expect(await findSession({ db, config: { apiKey } }, token)).toMatchObject({ scope: 'admin' });
    for (const other of ['', `drk_abcdefgh_${'z'.repeat(43)}`])
      expect(await findSession({ db, config: { apiKey: other } }, token)).toBeUndefined();
    expect((await served.ask('/v1/admin/keys', { headers: bearer })).text).not.toContain('DARKROOM_API_KEY');
  });

  test('a one-time link signs in once, and only in time', async () => {
    const token = await createSignInLink(served.app);
    expect((await signIn({ token })).reply).toMatchObject({
      status: 200,
      json: { scopes: ['read', 'write', 'admin'] },
    });
    expect((await signIn({ token })).reply.status).toBe(401);
    const late = await createSignInLink(served.app);
    await sql`update sign_in_links set expires_at = now() - interval '1 s'`.execute(served.app.db.query);
    expect((await signIn({ token: late })).reply.status).toBe(401);
  });

  test('what is no sign-in is told, and guessing is stopped for a while', async () => {
    for (const body of [{}, { key: 'x', token: 'y' }, { pin: 1 }]) expect((await signIn(body)).reply.status).toBe(422);
    const statuses: number[] = [];
    for (let guess = 0; guess < 14; guess++) statuses.push((await signIn({ key: `drk_guess${guess}` })).reply.status);
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    const stopped = await signIn({ key: apiKey });
    expect(stopped.reply).toMatchObject({ status: 429, json: { code: 'rate_limited' } });
    expect(Number(stopped.reply.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
