/** A copy of the project to work in, so that nobody's lessons and progress are touched. */
import { cpSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectRoot } from '../kernel/course.ts';
import { scratchFolder } from '../kernel/leftovers.ts';

const parts = ['lessons', 'solutions', 'tests', 'scripts', 'package.json', 'tsconfig.json'];

export function scratchProject(): { dir: string; remove: () => void } {
  const dir = scratchFolder(tmpdir(), 'workbook-scratch');
  for (const part of parts)
    cpSync(join(projectRoot, part), join(dir, part), {
      recursive: true,
      filter: (source) => basename(source) !== 'node_modules',
    });
  symlinkSync(join(projectRoot, 'node_modules'), join(dir, 'node_modules'), 'junction');
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }) };
}
