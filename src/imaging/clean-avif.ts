// clean-avif.ts — blanks EXIF and XMP inside an AVIF file (ISO 14496-12).
//
// Nothing is moved, since offsets all over the file would have to follow: the bytes of those items become zeros.

type Box = { type: string; from: number; end: number };
type Item = { id: number; extents: { from: number; length: number }[]; method: number };

/** The file with the bytes of its EXIF and XMP items zeroed; null when it is not laid out as expected. */
export function cleanAvif(bytes: Buffer): Buffer | null {
  try {
    const meta = boxes(bytes, 0, bytes.length).find(({ type }) => type === 'meta');
    if (!meta) return null;
    const inside = boxes(bytes, meta.from + 4, meta.end);
    const info = inside.find(({ type }) => type === 'iinf');
    const places = inside.find(({ type }) => type === 'iloc');
    if (!info || !places) return null;
    const hidden = metadataItems(bytes, info);
    const data = inside.find(({ type }) => type === 'idat');
    const copy = Buffer.from(bytes);
    for (const item of itemPlaces(bytes, places)) {
      if (!hidden.has(item.id)) continue;
      // Method 1 counts from the start of `idat`, method 0 from the start of the file.
      if (item.method > 1 || (item.method === 1 && !data)) return null;
      const base = item.method === 1 ? data!.from : 0;
      for (const { from, length } of item.extents) {
        // Length zero means the rest of the file, which then holds more than metadata.
        if (length === 0 || base + from + length > bytes.length) return null;
        copy.fill(0, base + from, base + from + length);
      }
    }
    return copy;
  } catch {
    // A read beyond the end: the container is malformed, so there is no copy of it.
    return null;
  }
}

function boxes(bytes: Buffer, start: number, end: number): Box[] {
  const found: Box[] = [];
  let at = start;
  while (at + 8 <= end) {
    let size = bytes.readUInt32BE(at);
    let head = 8;
    if (size === 1) {
      size = Number(bytes.readBigUInt64BE(at + 8));
      head = 16;
    } else if (size === 0) size = end - at;
    if (size < head || at + size > end) throw new Error('a box outside its parent');
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), from: at + head, end: at + size });
    at += size;
  }
  return found;
}

/** Ids of the items that hold EXIF or XMP (which is an item of type `mime`). */
function metadataItems(bytes: Buffer, info: Box): Set<number> {
  const version = bytes[info.from]!;
  const entries = boxes(bytes, info.from + (version === 0 ? 6 : 8), info.end);
  const ids = new Set<number>();
  for (const { from } of entries) {
    const wide = bytes[from]! >= 3;
    const id = wide ? bytes.readUInt32BE(from + 4) : bytes.readUInt16BE(from + 4);
    const at = from + (wide ? 10 : 8);
    const type = bytes.toString('latin1', at, at + 4);
    if (type === 'Exif' || type === 'mime') ids.add(id);
  }
  return ids;
}

function itemPlaces(bytes: Buffer, box: Box): Item[] {
  const version = bytes[box.from]!;
  const sizes = bytes.readUInt16BE(box.from + 4);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  let at = box.from + 6;
  const number = (size: number): number => {
    const value = size === 0 ? 0 : size === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, size);
    at += size;
    return value;
  };
  const items: Item[] = [];
  const count = number(version < 2 ? 2 : 4);
  for (let i = 0; i < count; i++) {
    const id = number(version < 2 ? 2 : 4);
    const method = version > 0 ? number(2) & 15 : 0;
    number(2);
    const base = number(baseSize);
    const extents = Array.from({ length: number(2) }, () => {
      number(indexSize);
      const from = base + number(offsetSize);
      return { from, length: number(lengthSize) };
    });
    items.push({ id, method, extents });
  }
  return items;
}
