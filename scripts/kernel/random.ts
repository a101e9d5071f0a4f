/** Values that differ from run to run and can be had again with the same seed. */
import { createHash } from 'node:crypto';

export interface Random {
  int(min: number, max: number): number;
  word(): string;
  pick<T>(list: readonly T[]): T;
}

/** A small generator (mulberry32), begun from a text. */
export function random(from: string): Random {
  let state = createHash('sha256').update(from).digest().readUInt32LE();
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    int,
    // No vowels but a and o: a word that nobody has to read aloud stays harmless.
    word: () =>
      Array.from({ length: int(6, 9) }, (_, i) =>
        i % 2 ? 'ao'[int(0, 1)] : 'bdfgklmnprstvz'[int(0, 13)],
      ).join(''),
    pick: (list) => {
      const item = list[int(0, list.length - 1)];
      if (item === undefined) throw new Error('pick from an empty list');
      return item;
    },
  };
}
