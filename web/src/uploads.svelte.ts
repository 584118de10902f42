// uploads.svelte.ts — the list on the upload page: files on their way up, then the batches made of them.
//
// Three files go up at once. Pictures and URLs that are here become one batch; a catalog becomes its own. The list
// outlives a visit to another page, as the uploads do.

import { batches, type DryRun, type Image, Refusal, type Upload } from './api/index.ts';
import { uploadFile } from './api/upload.ts';
import { say } from './say.svelte.ts';
import { askForKey } from './session.svelte.ts';
import { pipelineOf, settings } from './settings.svelte.ts';
import { t } from './messages.ts';

export type Item = {
  key: number;
  kind: 'picture' | 'catalog' | 'url';
  name: string;
  bytes: number | null;
  state: 'waiting' | 'sending' | 'ready' | 'refused' | 'started';
  /** Of the way up, 0 to 1. */
  share: number;
  upload: string | null;
  check: DryRun | null;
  refusal: Refusal | null;
  batchId: string | null;
  image: Image | null;
};

/** The API takes so many images in one list. */
const mostImages = 2000;
const lanes = 3;

export const uploads = $state<{ items: Item[]; starting: boolean }>({ items: [], starting: false });

const files = new Map<number, File>();
const ends = new Map<number, AbortController>();
let keys = 0;
let sending = 0;

const isCatalog = ({ name, type }: File) => /\.(csv|tsv)$/i.test(name) || type === 'text/csv';
const isPicture = ({ name, type }: File) =>
  type.startsWith('image/') || /\.(jpe?g|png|webp|avif|gif|tiff?|bmp|p[bgpn]m)$/i.test(name) || !/\.\w+$/.test(name);

export function addFiles(list: Iterable<File>): void {
  const left: string[] = [];
  for (const file of list) {
    if (file.name.startsWith('.')) continue;
    if (!isCatalog(file) && !isPicture(file)) left.push(file.name);
    else files.set(add(isCatalog(file) ? 'catalog' : 'picture', file.name, file.size), file);
  }
  if (left.length > 0) say(`${left.slice(0, 3).join(', ')} ${t.upload.tooBig}`, 'bad');
  sendNext();
}

export function addUrl(url: string): void {
  const item = find(add('url', url, null));
  if (item) item.state = 'ready';
  startSoon();
}

function add(kind: Item['kind'], name: string, bytes: number | null): number {
  const key = ++keys;
  const blank = { share: 0, upload: null, check: null, refusal: null, batchId: null, image: null };
  uploads.items.push({ key, kind, name, bytes, state: 'waiting', ...blank });
  return key;
}

const find = (key: number): Item | undefined => uploads.items.find((item) => item.key === key);

export function removeItem(key: number): void {
  ends.get(key)?.abort();
  files.delete(key);
  uploads.items = uploads.items.filter((item) => item.key !== key);
  startSoon();
}

export function clearItems(): void {
  for (const { key } of uploads.items) ends.get(key)?.abort();
  files.clear();
  uploads.items = [];
}

export function sendAgain(key: number): void {
  const item = find(key);
  if (!item) return;
  Object.assign(item, { state: 'waiting', share: 0, refusal: null });
  sendNext();
}

function sendNext(): void {
  while (sending < lanes) {
    const next = uploads.items.find(({ state, kind }) => state === 'waiting' && kind !== 'url');
    if (!next) return;
    next.state = 'sending';
    sending++;
    void send(next.key).finally(() => {
      sending--;
      sendNext();
      startSoon();
    });
  }
}

async function send(key: number): Promise<void> {
  const file = files.get(key);
  if (!file) return;
  const end = new AbortController();
  ends.set(key, end);
  const onProgress = (share: number) => void Object.assign(find(key) ?? {}, { share });
  try {
    const { upload } = await sendFile(file, { signal: end.signal, onProgress });
    const check = find(key)?.kind === 'catalog' ? await checkCatalog(upload) : null;
    Object.assign(find(key) ?? {}, { upload, check, state: 'ready', share: 1 });
    files.delete(key);
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(0, { detail: String(error) });
    Object.assign(find(key) ?? {}, { refusal, state: 'refused' });
  }
  ends.delete(key);
}

/** Once more after a 401, when somebody has signed in meanwhile. */
async function sendFile(...given: Parameters<typeof uploadFile>): Promise<Upload> {
  try {
    return await uploadFile(...given);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401 || !(await askForKey())) throw error;
    return uploadFile(...given);
  }
}

const checkCatalog = (upload: string): Promise<DryRun> => batches.check({ catalog: { upload } });

export const pending = (): Item[] => uploads.items.filter(({ state }) => state === 'ready');
export const pendingImages = (): Item[] => pending().filter(({ kind }) => kind !== 'catalog');

/** Starts the pictures by itself once the last of them is up. */
function startSoon(): void {
  const isBusy = uploads.items.some(({ state }) => state === 'waiting' || state === 'sending');
  if (settings.auto && !isBusy && pendingImages().length > 0) void start(pendingImages());
}

/** Makes batches of these items; those of one catalog each, all others together. */
export async function start(items: Item[]): Promise<void> {
  if (uploads.starting) return;
  uploads.starting = true;
  try {
    for (const item of items.filter(({ kind }) => kind === 'catalog'))
      await startBatch([item], { catalog: { upload: item.upload ?? '' }, name: item.name });
    const pictures = items.filter(({ kind }) => kind !== 'catalog');
    for (let at = 0; at < pictures.length; at += mostImages) {
      const chunk = pictures.slice(at, at + mostImages);
      const images = chunk.map(({ kind, name, upload }) => ({
        source: kind === 'url' ? { url: name } : { upload: upload ?? '' },
      }));
      const [first] = chunk;
      await startBatch(chunk, { images, ...(first && { name: nameOf(first, chunk.length) }) });
    }
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), 'bad');
    // Without this the same refusal would come again with every file that is added.
    settings.auto = false;
  } finally {
    uploads.starting = false;
  }
}

async function startBatch(items: Item[], content: Parameters<typeof batches.create>[0]): Promise<void> {
  const webhook = settings.webhookUrl.trim();
  const common = { pipeline: pipelineOf(settings), ...(webhook !== '' && { webhook_url: webhook }) };
  const { id } = await batches.create({ ...content, ...common });
  for (const { key } of items) Object.assign(find(key) ?? {}, { state: 'started', batchId: id });
}

/** What a list of batches calls it; the API takes 255 characters. */
const nameOf = ({ name }: Item, among: number): string =>
  among === 1 ? name.slice(0, 255) : t.upload.named(name.slice(0, 200), among - 1);

/** Takes the images of a batch into the list: they come in the order in which they were sent. */
export async function refreshBatch(batchId: string): Promise<void> {
  const mine = uploads.items.filter((item) => item.batchId === batchId && item.kind !== 'catalog');
  if (mine.length === 0) return;
  const { items } = await batches.images(batchId, { limit: Math.min(mine.length, 500) });
  for (const [index, image] of items.entries()) {
    const item = mine[index];
    if (item) item.image = image;
  }
}
