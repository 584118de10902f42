// slot.ts — one place in the sandbox: always a living child, the next one started before the old one ends.

import { type Child, ChildEnded, startChild } from './child-process.ts';

export type Slot = {
  busy: boolean;
  /** A child that is ready; throws {@link ChildEnded} when it could not be started. */
  child(): Promise<Child>;
  /** To be called after each image: replaces a child that is dead, old or fat. */
  settle(): void;
  pid(): number;
  served(): number;
  close(): Promise<void>;
};

type Options = { script: string; onStart: (ok: boolean, detail: string) => void };

const startMs = 30_000;
/** In images of a megapixel or more, see `wearOf` in conversation.ts. */
const maxWear = 200;
const maxIdleMemory = 300 * 1024 * 1024;

/** An empty slot; the first call of `child` starts one. */
export function openSlot({ script, onStart }: Options): Slot {
  let current: Promise<Child> | undefined;
  let living: Child | undefined;
  let successor: Promise<void> | undefined;
  let next: Child | undefined;
  let closed = false;
  const all = new Set<Child>();

  const start = async (): Promise<Child> => {
    if (closed) throw new ChildEnded('closed', 'the sandbox is closed');
    try {
      const child = await startedChild(script, all);
      onStart(true, '');
      return child;
    } catch (error) {
      if (!closed) onStart(false, (error as Error).message);
      throw error;
    }
  };
  const adopt = (child: Child) => {
    living = child;
    current = Promise.resolve(child);
    // A child that dies while idle is noticed at once, not by the next image.
    const forget = () => {
      if (living === child) current = living = undefined;
    };
    child.exited.then(forget, forget);
  };
  const swap = () => {
    if (!next) return;
    living?.retire();
    adopt(next);
    next = undefined;
  };

  const slot: Slot = {
    busy: false,
    child() {
      if (!current) {
        const starting = start();
        current = starting;
        starting.then(adopt, () => {
          if (current === starting) current = undefined;
        });
      }
      return current;
    },
    settle() {
      swap();
      if (!living || (living.wear < maxWear && living.memory() < maxIdleMemory)) return;
      successor ??= start()
        .then(
          (child) => void (next = child),
          // The old one serves on, and the next image asks again.
          () => {},
        )
        .finally(() => {
          successor = undefined;
          if (!slot.busy) swap();
        });
    },
    pid: () => living?.pid ?? 0,
    served: () => living?.served ?? 0,
    async close() {
      closed = true;
      for (const child of all) child.kill('closed');
      await Promise.all([...all].map((child) => child.exited));
    },
  };
  return slot;
}

/** A new child that has said it is ready; one that does not in time is killed. */
async function startedChild(script: string, all: Set<Child>): Promise<Child> {
  const child = startChild(script);
  all.add(child);
  void child.exited.then(() => all.delete(child));
  const late = setTimeout(() => child.kill('crashed', 'was not ready in time'), startMs);
  try {
    const { header } = await child.next();
    if (header.type !== 'ready') throw new ChildEnded('crashed', 'said something else than ready');
    return child;
  } catch (error) {
    child.kill('crashed', 'did not start');
    throw error;
  } finally {
    clearTimeout(late);
  }
}
