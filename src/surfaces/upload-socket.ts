// upload-socket.ts — ws /ws/upload: how uploaded images fare, told as they fare.
//
// A greeting, an echo, and for each image a `processing` and then one of `completed`, `error`, `aborted`; a retry by hand
// begins again, tries of our own do not. `event_id` is where `?since=` goes on: what happened meanwhile is told then, also by
// another process. Sockets hear of every upload that the list shows, in whatever dialect it came.

import type { App } from '../app.ts';
import type { Image } from '../batches/model.ts';
import { findBatch } from '../batches/read.ts';
import type { Told } from '../batches/read-events.ts';
import { findImage } from '../batches/read-images.ts';
import type { Ask, Caller, Http } from '../http/http.ts';
import { canonicalId } from '../http/ids.ts';
import type { Follower } from '../http/live-seat.ts';
import { addSocket, type Socket } from '../http/sockets.ts';
import { stillStands } from '../http/standing.ts';
import { problem } from '../problem.ts';
import { resultPath, uploadTime, type UploadWord } from './uploads-views.ts';

const statuses: Record<string, UploadWord> = {
  'image.running': 'processing',
  'image.succeeded': 'completed',
  'image.failed': 'error',
  'image.canceled': 'aborted',
};
const types: ReadonlySet<string> = new Set(Object.keys(statuses));

type Wish = Pick<Follower<Image>, 'filter' | 'after' | 'mayFollow'>;

export async function addUploadSocket(http: Http, app: App): Promise<void> {
  await addSocket<Wish>(http, app, {
    path: '/ws/upload',
    prepare: (request, caller) => wishOf(http, app, request, caller),
    talk(socket, wish) {
      socket.send({ message: 'You are connected!', status: 'ok' });
      socket.listen((text) => socket.send(replyTo(text)));
      follow(http, socket, wish).catch((error: unknown) => {
        app.log.warn({ err: error }, 'a socket could not follow the news');
        socket.cut();
      });
    },
  });
}

async function wishOf(http: Http, app: App, request: Ask, caller: Caller): Promise<Wish> {
  const { sees } = caller;
  const { job_id, batch_id, since } = request.query as Record<string, unknown>;
  const imageId = idOf(job_id);
  const batchId = idOf(batch_id);
  if (imageId !== undefined && !(await findImage(app, imageId, sees))) throw problem('not_found');
  if (batchId !== undefined && !(await findBatch(app, batchId, sees))) throw problem('not_found');
  if (since !== undefined && (typeof since !== 'string' || !/^\d{1,15}$/.test(since)))
    throw problem('invalid_query', { name: 'since', reason: 'is no event_id' });
  return {
    filter: {
      types,
      ...(sees !== undefined && { owner: sees }),
      ...(imageId !== undefined && { imageId }),
      ...(batchId !== undefined && { batchId }),
    },
    after: since === undefined ? undefined : Number(since),
    mayFollow: () => stillStands(app, http.identity, caller),
  };
}

function idOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  const id = typeof given === 'string' ? canonicalId(given) : undefined;
  if (id === undefined) throw problem('not_found');
  return id;
}

function replyTo(text: string | undefined): object {
  let said: unknown;
  try {
    said = JSON.parse(text ?? '');
  } catch {
    return { error: 'Invalid JSON' };
  }
  const isMessage = typeof said === 'object' && said !== null && Object.hasOwn(said, 'message');
  return isMessage ? { message: (said as { message: unknown }).message } : { error: 'Expected a message' };
}

async function follow(http: Http, socket: Socket, wish: Wish): Promise<void> {
  const tell = openTelling(socket);
  const closed = new AbortController();
  socket.onClose(() => closed.abort());
  const following = await http.live.follow<Image>({
    kind: 'socket',
    ...wish,
    begin(at, whole) {
      tell.from(at);
      if (!whole) socket.send({ type: 'reset' });
    },
    say: uploadOf,
    hear: (image, told) => tell.of(image, told),
    unsent: () => socket.unsent(),
    end: (why) => (why === 'slow' ? socket.cut() : socket.end(why)),
  });
  if (closed.signal.aborted) following.stop();
  else closed.signal.addEventListener('abort', () => following.stop(), { once: true });
}

/** Images by URL are no uploads, and of one that was deleted there is nothing left to tell. */
const uploadOf = async ({ image }: Told): Promise<Image | undefined> =>
  image?.source.url === null ? image : undefined;

const mostRemembered = 10_000;

/** Tells `processing` once before each end, also where the image was never seen at work. */
function openTelling(socket: Socket) {
  const begun = new Set<string>();
  let last = 0;
  const begin = (image: Image) => {
    if (begun.has(image.id)) return;
    const [oldest] = begun;
    if (begun.size >= mostRemembered && oldest !== undefined) begun.delete(oldest);
    begun.add(image.id);
    socket.send(notificationOf(image, 'processing', last));
  };
  return {
    from: (at: number) => void (last = at),
    of(image: Image, { id, type }: Told) {
      begin(image);
      if (id === null) return;
      begun.delete(image.id);
      last = id;
      socket.send(notificationOf(image, statuses[type] ?? 'error', id));
    },
  };
}

function notificationOf(image: Image, status: UploadWord, eventId: number) {
  const name = image.source.name ?? 'image';
  return {
    type: 'send_upload_notification',
    job_id: image.id,
    status,
    ...(status === 'completed' && { image: resultPath(image) }),
    ...(status === 'error' && { code: image.error?.code ?? image.history.at(-1)?.error?.code ?? 'internal' }),
    name,
    size: image.source.bytes ?? 0,
    ...(status === 'completed' && image.finishedAt && { upload_time: uploadTime(image.createdAt, image.finishedAt) }),
    message: status === 'completed' ? `Image ${name} uploaded successfully.` : `Image ${name} ${status}.`,
    batch_id: image.batchId,
    event_id: String(eventId),
  };
}
