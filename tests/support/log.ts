/** The log of the server events lesson, as every lesson reads it that uses it. */
import type { Program } from '../../scripts/kernel/program.ts';

export const linesOf = (text: string): string[] => text.split(/\r?\n/).map((line) => line.trim());

export interface LogLine {
  status: string;
  ms: number;
  text: string;
}

/** The log lines for a request target, in the order in which they were printed. */
export function logged(program: Program, method: string, target: string): LogLine[] {
  return linesOf(program.stdout).flatMap((text) => {
    const [, m, url, status = '', ms = ''] =
      /^(\S+) (\S+) (\d{3}|aborted) (\d+(?:\.\d+)?) ?ms$/.exec(text) ?? [];
    return m === method && url === target ? [{ status, ms: Number(ms), text }] : [];
  });
}
