// pictures-hostile-set.ts — every hostile file that the tests make, with the code it must end with.

import * as hostile from './pictures-hostile.ts';
import { photo, plain, sharpOf } from './pictures-made.ts';

export type HostileFile = { what: string; code: string; make: () => Buffer };

/** Markup inside polyglots, which must be in no result. */
export const marker = '<script>marker</script>';

/** The files, from three honest ones that are drawn first. */
export async function hostileFiles(): Promise<HostileFile[]> {
  const jpeg = await sharpOf(photo(120, 80)).jpeg().toBuffer();
  const progressive = await sharpOf(photo(120, 80)).jpeg({ progressive: true }).toBuffer();
  const avif = await sharpOf(plain(5000, 4000, [7, 7, 7]))
    .avif({ effort: 0 })
    .toBuffer();
  return table({ jpeg, progressive, avif }).map(([what, code, make]) => ({ what, code, make }));
}

type Honest = { jpeg: Buffer; progressive: Buffer; avif: Buffer };

const table = ({ jpeg, progressive, avif }: Honest): [string, string, () => Buffer][] => [
  ['PNG of 16000 x 16000', 'too_many_pixels', () => hostile.png({ width: 16_000, height: 16_000 })],
  ['PNG 786,464 wide', 'side_too_long', () => hostile.png({ width: 786_464, height: 1 })],
  [
    'interlaced PNG of 7000 x 7000 without pixels',
    'corrupt_image',
    () => hostile.png({ width: 7000, height: 7000, interlaced: true }),
  ],
  ['PNG with half its rows', 'corrupt_image', () => hostile.png({ width: 100, height: 100, data: Buffer.alloc(5050) })],
  ['PNG with a text of 300 MB', 'fine', () => hostile.wholePng(10, 10, [hostile.textBomb(300)])],
  ['PNG with a profile of 300 MB', 'fine', () => hostile.wholePng(10, 10, [hostile.profileBomb(300)])],
  ['WebP with the largest canvas', 'too_many_pixels', hostile.hugeWebp],
  ['AVIF of 20 megapixels', 'too_many_pixels', () => avif],
  ['JPEG claiming 65000 x 65000', 'side_too_long', () => hostile.claimingSides(jpeg, 65_000, 65_000)],
  ['JPEG claiming more than JPEG can have', 'corrupt_image', () => hostile.claimingSides(jpeg, 65_535, 65_535)],
  ['JPEG claiming 12000 x 12000', 'too_many_pixels', () => hostile.claimingSides(jpeg, 12_000, 12_000)],
  // It ends with its end mark, so browsers show the part that is there, and so do we.
  ['JPEG claiming 7000 x 7000 and ending early', 'fine', () => hostile.claimingSides(jpeg, 7000, 7000)],
  ['JPEG claiming no height', 'corrupt_image', () => hostile.claimingSides(jpeg, 100, 0)],
  ['half a JPEG', 'corrupt_image', () => jpeg.subarray(0, jpeg.length / 2)],
  ['JPEG of three bytes', 'corrupt_image', () => jpeg.subarray(0, 3)],
  ['JPEG with 1,000 APP1', 'fine', () => hostile.withSegments(jpeg, 1000, 'Exif\0\0nothing')],
  ['JPEG with HTML in it', 'fine', () => hostile.withSegments(jpeg, 1, marker)],
  ['JPEG with HTML behind it', 'fine', () => Buffer.concat([jpeg, Buffer.from(marker)])],
  ['GIF with JavaScript behind it', 'fine', () => Buffer.concat([hostile.gif(1), Buffer.from(marker)])],
  ['GIF of 10,000 frames', 'too_many_frames', () => hostile.gif(10_000)],
  ['TIFF of 60,000 pages', 'too_many_frames', () => hostile.tiff(60_000)],
  ['SVG', 'unsupported_format', () => Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['SVG, zipped', 'not_an_image', hostile.svgBomb],
  ['MVG', 'not_an_image', () => Buffer.from('push graphic-context\nimage over 0,0 0,0 "https://example.com"\n')],
  ['EPS', 'unsupported_format', () => Buffer.from('%!PS-Adobe-3.0 EPSF-3.0\n')],
  ['PDF', 'unsupported_format', () => Buffer.from('%PDF-1.7\n')],
  ['HEIC', 'unsupported_format', () => Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1')],
  ['HTML', 'not_an_image', () => Buffer.from('<!DOCTYPE html><title>404</title>')],
  ['text', 'not_an_image', () => Buffer.from('not found')],
  ['a text that begins with BM', 'not_an_image', () => Buffer.from('BMW is a car, and this is a text about it.')],
  ['nothing', 'not_an_image', () => Buffer.alloc(0)],
  ['noise', 'not_an_image', () => Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 167 + 13) & 255))],
  // It is decoded again and again until the time of a picture is over, or the decoder has had enough.
  ['JPEG with 5,000 scans', 'fine corrupt_image decode_timeout', () => hostile.withScans(progressive, 5000)],
  ['the same with 500 scans', 'fine corrupt_image', () => hostile.withScans(progressive, 500)],
  ['a whole PNG of 49 megapixels', 'fine', () => hostile.wholePng(7000, 7000)],
  [
    'interlaced PNG of 49 megapixels, whole',
    'corrupt_image',
    () => hostile.png({ width: 7000, height: 7000, interlaced: true, data: Buffer.alloc(7001 * 7000) }),
  ],
  ['GIF of 400 frames on a canvas of 4 megapixels', 'too_many_frames', () => hostile.gif(400, 2000, 2000)],
  ['TIFF that points at itself', 'fine corrupt_image', () => hostile.tiffLoop()],
  ['BMP whose rows lie outside', 'corrupt_image', () => hostile.bmpOutside()],
  ['PNM of a header only', 'corrupt_image', () => Buffer.from('P6 7000 7000 255\n')],
];
