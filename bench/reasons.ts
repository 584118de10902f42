// reasons.ts — why a row loses, a sentence each; RESULTS.md shows those of the rows that do.
//
// Written by whoever measured, and changed when it is no longer true. A key is a row's name or the part before its dash.

import type { Row } from './lib/table.ts';

const reasons: Record<string, string> = {
  T1a: 'Nobody is faster than sharp alone on the same cores; fetching, the pipe to the child and the database are the rest.',
  T1f: 'As T1a; the encoder works less, so our own share is larger.',
  T2: 'As T1a; shrinking on load leaves so little decoding that transport shows.',
  T3: 'As T1a; a thumbnail is nearly all transport.',
  T4: 'Fetching is on both sides here; what is left is the pipe to the child, the database and files with unguessable names.',
  T5: 'The CPU of the service itself: body through the parent, pipe, settle, event.',
  T5s: 'The price of decoding in a child: the body crosses a pipe, and the child checks its header apart.',
  T5g: 'Each body is counted and its pace watched, each connection judged.',
  T6: 'Pillow recompresses JPEG as fast as sharp; what we win is plumbing.',
  T7: 'Optimised Huffman tables cost a second pass over the coefficients and save 9 % of the bytes; `fast` leaves them out (T6).',
  T8: 'Against an equally parallel peer on the same codec only the plumbing differs.',
  T9: 'As T8.',
  T10: 'As seeded the peer leaves cores idle; how many there are decides this row.',
  T11: 'The four encoders cannot be shared, and the largest of them is most of the work.',
  T12: 'The second mention costs a row, a claim and a settle.',
  T13: 'A job of nothing still is a row, a claim, a fetch, two frames through a pipe, a file, a settle and an event.',
  T14: 'As T13; the peers keep neither events nor attempts.',
  T15: 'A submission is a transaction of several statements with the event in it, and events are numbered one after the other.',
  T16: 'Every row is judged as a URL and inserted with an id of its own; the embedded database runs on one thread with all else.',
  T17: 'A settle writes image, rendition, file, counters and event in one transaction.',
  T18: 'Rows are read by pages, so that no catalog is ever whole in memory.',
  T19: 'Each child is a Node of its own with sharp loaded.',
  T20: 'Two cores, and every slot decodes; the kernel decides who runs.',
  T21: 'Somebody who waits goes first, but a running image is not interrupted.',
  T22: 'Readers gather for 25 ms and deliveries for 100 ms, so that one look at the tables serves many.',
  T23: 'A worker is dead after ten silent seconds, and looked for every two.',
  T24: 'More workers on the same cores are more children for the same work.',
  T25: 'The first start makes the embedded database; later ones load Node, sharp and the database.',
};

export function reasonOf({ id, note, verdict }: Pick<Row, 'id' | 'note' | 'verdict'>): string {
  if (verdict === 'refused') return note ?? '';
  const [stem = ''] = id.split('-', 1);
  return reasons[id] ?? reasons[stem] ?? reasons[stem.replace(/[a-z]$/, '')] ?? '';
}
