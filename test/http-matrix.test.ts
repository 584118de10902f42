// http-matrix.test.ts — every route there is, asked by everybody there could be: who gets 401, 403, 404, and who an answer.
//
// Made from the table of routes, so that a new route is in it by being there. A row of somebody else must be answered like
// one that does not exist, to the byte.

import { sql } from 'kysely';
import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import type { Http, RouteRow } from '../src/http/http.ts';
import { createKey, revokeKey, type KeyScope } from '../src/http/keys.ts';
import { buildServer } from '../src/http/server.ts';
import { patience } from '../src/http/watchdog.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { onEachDatabase } from './support/databases.ts';
import { compress } from './support/house.ts';
import { askPatiently } from './support/patiently.ts';
import { openServed, type Served } from './support/served.ts';

type Rows = { batch: string; image: string; delivery: string; key: string };
type Who = 'none' | 'bad' | 'revoked' | 'read' | 'write' | 'admin' | 'other';

/** What the parameter of a path means. A route with another one must say so here. */
function kindOf(path: string): keyof Rows | 'public name' | undefined {
  if (!/[:*]/.test(path)) return undefined;
  if (/:request_id|^\/v1\/batches\/:id|^\/batches\/:id/.test(path)) return 'batch';
  if (/:jobId|:task_id|^\/v1\/images\/:id|^\/images\/:id|^\/app\/processed_images\/:name/.test(path)) return 'image';
  if (path.startsWith('/v1/deliveries/:id')) return 'delivery';
  if (path === '/v1/admin/keys/:id') return 'key';
  if (/^\/(docs|help|assets|static)\/|^\/(v1\/files|media\/images|processed_images)\/:name/.test(path))
    return 'public name';
  throw new Error(`${path}: say in http-matrix.test.ts what its parameter means`);
}

const pathWith = (path: string, id: string): string => path.replace(/:\w+|\*/, id);
const needs = { public: 0, read: 1, write: 2, admin: 3 };
const has: Record<Who, number> = { none: 0, bad: 0, revoked: 0, read: 1, write: 2, other: 2, admin: 3 };
const isRefusal = (status: number): boolean => status === 401 || status === 403;
const everybody = Object.keys(has) as Who[];
/** Where what belongs to the caller may not be there either: the picture itself. */
const mayBeGone = /\/(source|thumbnail)$|^\/app\/processed_images/;

onEachDatabase((engine) => {
  let served: Served;
  let http: Http;
  let asked = 0;
  const keys: Partial<Record<Who, string>> = { bad: `drk_nobody12_${'x'.repeat(43)}` };
  beforeAll(async () => {
    const env = { DARKROOM_RATE_READS: '1000000', DARKROOM_RATE_WRITES: '1000000' };
    served = await openServed(engine, { work: false, env });
    const make = async (scope: KeyScope, owner: string) =>
      (await createKey(served.app, { name: 'matrix', scope, owner })).secret;
    keys.read = await make('read', 'ada');
    keys.write = await make('write', 'ada');
    keys.admin = await make('admin', 'ops');
    keys.other = await make('write', 'bob');
    keys.revoked = await make('admin', 'ada');
    await revokeKey(served.app, keys.revoked.slice(4, 12));
    http = await buildServer(served.app, routeSets, { ...patience, lingerMs: 3_600_000 });
  });
  afterAll(async () => {
    await http.close();
    await served[Symbol.asyncDispose]();
  });

  /** A batch of ada's that has ended, with a failed image and a delivery that was given up; and a key. */
  async function adasRows(): Promise<Rows> {
    const { db } = served.app;
    const [batch, image, delivery] = [newId(), newId(), newId()];
    await sql`
      insert into batches (id, surface, owner, state, lane, renditions, total, failed, finished_at)
      values (${batch}, 'native', 'ada', 'failed', 0, ${JSON.stringify([compress])}, 1, 1, now())`.execute(db.query);
    await sql`
      insert into images (id, batch_id, position, source_url, state, lane, turn, error_code, finished_at)
      values (${image}, ${batch}, 1, 'https://pictures.example/1.jpg', 'failed', 0, 1, 'not_found', now())`.execute(
      db.query,
    );
    await sql`
      insert into deliveries (id, batch_id, generation, owner, url, host, format, state, finished_at)
      values (${delivery}, ${batch}, 1, 'ada', 'https://hook.example/', 'hook.example', 'json', 'dead', now())`.execute(
      db.query,
    );
    const { key } = await createKey(served.app, { name: 'to be revoked', scope: 'read' });
    return { batch, image, delivery, key: key.id };
  }

  function ask(who: Who, { method }: RouteRow, url: string): Promise<LightMyRequestResponse> {
    const key = keys[who];
    // Each from an address of its own: who has no key may not ask often.
    const remoteAddress = `10.${(asked += 1) >> 16}.${(asked >> 8) & 255}.${asked & 255}`;
    const headers = {
      accept: 'application/json',
      'x-request-id': 'matrix',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    };
    return askPatiently(http, { method, url, headers, remoteAddress });
  }

  /** Everything of an answer but what names the time, the share that is left, and the id that was asked for. */
  function toldOf({ statusCode, headers, body }: LightMyRequestResponse, id: string) {
    const { date: _date, ratelimit: _left, ...lasting } = headers;
    return [statusCode, lasting, body.replaceAll(id, '<id>')];
  }

  /** What is wrong with the answer that `who` gets; undefined when it is as safe as it should be. */
  async function faultOf(who: Who, row: RouteRow): Promise<string | undefined> {
    const kind = kindOf(row.path);
    const mayChange = has[who] >= needs[row.scope] && row.method !== 'GET';
    const rows = mayChange ? await adasRows() : await shared();
    const id = kind === undefined || kind === 'public name' ? 'x.jpg' : rows[kind];
    const reply = await ask(who, row, pathWith(row.path, id));
    const { statusCode: status } = reply;
    const fault = `${row.method} ${row.path} by ${who}: ${status}`;
    if (row.scope === 'public') return isRefusal(status) ? fault : undefined;
    if (has[who] === 0) return status === 401 && reply.headers['www-authenticate'] === 'Bearer' ? undefined : fault;
    if (has[who] < needs[row.scope]) return status === 403 ? undefined : fault;
    if (who !== 'other' || kind === undefined) {
      const isThere = status !== 404 || mayBeGone.test(row.path);
      return isThere && !isRefusal(status) && status < 500 ? undefined : fault;
    }
    const missing = kind === 'key' ? 'missing1' : newId();
    const nothing = await ask(who, row, pathWith(row.path, missing));
    const same = JSON.stringify(toldOf(reply, id)) === JSON.stringify(toldOf(nothing, missing));
    return status === 404 && same ? undefined : `${fault}, unlike what is missing`;
  }

  test('every route answers everybody as its scope says', async () => {
    const faults: (string | undefined)[] = [];
    for (const row of http.routeTable) for (const who of everybody) faults.push(await faultOf(who, row));
    expect(faults.length).toBeGreaterThan(300);
    expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
  });

  let common: Promise<Rows> | undefined;
  /** Rows that nobody changes: those who may only look get the same. */
  const shared = () => (common ??= adasRows());

  test('no list shows what belongs to somebody else', async () => {
    const { batch, image, delivery } = await adasRows();
    const lists = http.routeTable.filter(
      ({ method, path, scope }) => method === 'GET' && scope === 'read' && !kindOf(path),
    );
    const shownTo = async (who: Who) => {
      const bodies = await Promise.all(lists.map(async (row) => (await ask(who, row, row.path)).body));
      return [batch, image, delivery].filter((id) => bodies.join().includes(id));
    };
    expect(await shownTo('write')).toEqual([batch, image, delivery]);
    expect(await shownTo('admin')).toEqual([batch, image, delivery]);
    expect(await shownTo('other')).toEqual([]);
  });
});
