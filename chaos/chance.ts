// chance.ts — chance that can be repeated: the same seed throws the same dice.

export type Chance = {
  /** In 0..1, 1 excluded. */
  part(): number;
  /** A whole number in 0..below, `below` excluded. */
  below(below: number): number;
  /** Between `from` and `to`. */
  between(from: number, to: number): number;
  /** One of them; throws when there is none. */
  oneOf<T>(things: readonly T[]): T;
};

/** `name` keeps apart what must not shift when another part throws once more. */
export function seeded(seed: number, name: string): Chance {
  let state = seed * 2_654_435_761;
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x5bd1e995);
  // Mulberry32: small, and good enough in every bit.
  const part = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (most: number): number => Math.floor(part() * most);
  return {
    part,
    below,
    between: (from, to) => from + part() * (to - from),
    oneOf(things) {
      const index = below(things.length);
      if (index >= things.length) throw new Error('There is nothing to choose from.');
      return things[index] as (typeof things)[number];
    },
  };
}
