/** How every command ends: with an exit status, and with one sentence where it was used wrongly. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from '../kernel/failure.ts';
import { brief } from '../kernel/exchange.ts';

/** Runs a command; its number is the exit status. A UsageError is one sentence on standard error and status 2. */
export async function exitWith(command: () => Promise<number> | number): Promise<never> {
  let status = 2;
  // The reader of a pipe may leave early, as "| head" does: there is nobody left to write to.
  process.stdout.on('error', () => process.exit(status));
  try {
    status = await command();
  } catch (error) {
    if (error instanceof UsageError) console.error(brief(error.message, 500));
    else {
      console.error(
        'The workbook itself failed; this is not your fault. Please report it with the lines below.',
      );
      console.error(error);
    }
  }
  await flushed();
  process.exit(status);
}

/** The words of the command line. Ends the process with status 2 and one sentence where there is one that nobody knows. */
export function words<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const [sentence = ''] = String(error instanceof Error ? error.message : error).split(
      /\.?\n|\. /,
    );
    console.error(`${sentence}. "--help" shows what there is.`);
    process.exit(2);
  }
}

/** Waits until standard output has taken everything: a pipe may be slow, and process.exit does not wait. */
async function flushed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0)
      await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
}
