// events.ts — /v1/events: what happens, as it happens and as pages; /v1/tickets: the way in for a socket.
//
// Each kept event has a number that rises; it is the id of the stream and the cursor of the pages. Events show their batch or
// image as it is now: a follower that comes back late learns how things stand and not how they stood.

import Type from 'typebox';
import type { App } from '../../app.ts';
import { hasEnded } from '../../batches/model.ts';
import { findBatch } from '../../batches/read.ts';
import { describeNews, isNewsKept, newsTypes, passingTypes, readNews } from '../../batches/read-events.ts';
import type { News, NewsFilter, Told } from '../../batches/read-events.ts';
import { findImage } from '../../batches/read-images.ts';
import { sendHead } from '../../http/files.ts';
import { callerOf, type Answering, type Ask, type Http } from '../../http/http.ts';
import { canonicalId } from '../../http/ids.ts';
import type { Follower } from '../../http/live-seat.ts';
import { eventStreamType, openEventStream, type EventStream } from '../../http/sse.ts';
import { stillStands } from '../../http/standing.ts';
import { issueTicket } from '../../http/tickets.ts';
import { problem } from '../../problem.ts';
import { eventPage } from './answers.ts';
import { surfaceName } from './create.ts';
import { noQuery } from './schemas.ts';
import { batchView, imageView } from './views.ts';

const tags = [surfaceName];
const allTypes: readonly string[] = [...newsTypes, ...passingTypes];

const eventsQuery = Type.Object(
  {
    batch_id: Type.Optional(Type.String({ maxLength: 50 })),
    image_id: Type.Optional(Type.String({ maxLength: 50 })),
    types: Type.Optional(Type.String({ maxLength: 500, description: `With commas: ${allTypes.join(', ')}` })),
    after: Type.Optional(
      Type.String({ pattern: '^\\d{1,15}$', description: 'The id of the last known event; 0: all that are kept.' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Events of a page; 50.' })),
  },
  { additionalProperties: false },
);
type EventsQuery = Type.Static<typeof eventsQuery>;

type Envelope = { id?: string; type: string; timestamp: string; data: Record<string, unknown> };
type Say = (told: Told) => Promise<Envelope | undefined>;

export function addEvents(http: Http, app: App): void {
  const say: Say = (told) => envelopeOf(app, told);
  http.get(
    '/v1/events',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'followEvents',
        summary: 'Events as they happen; with Accept: application/json a page of them',
        querystring: eventsQuery,
        response: { 200: eventPage },
      },
    },
    async (request, reply) => {
      const filter = await filterOf(app, request);
      const { after, limit = 50 } = request.query;
      reply.header('vary', 'Origin, Accept');
      if (wantsPage(request)) return pageOf(app, say, filter, { after: Number(after ?? 0), limit });
      if (request.method === 'HEAD') return sendHead(reply.type(eventStreamType));
      const mayFollow = () => stillStands(app, http.identity, callerOf(request));
      reply.raw.once('close', http.limits.sit(callerOf(request)));
      await stream(http, reply, { say, mayFollow, filter, after: resumeAfter(request) });
      return reply;
    },
  );
  http.post(
    '/v1/tickets',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'createTicket',
        summary: 'A ticket that opens one WebSocket (?token=) within 30 seconds',
        querystring: noQuery,
        response: { 201: Type.Object({ token: Type.String(), expires_at: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { token, expiresAt } = await issueTicket(app, callerOf(request));
      return reply.code(201).send({ token, expires_at: expiresAt.toISOString() });
    },
  );
}

/** What is asked for, within what the caller may see. Somebody else's batch and none are the same answer. */
async function filterOf(app: App, request: Ask): Promise<NewsFilter> {
  const { batch_id, image_id, types } = request.query as EventsQuery;
  const { sees } = callerOf(request);
  const batchId = batch_id === undefined ? undefined : idOf(batch_id);
  const imageId = image_id === undefined ? undefined : idOf(image_id);
  if (batchId !== undefined && !(await findBatch(app, batchId, sees))) throw problem('not_found');
  if (imageId !== undefined && !(await findImage(app, imageId, sees))) throw problem('not_found');
  return {
    ...(sees !== undefined && { owner: sees }),
    ...(batchId !== undefined && { batchId }),
    ...(imageId !== undefined && { imageId }),
    ...(types !== undefined && { types: typesOf(types) }),
  };
}

function idOf(text: string): string {
  const id = canonicalId(text);
  if (id === undefined) throw problem('not_found');
  return id;
}

function typesOf(text: string): ReadonlySet<string> {
  const types = text.split(',').map((type) => type.trim());
  const strange = types.find((type) => !allTypes.includes(type));
  if (strange === undefined) return new Set(types);
  throw problem('invalid_query', { name: 'types', reason: `knows only ${allTypes.join(', ')}` });
}

/** A stream is what everybody gets who does not ask for JSON alone: curl accepts anything. */
const wantsPage = ({ headers: { accept = '' } }: Ask): boolean =>
  accept.includes('application/json') && !accept.includes('text/event-stream');

/** A browser that comes back asks for the same URL, so its header is newer. An id that is none of ours is too old. */
function resumeAfter(request: Ask): number | undefined {
  const { 'last-event-id': last } = request.headers;
  if (typeof last === 'string' && last !== '') return /^\d{1,15}$/.test(last) ? Number(last) : Number.MAX_SAFE_INTEGER;
  const { after } = request.query as EventsQuery;
  return after === undefined ? undefined : Number(after);
}

async function stream(
  http: Http,
  reply: Answering,
  wish: Pick<Follower<Envelope>, 'say' | 'mayFollow' | 'filter' | 'after'>,
): Promise<void> {
  let events: EventStream | undefined;
  let at = () => 0;
  const closed = new AbortController();
  const following = await http.live.follow<Envelope>({
    ...wish,
    begin(first, whole) {
      at = () => first;
      events = openEventStream(reply, { at: () => at(), closed: () => closed.abort() });
      if (!whole) events.send({ id: first, type: 'reset', data: resetAt(first) });
    },
    hear: (envelope, { id }) => events?.send({ id: id ?? undefined, type: envelope.type, data: envelope }),
    unsent: () => events?.unsent() ?? 0,
    end: (why) => (why === 'slow' ? events?.cut() : events?.end()),
  });
  at = following.at;
  if (closed.signal.aborted) following.stop();
  else closed.signal.addEventListener('abort', () => following.stop(), { once: true });
}

const resetAt = (at: number): Envelope => ({
  id: String(at),
  type: 'reset',
  timestamp: new Date().toISOString(),
  data: {},
});

/** Windows of the journal that one page looks at: a filter that fits nothing must not walk all of it. */
const mostWindows = 50;

async function pageOf(app: App, say: Say, filter: NewsFilter, { after, limit }: { after: number; limit: number }) {
  const whole = after === 0 || (await isNewsKept(app, after));
  const found: News[] = [];
  let [at, done] = [whole ? after : 0, false];
  for (let windows = 0; !done && found.length <= limit && windows < mostWindows; windows += 1) {
    const page = await readNews(app, at, filter);
    found.push(...page.news);
    ({ upTo: at, done } = page);
  }
  const shown = found.slice(0, limit);
  const last = shown.at(-1)?.id;
  const isCut = found.length > limit && typeof last === 'number';
  const told = await describeNews(app, shown);
  return {
    items: (await Promise.all(told.map(say))).filter((each) => each !== undefined),
    next_after: String(isCut ? last : at),
    more: isCut || !done,
    reset: !whole,
  };
}

/** One event in the form of all our events and webhooks; undefined when it tells nothing any more. */
async function envelopeOf(app: App, told: Told): Promise<Envelope | undefined> {
  const data = await dataOf(app, told);
  if (!data) return undefined;
  const { id, type, at } = told;
  return { ...(id !== null && { id: String(id) }), type, timestamp: at.toISOString(), data };
}

async function dataOf(app: App, { type, batchId, batch, imageId, image }: Told) {
  if (imageId !== null) return { batch_id: batchId, image_id: imageId, image: image && imageView(app, image) };
  if (type === 'batch.deleted') return { batch_id: batchId };
  if (type !== 'batch.progress') return { batch_id: batchId, batch: batch && (await batchView(app, batch)) };
  // Its end is told by an event of its own.
  if (!batch || hasEnded(batch.state)) return undefined;
  const { state, generation, counts, progress, bytes } = await batchView(app, batch);
  return { batch_id: batchId, state, generation, counts, progress, bytes };
}
