// requests.ts — an order or an act as the request that a client would send.

import type { Act, Order } from './ledger.ts';
import type { Outside } from './outside.ts';
import { killerNumber, pictureOf } from './pictures.ts';

export type Request = {
  method: 'POST' | 'DELETE';
  path: string;
  headers: Record<string, string>;
  /** Made anew for each try: a form can be sent once. */
  body?: () => string | FormData;
};

/** Numbers of the pictures of an order, in the order of their positions. */
export function numbersOf({ first, count, deadly }: Order): number[] {
  const numbers = Array.from({ length: count }, (_, at) => first + at);
  return deadly ? numbers.with(Math.floor(count / 2), killerNumber) : numbers;
}

/** Uploads are judged when they arrive, so a form holds only pictures that are some. */
export const uploadNumber = (n: number): number => (n % 60 === 51 ? n + 1 : n);

export function orderRequest(order: Order, outside: Outside): Request {
  const { key, kind } = order;
  const headers = { 'idempotency-key': key };
  const hook = order.webhook ? { webhook_url: outside.hookUrl } : {};
  if (kind === 'list') {
    const images = numbersOf(order).map((n) => ({ source: { url: outside.pictureUrl(n, key) } }));
    const body = JSON.stringify({ name: key, images, ...hook });
    return {
      method: 'POST',
      path: '/v1/batches',
      headers: { ...headers, 'content-type': 'application/json' },
      body: () => body,
    };
  }
  const files = kind === 'form' ? picturesOf(order) : [{ name: `${key}.csv`, content: catalogOf(order, outside) }];
  const body = (): FormData => {
    const form = new FormData();
    for (const [name, value] of Object.entries(kind === 'seed' ? hook : { name: key, ...hook }))
      form.append(name, value);
    for (const { name, content } of files) form.append('file', new File([content], name));
    return form;
  };
  // The older surface has no name of its own for a batch: the file's counts.
  return { method: 'POST', path: kind === 'seed' ? '/upload' : '/v1/batches', headers, body };
}

function picturesOf(order: Order) {
  return numbersOf(order).map((n) => ({ name: `${uploadNumber(n)}.png`, content: pictureOf(uploadNumber(n)) }));
}

/** Three pictures a product, as shops have them. */
function catalogOf(order: Order, outside: Outside): string {
  const numbers = numbersOf(order);
  const rows = ['S. No.,Product Name,Input Image Urls'];
  for (let at = 0; at < numbers.length; at += 3) {
    const urls = numbers.slice(at, at + 3).map((n) => outside.pictureUrl(n, order.key));
    rows.push(`${at + 1},Product ${at + 1},"${urls.join(',')}"`);
  }
  return rows.join('\n');
}

export function actRequest({ key, kind }: Act, id: string): Request {
  const headers = { 'idempotency-key': key };
  if (kind === 'delete') return { method: 'DELETE', path: `/v1/batches/${id}?cancel=true`, headers };
  return { method: 'POST', path: `/v1/batches/${id}/${kind}`, headers };
}
