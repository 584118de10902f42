// resource.svelte.ts — something asked of the API: its value, whether it is loading, and why it is not there.
//
// What was loaded stays while it is asked for again; an answer that a newer question has overtaken is thrown away.

import { untrack } from 'svelte';
import { Refusal } from './api/call.ts';

export type Resource<T> = {
  readonly value: T | undefined;
  readonly refusal: Refusal | undefined;
  readonly loading: boolean;
  /** Asks again; the value stays until the answer comes. */
  refresh: () => Promise<void>;
  /** For answers of calls that change it. */
  set: (value: T) => void;
};

/** Asks whenever something that `ask` reads while it is called has changed. Must be called while a component starts. */
export function resource<T>(ask: () => Promise<T>): Resource<T> {
  let value = $state.raw<T | undefined>();
  let refusal = $state.raw<Refusal | undefined>();
  let loading = $state(true);
  let newest = 0;

  async function take(answer: Promise<T>): Promise<void> {
    const mine = ++newest;
    loading = true;
    try {
      const found = await answer;
      if (mine !== newest) return;
      value = found;
      refusal = undefined;
    } catch (error) {
      if (mine !== newest) return;
      const refused = error instanceof Refusal ? error : new Refusal(0, { detail: String(error) });
      // The banner tells of a service that is away, and what was loaded stays.
      if (value === undefined || refused.code !== 'offline') refusal = refused;
    }
    loading = false;
  }

  $effect(() => {
    const answer = ask();
    untrack(() => void take(answer));
  });

  return {
    get value() {
      return value;
    },
    get refusal() {
      return refusal;
    },
    get loading() {
      return loading;
    },
    refresh: () => take(untrack(ask)),
    set: (found) => {
      newest++;
      value = found;
      loading = false;
    },
  };
}
