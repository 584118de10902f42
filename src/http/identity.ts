// identity.ts — who is known to this process: whether there are keys at all, and whose a key or a session is.
//
// The database is the truth. What it said is believed for three seconds, so that a key that is revoked anywhere stops to
// work everywhere within five, and a busy key costs a query now and then instead of one a request.

import { timingSafeEqual } from 'node:crypto';
import type { App } from '../app.ts';
import { isLoopback } from './address.ts';
import type { Caller } from './http.ts';
import { anyKey, findLiveKey, hashOf, keyIdOf, type LiveKey } from './keys.ts';
import { findSession } from './sessions.ts';

export type Identity = {
  /** True when every route that is not public needs a key or a session. */
  keyed(): boolean;
  /** Whose key this is; undefined when it is none. */
  byKey(sent: string): Promise<Caller | undefined>;
  bySession(token: string): Promise<SignedIn | undefined>;
  /** To be called when keys or sessions were changed here, so that it shows at once. */
  changed(): Promise<void>;
};

export type SignedIn = { caller: Caller; csrf: string };

const believedMs = 3_000;
const askEveryMs = 2_000;
const mostRemembered = 10_000;

export async function openIdentity(app: Pick<App, 'db' | 'config' | 'log'>): Promise<Identity & { close(): void }> {
  const { apiKey, host, insecureNoAuth } = app.config;
  // Beyond loopback nothing is ever open by itself, also when somebody empties the table of keys.
  const always = apiKey !== '' || !(isLoopback(host) || insecureNoAuth);
  const keys = remember((sent: string) => findLiveKey(app, sent).then((key) => key && callerOf(key)));
  const sessions = remember(async (token: string): Promise<SignedIn | undefined> => {
    const session = await findSession(app, token);
    return session && { caller: callerOf(session), csrf: session.csrf };
  });
  // Where nothing is ever open nobody needs to look.
  let exists = always || (await anyKey(app));
  const look = async (): Promise<void> => void (exists = always || (await anyKey(app)));
  // A database that is away leaves things as they were.
  const timer = setInterval(
    () => void look().catch((error: unknown) => app.log.debug({ err: error }, 'keys could not be looked for')),
    askEveryMs,
  );
  timer.unref();

  return {
    keyed: () => always || exists,
    async byKey(sent) {
      if (apiKey !== '' && timingSafeEqual(hashOf(sent), hashOf(apiKey))) return house;
      return keyIdOf(sent) === undefined ? undefined : keys.get(sent);
    },
    bySession: (token) => sessions.get(token),
    async changed() {
      keys.forget();
      sessions.forget();
      await look();
    },
    close: () => clearInterval(timer),
  };
}

/** Who brings DARKROOM_API_KEY: the house itself. */
const house: Caller = { owner: '', scope: 'admin', sees: undefined, key: '' };

function callerOf({ id, scope, owner }: LiveKey): Caller {
  return { owner, scope, sees: scope === 'admin' ? undefined : owner, key: id };
}

/** Answers of the database by the hash of what was asked, for as long as they are believed. */
function remember<T>(ask: (text: string) => Promise<T>) {
  const known = new Map<string, { at: number; answer: Promise<T> }>();
  return {
    get(text: string): Promise<T> {
      const name = hashOf(text).toString('base64');
      const last = known.get(name);
      if (last && performance.now() - last.at < believedMs) return last.answer;
      // Guesses fill it, too: then everybody is asked about again.
      if (known.size >= mostRemembered) known.clear();
      const asked = { at: performance.now(), answer: ask(text) };
      known.set(name, asked);
      asked.answer.catch(() => known.delete(name));
      return asked.answer;
    },
    forget: () => known.clear(),
  };
}
