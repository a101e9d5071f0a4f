/** The stubs on disk are those that the solutions stand for. */
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { projectRoot, type Lesson } from '../kernel/course.ts';
import { stubOf } from '../kernel/stub.ts';
import { writer, type Problem } from './problem.ts';

export interface Stub {
  /** Relative to the project. */
  file: string;
  text: string;
}

/** The stubs of a lesson as they must be; a solution whose regions are broken is a problem. */
export function stubsOf(lesson: Lesson): { stubs: Stub[]; problems: Problem[] } {
  const stubs: Stub[] = [];
  const problems: Problem[] = [];
  for (const file of lesson.edits) {
    const solution = `solutions/${lesson.name}/${file}`;
    if (!existsSync(join(projectRoot, solution))) continue; // Reported as missing.
    try {
      stubs.push({ file: `lessons/${lesson.name}/${file}`, text: stubOf(lesson, file) });
    } catch (error) {
      problems.push({
        file: solution,
        line: 0,
        problem: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return { stubs, problems };
}

const onDisk = ({ file }: Stub): string | null =>
  existsSync(join(projectRoot, file))
    ? readFileSync(join(projectRoot, file), 'utf8').replaceAll('\r\n', '\n')
    : null;

export const staleStubs = (lesson: Lesson, stubs: Stub[]): Problem[] =>
  stubs
    .filter((stub) => onDisk(stub) !== null && onDisk(stub) !== stub.text)
    .map(({ file }) => ({
      file,
      line: 0,
      problem: `This is not the stub that the solution stands for; ${writer(lesson.name, 'write')} writes it (or you have begun the lesson).`,
    }));

/** Writes the stubs that differ. What stood there, perhaps somebody's work, is kept in `.workbook/replaced/`. */
export async function writeStubs(stubs: Stub[]): Promise<string[]> {
  const written: string[] = [];
  for (const stub of stubs) {
    const before = onDisk(stub);
    if (before === stub.text) continue;
    const path = join(projectRoot, stub.file);
    if (before !== null) {
      const kept = join(projectRoot, '.workbook', 'replaced', stub.file);
      await mkdir(dirname(kept), { recursive: true });
      await cp(path, kept);
    }
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, stub.text);
    written.push(stub.file);
  }
  return written;
}
