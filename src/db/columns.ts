// columns.ts — many rows as one parameter a column, for `unnest`.
//
// The driver would write an array as text and escape each value for it, and the server would take that apart again: a
// quarter of what inserting a catalog cost. Numbers and ids need no escape; text goes in PostgreSQL's binary form.

const textOid = 25;

/** Numbers or ids, for a cast to int[] or uuid[]. Where all is null it is empty, as text is. */
export function plainColumn(values: (number | string | null)[]): string {
  if (values.every((value) => value === null)) return '{}';
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** Text of any kind, for a cast to text[]. Where all is null it is empty: `unnest` fills it up beside a longer one. */
export function textColumn(values: (string | null)[]): Buffer {
  if (values.every((value) => value === null)) return words([0, 1, textOid]);
  // Dimensions, whether nulls may come, type; the length of the one dimension and its first index.
  const head = words([1, 1, textOid, values.length, 1]);
  // A UTF-16 unit has at most three bytes in UTF-8.
  const most = values.reduce((sum, value) => sum + 4 + 3 * (value?.length ?? 0), head.length);
  const array = Buffer.allocUnsafe(most);
  let at = head.copy(array);
  for (const value of values) {
    const bytes = value === null ? -1 : array.write(value, at + 4);
    array.writeInt32BE(bytes, at);
    at += 4 + Math.max(0, bytes);
  }
  return array.subarray(0, at);
}

function words(values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index);
  return bytes;
}
