/** The README's table of figures, between two marks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../kernel/course.ts';

const start = '<!-- bench: written by "npm run bench" -->';
const end = '<!-- /bench -->';

export function writeTable(lines: string[]): void {
  const file = join(projectRoot, 'README.md');
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error('README.md has no place for the table');
  writeFileSync(
    file,
    `${text.slice(0, from + start.length)}\n\n${lines.join('\n')}\n\n${text.slice(to)}`,
  );
}
