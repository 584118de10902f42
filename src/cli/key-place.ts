// key-place.ts — where `darkroom key` finds the keys: in the database of the settings, or at a server that runs.
//
// The embedded database belongs to one process. While a server has it open, that server must be asked.

import type { Config } from '../config.ts';
import { DatabaseRefusal } from '../db/database.ts';
import { openDatabase } from '../db/open.ts';
import { createKey, listKeys, revokeKey, type KeyFacts, type NewKey } from '../http/keys.ts';
import { ownerSecrets } from '../notify/signing.ts';
import type { KeyFlags } from './key.ts';
import { openLog } from './log.ts';
import { found, openRemote } from './remote.ts';
import type { Session } from './session.ts';
import { readSettings } from './settings.ts';

export type MadeKey = { key: KeyFacts; secret: string; webhookSecret: string };
export type KeyPlace = {
  create(given: NewKey): Promise<MadeKey>;
  /** Newest first. */
  list(): AsyncIterable<KeyFacts>;
  /** False when there is no such key. */
  revoke(id: string): Promise<boolean>;
  close(): Promise<void>;
};

const pageRows = 200;

export async function openKeyPlace(session: Session, flags: KeyFlags): Promise<KeyPlace> {
  const { config } = readSettings(session);
  if (flags.url !== undefined) return openServer(flags.url, flags.key ?? config.apiKey);
  return openTables(config, session);
}

async function openTables(config: Config, session: Session): Promise<KeyPlace> {
  const { databaseUrl: url, dataDir } = config;
  const log = openLog(config, session.err);
  const db = await openDatabase({ url, dataDir, pool: 1, log, migrations: 'run' }).catch((error: unknown) => {
    if (!(error instanceof DatabaseRefusal) || url !== '') throw error;
    const where = config.publicUrl || `http://localhost:${config.port}`;
    throw new DatabaseRefusal(`${error.message}\nIf that is a Darkroom server, ask it: add --url ${where}`);
  });
  const app = { db, config };
  return {
    async create(given) {
      const made = await createKey(app, given);
      const [webhookSecret = ''] = (await ownerSecrets(app, made.key.owner)).secrets;
      return { ...made, webhookSecret };
    },
    list: () => db.pages((last: KeyFacts | undefined, limit) => listKeys(app, { before: last?.id, limit }), pageRows),
    revoke: async (id) => (await revokeKey(app, id)) !== undefined,
    close: () => db.close(),
  };
}

type SentKey = {
  id: string;
  name: string;
  scope: KeyFacts['scope'];
  owner: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
};

function openServer(url: string, key: string): KeyPlace {
  const server = openRemote(url, key);
  async function* pages() {
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await server.ask('GET', `/v1/admin/keys?limit=${pageRows}${query}`);
      const { items, next_cursor } = found(url, page) as { items: SentKey[]; next_cursor: string | null };
      yield* items.map(factsOf);
      cursor = next_cursor;
    }
  }
  return {
    async create({ name, scope, owner, expiresAt }) {
      const body = { name, scope, ...(owner !== undefined && { owner }), ...(expiresAt && { expires_at: expiresAt }) };
      const made = found(url, await server.ask('POST', '/v1/admin/keys', body)) as SentKey & {
        key: string;
        webhook_secret: string;
      };
      return { key: factsOf(made), secret: made.key, webhookSecret: made.webhook_secret };
    },
    list: pages,
    revoke: async (id) => (await server.ask('DELETE', `/v1/admin/keys/${encodeURIComponent(id)}`)) !== undefined,
    close: async () => {},
  };
}

const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

function factsOf({ id, name, scope, owner, ...times }: SentKey): KeyFacts {
  return {
    id,
    name,
    scope,
    owner,
    createdAt: new Date(times.created_at),
    expiresAt: dateOf(times.expires_at),
    lastUsedAt: dateOf(times.last_used_at),
    revokedAt: dateOf(times.revoked_at),
  };
}
