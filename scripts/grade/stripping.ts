/**
 * Strips the types of a staged submission before its programs start, as it is told on standard input, one JSON line each. In
 * a process of its own: the library takes long to load, so it is loaded once for all of them, and a file can be made to keep it
 * busy for hours, so it can be ended. What was not stripped in time is left to the program's own start.
 */
import { createInterface } from 'node:readline';
import { stripAhead } from './loading.ts';
import type { Answer, Job } from './worker.ts';

for await (const line of createInterface({ input: process.stdin })) {
  const { id, stage } = JSON.parse(line) as Job;
  stripAhead(stage);
  process.stdout.write(`${JSON.stringify({ id } satisfies Answer & { id: number })}\n`);
}
process.exit(0);
