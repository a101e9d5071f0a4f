import type { Program } from '../../scripts/kernel/program.ts';

/** How often the program said that it begins to drain: what it says of it later, in other words, is no second beginning. */
export function drainingLines({ stdout }: Program): number {
  const plain = stdout
    .split(/\r?\n/)
    .filter((line) => line.startsWith('Draining'))
    .map((line) => line.replace(/\bSIG[A-Z]+\b|\d+/g, '…'));
  return plain.filter((line) => line === plain[0]).length;
}
