// ledger.ts — what was asked of the product and what it has promised, written where the product cannot reach.
//
// A line is forced to disk before a request is sent and after its answer has come: what was sent without an answer may have
// been done, at most once; what was answered must have been done.

import { open } from 'node:fs/promises';

/**
 * An order makes a batch. Its pictures are `first` … `first + count - 1`, in this order; in the middle of a `deadly` one is the
 * picture that takes its worker down.
 */
export type Order = {
  key: string;
  kind: 'list' | 'form' | 'catalog' | 'seed';
  first: number;
  count: number;
  webhook: boolean;
  deadly?: true;
};

/** What was done to the batch of an order. `rows` deletes these positions by hand. */
export type Act = {
  key: string;
  kind: 'cancel' | 'retry' | 'delete' | 'rows';
  order: string;
  from?: number;
  to?: number;
};

export type Entry =
  | { t: number; key: string; sent: Order | Act }
  /** `id` of the batch; `status` of the answer. */
  | { t: number; key: string; ack: number; id: string | null };

export type Ledger = {
  write(entry: Entry): Promise<void>;
  entries: readonly Entry[];
  close(): Promise<void>;
};

export async function openLedger(path: string): Promise<Ledger> {
  const file = await open(path, 'a');
  const entries: Entry[] = [];
  let waiting: string[] = [];
  let forced: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  /** Those who come while the disk is busy share the next turn. */
  const force = async (): Promise<void> => {
    await forced.catch(() => {});
    next = undefined;
    const lines = waiting;
    waiting = [];
    forced = file.appendFile(lines.join('')).then(() => file.datasync());
    await forced;
  };
  return {
    entries,
    async write(entry) {
      entries.push(entry);
      waiting.push(`${JSON.stringify(entry)}\n`);
      await (next ??= force());
    },
    async close() {
      await forced.catch(() => {});
      await file.close();
    },
  };
}

export type Promised = {
  /** Orders by key, with the ids under which they were acknowledged: one, or something is wrong. */
  orders: Map<string, { order: Order; ids: Set<string> }>;
  acts: { act: Act; acknowledged: boolean }[];
};

/** What the ledger says in the end. */
export function readLedger(entries: readonly Entry[]): Promised {
  const orders: Promised['orders'] = new Map();
  const acts = new Map<string, Promised['acts'][number]>();
  for (const entry of entries) {
    if ('sent' in entry) {
      if ('order' in entry.sent) acts.set(entry.key, { act: entry.sent, acknowledged: false });
      else if (!orders.has(entry.key)) orders.set(entry.key, { order: entry.sent, ids: new Set() });
      continue;
    }
    const act = acts.get(entry.key);
    if (act) act.acknowledged ||= entry.ack < 300;
    else if (entry.id !== null) orders.get(entry.key)?.ids.add(entry.id);
  }
  return { orders, acts: [...acts.values()] };
}
