// key-revoke.ts — `darkroom key revoke`: ends a key, and the sessions that were opened with it.

import type { KeyFlags } from './key.ts';
import { openKeyPlace } from './key-place.ts';
import { exitCodes, type Session } from './session.ts';

export async function revokeKeyNamed(session: Session, text: string, flags: KeyFlags): Promise<number> {
  const [, id] = /^(?:drk_)?([A-Za-z0-9]{8})(?:_|$)/.exec(text.trim()) ?? [];
  const place = await openKeyPlace(session, flags);
  try {
    if (id === undefined || !(await place.revoke(id))) {
      session.err.write(`There is no key ${(id ?? text).slice(0, 20)}. \`darkroom key list\` shows all.\n`);
      return exitCodes.usage;
    }
    session.err.write(`Key drk_${id} is revoked; within five seconds it stops to work everywhere.\n`);
    return exitCodes.ok;
  } finally {
    await place.close();
  }
}
