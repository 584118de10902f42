// key-create.ts — `darkroom key create`: makes a key and prints it, for the only time, alone on stdout.

import { ownerForm } from '../http/keys.ts';
import type { CreateFlags } from './key.ts';
import { openKeyPlace } from './key-place.ts';
import { exitCodes, type Session } from './session.ts';

export async function createKeyNamed(session: Session, name: string, flags: CreateFlags): Promise<number> {
  const { scope, owner, expires } = flags;
  if (name.trim() === '' || name.length > 100) return refuse(session, 'A key is called by 1 to 100 characters.');
  if (owner !== undefined && !ownerForm.test(owner))
    return refuse(session, 'An owner is 1 to 64 of the characters A-Z a-z 0-9 . _ @ and -.');
  const place = await openKeyPlace(session, flags);
  try {
    const { key, secret, webhookSecret } = await place.create({ name: name.trim(), scope, owner, expiresAt: expires });
    session.out.write(`${secret}\n`);
    session.err.write(
      `Key ${key.name} (${key.scope}, owner ${key.owner}). It is shown only now.\n` +
        `Its webhooks are signed with ${webhookSecret}\n` +
        'From the first key on, nobody without one may use the service.\n',
    );
    return exitCodes.ok;
  } finally {
    await place.close();
  }
}

function refuse(session: Session, sentence: string): number {
  session.err.write(`${sentence}\n`);
  return exitCodes.usage;
}
