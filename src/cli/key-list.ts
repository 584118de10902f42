// key-list.ts — `darkroom key list`: all keys as a table, without their secrets.

import { prefixOf, type KeyFacts } from '../http/keys.ts';
import type { KeyFlags } from './key.ts';
import { openKeyPlace } from './key-place.ts';
import { exitCodes, type Session } from './session.ts';

const heads = ['KEY', 'SCOPE', 'OWNER', 'MADE', 'LAST USED', 'STATE', 'NAME'];

export async function showKeys(session: Session, flags: KeyFlags): Promise<number> {
  const place = await openKeyPlace(session, flags);
  try {
    const rows = [heads];
    for await (const key of place.list()) rows.push(rowOf(key, new Date()));
    if (rows.length === 1) session.err.write('There is no key: whoever reaches this machine may use the service.\n');
    else session.out.write(rows.map((row) => `${aligned(row, rows)}\n`).join(''));
    return exitCodes.ok;
  } finally {
    await place.close();
  }
}

function rowOf(key: KeyFacts, now: Date): string[] {
  const state = key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt <= now ? 'expired' : 'live';
  // A name is somebody's text, and terminals obey control characters.
  const name = key.name.replaceAll(/\p{C}/gu, '');
  return [prefixOf(key.id), key.scope, key.owner, dayOf(key.createdAt), dayOf(key.lastUsedAt), state, name];
}

const dayOf = (date: Date | null): string => date?.toISOString().slice(0, 10) ?? 'never';

function aligned(row: string[], rows: string[][]): string {
  const widths = heads.map((_, column) => Math.max(...rows.map((each) => each[column]?.length ?? 0)));
  return row
    .map((text, column) => text.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd();
}
