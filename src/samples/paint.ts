// paint.ts — turns a scene into the bytes of a picture that the sandbox can read.
//
// A scene is a function from a place to a colour, so it can be drawn at any size and turned. Only uncompressed formats
// are written here (PPM, and BMP where there is transparency): codecs stay in the sandbox.

import { setImmediate as breathe } from 'node:timers/promises';

/** Red, green, blue, and opacity: 0 to 1. */
export type Ink = readonly [number, number, number, number?];
/** x and y run from 0 to 1; `edge` is half the width of a pixel, for soft edges. */
export type Scene = (x: number, y: number, edge: number) => Ink;
export type Canvas = {
  width: number;
  height: number;
  scene: Scene;
  transparent?: boolean;
  /** Stored lying on its side, as a camera held upright writes it: EXIF orientation 6 turns it back. */
  lying?: boolean;
};

/** Draws in bands and lets the event loop run between them: a picture of two megapixels takes a tenth of a second. */
export async function paint(canvas: Canvas): Promise<Buffer> {
  const { scene, transparent = false, lying = false } = canvas;
  const width = lying ? canvas.height : canvas.width;
  const height = lying ? canvas.width : canvas.height;
  const header = transparent ? bmpHeader(width, height) : Buffer.from(`P6\n${width} ${height}\n255\n`);
  const channels = transparent ? 4 : 3;
  const bytes = Buffer.alloc(header.length + width * height * channels);
  header.copy(bytes);
  const edge = 1 / Math.min(width, height);

  let at = header.length;
  for (let row = 0; row < height; row++) {
    if (row % 32 === 0) await breathe();
    for (let column = 0; column < width; column++, at += channels) {
      const x = (column + 0.5) / width;
      const y = (row + 0.5) / height;
      const [red, green, blue, opacity = 1] = lying ? scene(1 - y, x, edge) : scene(x, y, edge);
      // A BMP keeps blue first.
      bytes[at] = byte(transparent ? blue : red);
      bytes[at + 1] = byte(green);
      bytes[at + 2] = byte(transparent ? red : blue);
      if (transparent) bytes[at + 3] = byte(opacity);
    }
  }
  return bytes;
}

const byte = (share: number): number => Math.max(0, Math.min(255, Math.round(share * 255)));

/** File header and BITMAPV4HEADER: the oldest form that names a mask for opacity. A negative height means top-down. */
function bmpHeader(width: number, height: number): Buffer {
  const header = Buffer.alloc(14 + 108);
  header.write('BM');
  header.writeUInt32LE(header.length + width * height * 4, 2);
  header.writeUInt32LE(header.length, 10);
  header.writeUInt32LE(108, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(-height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(32, 28);
  header.writeUInt32LE(3, 30);
  [0xff0000, 0xff00, 0xff, 0xff000000].forEach((mask, index) => header.writeUInt32LE(mask, 54 + index * 4));
  header.write('BGRs', 70);
  return header;
}

/** Writes an EXIF segment that says only how the picture lies, right after the first marker of a JPEG. */
export function withOrientation(jpeg: Buffer, orientation: number): Buffer {
  const segment = Buffer.alloc(36);
  segment.writeUInt16BE(0xffe1, 0);
  segment.writeUInt16BE(segment.length - 2, 2);
  segment.write('Exif\0\0MM\0*\0\0\0\u0008', 4, 'latin1');
  segment.writeUInt16BE(1, 18); // one entry: tag 0x0112, one short
  segment.writeUInt16BE(0x0112, 20);
  segment.writeUInt16BE(3, 22);
  segment.writeUInt32BE(1, 24);
  segment.writeUInt16BE(orientation, 28);
  return Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
}
