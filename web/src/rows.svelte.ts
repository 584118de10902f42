// rows.svelte.ts — the images of a batch for a list that shows a few of up to a million.
//
// Without a filter every place of the list is known from the start and a page is asked for when it comes into view.
// With one the end is not known: pages follow each other by cursor as far as somebody scrolls.

import { batches, Refusal, type Image, type ImagesQuery, type Page } from './api/index.ts';

export type Filter = Pick<ImagesQuery, 'state' | 'code' | 'host' | 'q'>;
const pageSize = 100;

export function imageRows(batchId: string) {
  let filter: Filter = {};
  let images = $state.raw<(Image | undefined)[]>([]);
  let refusal = $state.raw<Refusal | undefined>();
  let loaded = $state(false);
  let cursor: string | null = null;
  let seen = { from: 0, to: 0 };
  let version = 0;
  // Asked for before the length of the list is known, so that both come at the same time.
  let early: Promise<Page<Image>> | undefined = batches.images(batchId, { from_position: 1, limit: pageSize });
  early.catch(() => {});
  const asked = new Set<number>();
  const isFiltered = () => Object.values(filter).some((value) => value !== undefined && value !== '');

  /** Begins anew: another filter, or another number of rows. */
  function reset(next: Filter, total: number): void {
    filter = next;
    version++;
    asked.clear();
    cursor = null;
    loaded = false;
    images = isFiltered() ? [] : Array.from({ length: total }, () => undefined);
    if (isFiltered()) void more();
    else see(0, 0);
  }

  /** These rows are in view. */
  function see(from: number, to: number): void {
    seen = { from, to };
    if (!isFiltered())
      for (let page = Math.floor(from / pageSize); page <= Math.floor(to / pageSize); page++) void load(page);
    else if (cursor !== null && to > images.length - 30) void more();
  }

  async function load(page: number, again = false): Promise<void> {
    if (asked.has(page) && !again) return;
    asked.add(page);
    const found = await ask({ from_position: page * pageSize + 1, limit: pageSize });
    if (!found) return void asked.delete(page);
    const next = images.slice();
    for (const image of found.items) {
      const at = image.position - 1;
      if (at >= page * pageSize && at < (page + 1) * pageSize && at < next.length) next[at] = image;
    }
    images = next;
    loaded = true;
    // While the catalog is still being read, what is missing comes later.
    if (found.items.length < Math.min(pageSize, images.length - page * pageSize)) asked.delete(page);
  }

  async function more(): Promise<void> {
    const from = cursor;
    const found = await ask({ ...filter, limit: pageSize, ...(from !== null && { cursor: from }) });
    if (!found || cursor !== from) return;
    images = from === null ? found.items : [...images, ...found.items];
    cursor = found.next_cursor;
    loaded = true;
  }

  /** Asks again for what is in view. */
  async function refresh(): Promise<void> {
    if (!isFiltered()) {
      const first = Math.floor(seen.from / pageSize);
      const last = Math.floor(seen.to / pageSize);
      for (let page = first; page <= last; page++) await load(page, true);
      return;
    }
    // Who has scrolled far keeps what is there: asking for all of it again would cost more than it tells.
    if (images.length > 500) return;
    const found = await ask({ ...filter, limit: Math.max(pageSize, images.length) });
    if (!found) return;
    images = found.items;
    cursor = found.next_cursor;
  }

  async function ask(query: ImagesQuery) {
    const mine = version;
    try {
      const begun = query.from_position === 1 ? early : undefined;
      early = undefined;
      const found = await (begun ?? batches.images(batchId, query));
      if (mine !== version) return undefined;
      refusal = undefined;
      return found;
    } catch (error) {
      if (mine === version && error instanceof Refusal) refusal = error;
      return undefined;
    }
  }

  return {
    get images() {
      return images;
    },
    get refusal() {
      return refusal;
    },
    get loaded() {
      return loaded;
    },
    get isFiltered() {
      return isFiltered();
    },
    reset,
    see,
    refresh,
  };
}
