/** One question that is answered with yes or no. */
import { createInterface } from 'node:readline/promises';
import { UsageError } from '../kernel/failure.ts';
import type { Flags } from './flags.ts';

/** @throws UsageError without a terminal: then the answer has to be given beforehand, with --yes */
export async function ask(question: string, flags: Flags): Promise<boolean> {
  if (flags.yes) return true;
  if (!process.stdin.isTTY)
    throw new UsageError(
      `${question} There is no terminal to answer on: add "-- --yes" to the command if you mean it.`,
    );
  const line = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await line.question(`${question} (y/n) `);
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    line.close();
  }
}
