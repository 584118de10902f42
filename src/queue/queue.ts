// queue.ts — what a message broker must do for us: carry tickets, and forget them without harm.
//
// The database is the queue; a broker only wakes workers sooner and spreads tickets among them. A ticket says which
// image may be started and nothing else. Losing, repeating or reordering tickets is harmless by design.

import type { Logger } from 'pino';

export type Lane = 0 | 1 | 2;
export type Ticket = { id: string; lane: Lane };

export type Queue = {
  /** False: there is no broker and workers claim straight from SQL. */
  readonly carriesTickets: boolean;
  readonly name: string;
  /** Resolves when the broker confirmed all; rejects within 5 s. */
  publish(tickets: Ticket[]): Promise<void>;
  /** Hands out tickets until `signal` aborts, at most `limit` at once. A ticket is acknowledged when `handle` ends, however it ends. */
  consume(
    options: { lane: Lane; limit: number; signal: AbortSignal },
    handle: (ticket: Ticket) => Promise<void>,
  ): Promise<void>;
  /** Tickets that nobody has in hand. */
  waiting(lane: Lane): Promise<number>;
  healthy(): Promise<{ ok: boolean; detail?: string }>;
  close(): Promise<void>;
};

export type BrokerOptions = {
  url: string;
  /** Part of the names of the queues, so that two deployments on one broker never mix. */
  instance: string;
  log: Logger;
  /** How long a consumer may be silent before its tickets go to others. */
  silentMs?: number;
};

export const lanes: readonly Lane[] = [0, 1, 2];

/** One queue a lane. Whoever changes how it is declared changes this name: a broker refuses the same name otherwise. */
export const queueNameOf = (instance: string, lane: Lane): string => `darkroom.${instance}.${lane}`;

/** Longest time that anything may take which somebody waits for. */
export const patienceMs = 5_000;

/** Rejects when `work` has not ended in time; `what` completes "The broker did not …". */
export async function inTime<T>(work: Promise<T>, what: string, ms = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`The broker did not ${what} within ${ms / 1000} s.`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Resolves when `signal` aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}
