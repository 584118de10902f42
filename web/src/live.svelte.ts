// live.svelte.ts — news from the service: one stream per tab, which every part of the page listens to.
//
// The stream tells which batches changed; who shows one of them asks for it again, at most twice a second. A cut stream
// is resumed at the last event that came. While nothing can be reached `live.online` is false and data stays as it was;
// where no stream is offered, listeners are woken every two seconds instead.

/** What happened to which batch; null means that anything may have changed. */
type Listener = (batchId: string | null) => void;

export const live = $state({ online: true, streaming: false });

const types = 'batch.created,batch.progress,batch.finished,batch.deleted';
const listeners = new Set<Listener>();
const pollMs = 2000;
const hiddenMs = 60_000;
let source: EventSource | undefined;
let lastId: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;

/** Calls `listener` soon after news about `batchId` (null: about any batch); returns how to stop. */
export function listen(batchId: string | null, act: () => unknown): () => void {
  let due: ReturnType<typeof setTimeout> | undefined;
  const listener: Listener = (about) => {
    if (batchId !== null && about !== null && about !== batchId) return;
    due ??= setTimeout(() => {
      due = undefined;
      act();
    }, 400);
  };
  listeners.add(listener);
  return () => {
    clearTimeout(due);
    listeners.delete(listener);
  };
}

/** Opens the stream; a tab that nobody looks at for a minute lets it go. */
export function startLive(): void {
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, hiddenMs);
    else if (!source) open();
  });
  open();
}

function open(): void {
  clearTimeout(timer);
  const after = lastId === undefined ? '' : `&after=${encodeURIComponent(lastId)}`;
  source = new EventSource(`/v1/events?types=${types}${after}`);
  source.addEventListener('open', () => {
    live.streaming = true;
    // Without an event to resume at, what happened between the last look and now was told to nobody.
    if (live.online && lastId === undefined) tell(null);
    cameBack();
  });
  for (const type of types.split(',')) source.addEventListener(type, hear);
  source.addEventListener('reset', () => {
    lastId = undefined;
    tell(null);
  });
  source.addEventListener('error', () => {
    close();
    void look();
  });
}

function hear(event: MessageEvent<string>): void {
  if (event.lastEventId !== '') lastId = event.lastEventId;
  const { data } = JSON.parse(event.data) as { data: { batch_id: string } };
  tell(data.batch_id);
}

/** The stream ended: is the service gone, restarting, or does it offer none? */
async function look(): Promise<void> {
  const reached = await fetch('/livez', { cache: 'no-store' }).then(
    (answer) => answer.ok,
    () => false,
  );
  clearTimeout(timer);
  if (!reached) {
    live.online = false;
    timer = setTimeout(() => void look(), 1000);
    return;
  }
  cameBack();
  tell(null);
  timer = setTimeout(open, pollMs);
}

function cameBack(): void {
  if (live.online) return;
  live.online = true;
  tell(null);
}

function close(): void {
  source?.close();
  source = undefined;
  live.streaming = false;
}

function tell(batchId: string | null): void {
  for (const listener of listeners) listener(batchId);
}
