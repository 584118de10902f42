// session.svelte.ts — who uses this page: everybody while no key exists, else whoever signed in with one.

import type { Session } from './api/answers.ts';

export const session = $state({
  /** False until the service says otherwise: without keys there is nobody to sign in. */
  authRequired: false,
  scopes: [] as string[],
  csrfToken: null as string | null,
  /** The key dialog is open. */
  asking: false,
});

let waiting: ((signedIn: boolean) => void)[] = [];

/** Asks who we are; an older service without sessions is an open one. */
export async function loadSession(): Promise<void> {
  await signInByLink();
  try {
    const response = await fetch('/v1/session');
    if (response.ok) take((await response.json()) as Session);
  } catch {
    // Offline; the banner tells.
  }
}

/** Opens the key dialog; true when somebody has signed in. */
export function askForKey(): Promise<boolean> {
  session.asking = true;
  return new Promise((resolve) => waiting.push(resolve));
}

/** Undefined when it worked, else what to tell. */
export async function signIn(proof: { key: string } | { token: string }): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('/v1/session', { method: 'POST', headers, body: JSON.stringify(proof) });
  const body = (await response.json().catch(() => ({}))) as Session & { detail?: string };
  if (!response.ok) return body.detail ?? `${response.status}`;
  take(body);
  if (session.csrfToken === null) await loadSession();
  settle(true);
  return undefined;
}

export async function signOut(): Promise<void> {
  await fetch('/v1/session', { method: 'DELETE', headers: { 'x-csrf-token': session.csrfToken ?? '' } });
  location.assign('/');
}

export const dismissKeyDialog = (): void => settle(false);

function take({ auth_required, scopes, csrf_token }: Session): void {
  session.authRequired = auth_required;
  session.scopes = scopes;
  session.csrfToken = csrf_token;
}

function settle(signedIn: boolean): void {
  session.asking = false;
  const calls = waiting;
  waiting = [];
  for (const each of calls) each(signedIn);
}

/** A one-time link carries its token in the fragment, which no server and no log ever sees. */
async function signInByLink(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  await signIn({ token });
}
