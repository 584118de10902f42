// gallery.ts — a source of pictures on loopback: every path another picture, some missing, and it counts who asks.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';

export type Gallery = AsyncDisposable & {
  /** `127.0.0.1:PORT`, as DARKROOM_ALLOW_HOSTS wants it. */
  host: string;
  /** The URL of the n-th picture. */
  url: (n: number) => string;
  /** How often each path was asked for. */
  asked: Map<string, number>;
};

/** Serves `/<n>.jpg`: a JPEG whose bytes no other path has. `missing` paths are 404. `delayMs` before each answer. */
export async function openGallery({
  missing = () => false,
  delayMs = 0,
  onAsk = () => {},
}: { missing?: (n: number) => boolean; delayMs?: number; onAsk?: (n: number) => void } = {}): Promise<Gallery> {
  const picture = await sharp({
    create: {
      width: 640,
      height: 480,
      channels: 3,
      background: '#777',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .jpeg({ quality: 90 })
    .toBuffer();
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const n = Number(/(\d+)\.jpg$/.exec(path)?.[1] ?? 0);
    onAsk(n);
    setTimeout(() => {
      if (missing(n)) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': 'image/jpeg' }).end(numbered(picture, path));
    }, delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: (n) => `http://${host}/${n}.jpg`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The picture with a comment segment after its first marker: other bytes, same pixels. */
function numbered(picture: Buffer, text: string): Buffer {
  const comment = Buffer.from(text);
  const head = Buffer.from([0xff, 0xfe, 0, comment.length + 2]);
  return Buffer.concat([picture.subarray(0, 2), head, comment, picture.subarray(2)]);
}
