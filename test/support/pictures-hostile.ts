// pictures-hostile.ts — files that hurt, made byte by byte: no encoder would write them.

import { crc32, deflateSync, gzipSync } from 'node:zlib';

type Png = { width: number; height: number; interlaced?: boolean; before?: Buffer[]; data?: Buffer };

function chunk(type: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write(type, 4, 'latin1');
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(data, crc32(Buffer.from(type, 'latin1'))));
  return Buffer.concat([head, data, check]);
}

/** A grey 8-bit PNG that claims any size, with as many bytes of picture as given. */
export function png({ width, height, interlaced = false, before = [], data = Buffer.alloc(0) }: Png): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, interlaced ? 1 : 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...before,
    chunk('IDAT', deflateSync(data)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Black, whole, and as large as it says. */
export function wholePng(width: number, height: number, before: Buffer[] = []): Buffer {
  return png({ width, height, before, data: Buffer.alloc((width + 1) * height) });
}

/** A text chunk that unpacks to `megabytes`. */
export function textBomb(megabytes: number): Buffer {
  return chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(megabytes * 1024 * 1024))]));
}

/** A colour profile that unpacks to `megabytes`. */
export function profileBomb(megabytes: number): Buffer {
  return chunk('iCCP', Buffer.concat([Buffer.from('Profile\0\0'), deflateSync(Buffer.alloc(megabytes * 1024 * 1024))]));
}

/** A GIF of many frames of one pixel. */
export function gif(frames: number, width = 1, height = 1): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  const frame = Buffer.from('\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0', 'latin1');
  return Buffer.concat([head, ...Array<Buffer>(frames).fill(frame), Buffer.from(';')]);
}

/** A WebP (lossless) that claims the largest canvas. */
export function hugeWebp(): Buffer {
  const bits = 16_382 | (16_382 << 14);
  const data = Buffer.from([0x2f, bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255, bits >>> 24, 0, 0, 0, 0, 0]);
  const file = Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBPVP8L\0\0\0\0', 'latin1'), data]);
  file.writeUInt32LE(file.length - 8, 4);
  file.writeUInt32LE(data.length, 16);
  return file;
}

/** The same JPEG with other sides in its header. */
export function claimingSides(jpeg: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(jpeg);
  const frame = [0xc0, 0xc2].map((marker) => copy.indexOf(Buffer.from([0xff, marker]))).find((at) => at > 0)!;
  copy.writeUInt16BE(height, frame + 5);
  copy.writeUInt16BE(width, frame + 7);
  return copy;
}

/** The same JPEG with `count` segments of metadata in front. */
export function withSegments(jpeg: Buffer, count: number, text: string): Buffer {
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, text.length + 2]), Buffer.from(text)]);
  return Buffer.concat([jpeg.subarray(0, 2), ...Array<Buffer>(count).fill(segment), jpeg.subarray(2)]);
}

/** A progressive JPEG whose last scan comes again and again. */
export function withScans(progressive: Buffer, count: number): Buffer {
  const at = progressive.lastIndexOf(Buffer.from([0xff, 0xda]));
  const scan = progressive.subarray(at, -2);
  return Buffer.concat([progressive.subarray(0, -2), ...Array<Buffer>(count).fill(scan), progressive.subarray(-2)]);
}

/** A TIFF of many pages that all show the same pixel. */
export function tiff(pages: number): Buffer {
  const entries = [
    [256, 1],
    [257, 1],
    [258, 8],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, 1],
    [278, 1],
    [279, 1],
  ];
  const size = 2 + entries.length * 12 + 4;
  const file = Buffer.alloc(12 + pages * size);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(12, 4);
  for (let page = 0; page < pages; page++) {
    const at = 12 + page * size;
    file.writeUInt16LE(entries.length, at);
    for (const [i, [tag, value]] of entries.entries()) {
      file.writeUInt16LE(tag!, at + 2 + i * 12);
      file.writeUInt16LE(4, at + 4 + i * 12);
      file.writeUInt32LE(1, at + 6 + i * 12);
      file.writeUInt32LE(value!, at + 10 + i * 12);
    }
    file.writeUInt32LE(page + 1 < pages ? at + size : 0, at + size - 4);
  }
  return file;
}

/** A TIFF whose only page is followed by itself. */
export function tiffLoop(): Buffer {
  const file = tiff(1);
  file.writeUInt32LE(12, file.length - 4);
  return file;
}

/** A BMP whose header says that its pixels begin far behind its end. */
export function bmpOutside(): Buffer {
  const file = Buffer.alloc(54 + 12);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(0x7fffff00, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(2, 18);
  file.writeInt32LE(2, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  return file;
}

export const svgBomb = (): Buffer =>
  gzipSync(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${' '.repeat(1e6)}</svg>`));
