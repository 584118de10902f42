// picture-source.ts — a source of pictures on loopback: a.jpg, b.png, test_image.pgm, else 404; it can be held to keep a batch running.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';

export type PictureSource = AsyncDisposable & {
  /** `127.0.0.1:PORT` */
  host: string;
  /** How often each path was asked for. */
  asked: Map<string, number>;
  /** From now on nothing is answered until the returned function is called. */
  hold(): () => void;
};

/** Opens the source; the pictures are drawn here, so that no photo lies in the repository. */
export async function openPictureSource(): Promise<PictureSource> {
  const files = new Map([
    ['/a.jpg', await drawn().jpeg({ quality: 90 }).toBuffer()],
    ['/b.png', await drawn().png().toBuffer()],
    ['/test_image.pgm', Buffer.concat([Buffer.from('P5\n640 480\n255\n'), Buffer.alloc(640 * 480, 'grey levels ')])],
  ]);
  const asked = new Map<string, number>();
  let held = Promise.resolve();
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const body = files.get(path);
    void held.then(() => response.writeHead(body ? 200 : 404).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Noise over a gradient: large enough that quality 50 makes it smaller. */
function drawn() {
  const [width, height] = [320, 200];
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = (at / 900 + ((at * 7919) % 61)) % 256;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}
