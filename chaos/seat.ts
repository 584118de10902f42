// seat.ts — a place that a process of the product holds: when the process goes, another one takes the seat, as under systemd.

import { setTimeout as sleep } from 'node:timers/promises';
import { startProduct, startWorker, type Product, type ProductOptions } from '../test/support/product.ts';

export type Role = 'api' | 'worker' | 'all';

/** `asked`: a fault ended it; `failed`: it never came up; `by itself`: nobody asked it to. */
export type Departure = { seat: string; why: 'asked' | 'failed' | 'by itself'; code: number | null; said: string };

export type Seat = {
  name: string;
  role: Role;
  /** The process that holds it now, ready or not. */
  holder(): Product | undefined;
  isReady(): boolean;
  /** Ends the holder; another one comes after a moment. Resolves with the exit code when it is gone. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
  /** SIGSTOP for so long. */
  freeze(ms: number): Promise<void>;
  /** Nobody takes the seat any more; resolves with the exit code of the last holder. */
  leave(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
};

type SeatOptions = {
  name: string;
  role: Role;
  product: Omit<ProductOptions, 'onSpawn' | 'args'>;
  /** Told of every process that goes. */
  left(departure: Departure): void;
};

const comesBackMs = 300;
const lastLines = 30;

export function openSeat({ name, role, product, left }: SeatOptions): Seat {
  let holder: Product | undefined;
  let ready = false;
  const leaving = new AbortController();
  let asked = false;

  const start = (): Promise<Product> => {
    const onSpawn = (spawned: Product): void => void (holder = spawned);
    if (role === 'worker') return startWorker({ ...product, onSpawn });
    return startProduct({ ...product, onSpawn, args: role === 'api' ? ['serve', '--no-worker'] : ['serve'] });
  };
  const hold = async (): Promise<void> => {
    while (!leaving.signal.aborted) {
      let wasReady = false;
      try {
        const started = await start();
        wasReady = ready = true;
        await started.gone;
      } catch {
        // It has ended before it was ready; what it said is kept below.
        await holder?.end('SIGKILL');
      }
      ready = false;
      const why = asked ? 'asked' : wasReady ? 'by itself' : 'failed';
      left({ seat: name, why, code: (await holder?.end('SIGKILL')) ?? null, said: tailOf(holder) });
      asked = false;
      if (!leaving.signal.aborted) await sleep(comesBackMs);
    }
  };
  const held = hold();

  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    if (!holder) return null;
    asked = true;
    resume(holder); // a stopped process hears no SIGTERM
    return holder.end(signal);
  };
  return {
    name,
    role,
    holder: () => holder,
    isReady: () => ready,
    end,
    async freeze(ms) {
      const frozen = holder;
      if (!frozen || !signalTo(frozen, 'SIGSTOP')) return;
      await sleep(ms);
      resume(frozen);
    },
    async leave(signal) {
      leaving.abort();
      const code = await end(signal);
      await held;
      return code;
    },
  };
}

export function tailOf(product: Product | undefined): string {
  return (product?.output() ?? '').trimEnd().split('\n').slice(-lastLines).join('\n');
}

function resume(product: Product): void {
  signalTo(product, 'SIGCONT');
}

function signalTo({ pid }: Product, signal: NodeJS.Signals): boolean {
  try {
    return pid > 0 && process.kill(pid, signal);
  } catch {
    return false; // it is gone already
  }
}
