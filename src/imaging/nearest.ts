// nearest.ts — finds what somebody may have meant.

/** The known word within two edits of `word`; a tie goes to the first. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 40) return undefined;
  let best: string | undefined;
  // One or two letters are two edits from nearly everything.
  let least = Math.min(2, word.length - 1) + 1;
  for (const each of known) {
    if (Math.abs(each.length - word.length) >= least) continue;
    const edits = distance(word, each);
    if (edits < least) [best, least] = [each, edits];
  }
  return best;
}

/** Edits between two words, where two neighbours that changed places count as one. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const least = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      rows[i]![j] = swapped ? Math.min(least, rows[i - 2]![j - 2]! + 1) : least;
    }
  return rows[a.length]![b.length]!;
}
