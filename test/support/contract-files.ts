// contract-files.ts — runs a contract's file against a running service, with either kind of slash.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { blocksOf, otherSlash, runBlock } from './contracts.ts';
import { openReceiver } from './receiver.ts';
import { openServed } from './served.ts';
import type { EngineName } from './databases.ts';
import { writeReadmePictures } from './upload-pictures.ts';

/** Runs every block of test/contracts/<name>.md, each against a service with no data; tells how many commands it ran. */
export async function runContract(
  name: string,
  engine: EngineName,
  slashes: 'as written' | 'the other way',
): Promise<number> {
  const text = await readFile(new URL(`../contracts/${name}.md`, import.meta.url), 'utf8');
  const blocks = blocksOf(text);
  for (const steps of blocks) {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using served = await openServed(engine, { allow: [receiver.host] });
    const folder = await mkdtemp(join(tmpdir(), 'darkroom-contract-'));
    try {
      await writeFile(join(folder, 'test.csv'), testCsv(served.pictures.host));
      await writeFile(join(folder, 'image.jpg'), await flatJpeg(1600, 800));
      await writeReadmePictures(folder);
      const { host } = new URL(served.url);
      await runBlock(steps, {
        folder,
        addresses: [
          ['127.0.0.1:8000', host],
          ['localhost:8000', host.replace('127.0.0.1', 'localhost')],
          ['127.0.0.1:9001', served.pictures.host],
          ['127.0.0.1:9002', receiver.host],
          // Somebody's real domains: a test run must not call them.
          ['your-webhook.com', 'your-webhook.example'],
          ['example.com', 'pictures.example'],
        ],
        ...(slashes === 'the other way' && { spell: otherSlash }),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return blocks.flat().length;
}

/** `test.csv` of the contract. */
export function testCsv(host: string): string {
  const at = (name: string) => `http://${host}/${name}`;
  return `S. No.,Product Name,Input Image Urls\n1,SKU1,"${at('a.jpg')},${at('gone.jpg')},${at('b.png')}"\n2,SKU2,${at('b.png')}\n`;
}

const flatJpeg = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#7a5c3e' } })
    .jpeg()
    .toBuffer();
