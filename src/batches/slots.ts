// slots.ts — places for work, given to whoever matters most: the lower lane first, then the larger picture.
//
// Largest first within a lane, because a lone large picture at the end of a batch would leave the other slots idle.

export type Slots = {
  readonly busy: number;
  /** Resolves with the way to give the slot back; rejects with the signal's reason. */
  enter(rank: { lane: number; bytes: number }, signal: AbortSignal): Promise<() => void>;
};

type Waiting = { lane: number; bytes: number; start(): void };

export function openSlots(count: number): Slots {
  const waiting: Waiting[] = [];
  let busy = 0;

  function next(): void {
    if (busy >= count || waiting.length === 0) return;
    const first = waiting.reduce((best, each) => (comesBefore(each, best) ? each : best));
    waiting.splice(waiting.indexOf(first), 1);
    first.start();
  }

  return {
    get busy() {
      return busy;
    },
    enter({ lane, bytes }, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const entry = { lane, bytes, start };
        const abort = () => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal.reason as Error);
        };
        function start(): void {
          signal.removeEventListener('abort', abort);
          busy += 1;
          resolve(() => {
            busy -= 1;
            next();
          });
        }
        signal.addEventListener('abort', abort, { once: true });
        waiting.push(entry);
        next();
      });
    },
  };
}

function comesBefore(a: Waiting, b: Waiting): boolean {
  return a.lane !== b.lane ? a.lane < b.lane : a.bytes > b.bytes;
}
