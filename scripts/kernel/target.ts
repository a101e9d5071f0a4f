/** A folder shaped like `lessons/`: the learner's own, `solutions`, or somebody else's. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import { findLesson, programFile, projectRoot, solutionsDir, type Lesson } from './course.ts';
import { ProgramFault, UsageError } from './failure.ts';
import { placeholders, solutionSource } from './stub.ts';

export interface Target {
  /** As the result shows it: relative to the project where it lies inside. */
  name: string;
  dir: string;
}

/** The folder that whoever gave the command stands in: npm goes to the project's, and says where it came from. */
export const standing = (): string => process.env['INIT_CWD'] ?? process.cwd();

/**
 * Finds a folder by the way from where the user stands, or else from the project: `solutions` means ours from anywhere.
 * `lessons` always does, for it is what is judged when nothing is said.
 * @throws UsageError when the folder is not there
 */
export function findTarget(word: string): Target {
  const near = resolve(standing(), word);
  const dir = word !== 'lessons' && existsSync(near) ? near : resolve(projectRoot, word);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) {
    throw new UsageError(
      `There is no folder "${word}". --target takes a folder shaped like lessons/, such as solutions.`,
    );
  }
  const inside = relative(projectRoot, dir);
  return {
    dir,
    name:
      (inside.startsWith('..') || isAbsolute(inside) ? dir : inside).replaceAll('\\', '/') ||
      basename(dir),
  };
}

/** The text of a learner's file. @throws UsageError when it is missing or no text */
export function readSource(target: Target, lesson: Lesson, file: string): string {
  const path = join(target.dir, lesson.name, file);
  const shown = `${target.name}/${lesson.name}/${file}`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    const cure =
      target.name === 'lessons' ? ` "npm run lesson reset ${lesson.number}" gives it back.` : '';
    throw new UsageError(`${shown} is missing or cannot be read.${cure}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll('\r\n', '\n');
  } catch {
    throw new UsageError(`${shown} is not UTF-8 text. Save it with the encoding UTF-8.`);
  }
}

/**
 * Looks at the learner's files before anything is run.
 * @param earlierDone whether the lessons that it stands on must hold no placeholder any more
 * @returns their texts, by file name
 * @throws UsageError when one is missing; ProgramFault when one can't be a program
 */
export function inspect(target: Target, lesson: Lesson, earlierDone = true): Map<string, string> {
  const texts = new Map<string, string>();
  for (const file of lesson.edits) {
    const text = readSource(target, lesson, file);
    texts.set(file, text);
    if (text.trim() === '') {
      throw new ProgramFault({
        diagnosis: 'file-empty',
        message: `${file} is empty, so it was not started. Save your program in it; "npm run lesson reset ${lesson.number}" gives the stub back.`,
      });
    }
    const marker = text.split('\n').findIndex((line) => /^(<{7} |={7}$|>{7} )/.test(line));
    if (marker >= 0 && /^<{7} /m.test(text)) {
      throw new ProgramFault({
        diagnosis: 'merge-markers',
        message: `${file} holds the marks of a merge that was not finished, first at line ${marker + 1}. Keep one of the two versions and delete the marked lines.`,
      });
    }
  }
  if (!lesson.edits.includes(programFile)) readSource(target, lesson, programFile);
  for (const name of lesson.needs) needs(target, findLesson(name), lesson, earlierDone);
  return texts;
}

/** @throws UsageError when a file of an earlier lesson is missing; ProgramFault when one still holds a placeholder of its stub */
function needs(target: Target, earlier: Lesson, lesson: Lesson, done: boolean): void {
  for (const file of earlier.edits) {
    const text = readSource(target, earlier, file);
    if (!done) continue;
    const missing = openSteps(earlier, new Map([[file, text]]))[0];
    const step = missing === undefined ? undefined : earlier.steps[missing - 1];
    if (step) {
      throw new ProgramFault({
        diagnosis: 'earlier-lesson-unfinished',
        message: `The ${lesson.title} lesson uses what you write in the ${earlier.title} lesson, and step ${missing} there, "${step.title}", isn't done yet. Go on with "npm run lesson ${earlier.number}".`,
      });
    }
  }
}

const squeeze = (line: string): string => line.trim();

/** The steps whose placeholder from the stub still stands, line for line, in the learner's files. */
export function openSteps(lesson: Lesson, texts: Map<string, string>): number[] {
  const open = new Set<number>();
  for (const [file, text] of texts) {
    const lines = text.split('\n').map(squeeze).filter(Boolean);
    const whole = `\n${lines.join('\n')}\n`;
    // Without the reference, as in a copy for students, nobody knows the stub.
    if (!existsSync(join(solutionsDir, lesson.name, file))) continue;
    for (const { step, lines: wanted } of placeholders(solutionSource(lesson, file), file)) {
      const block = wanted.map(squeeze).filter(Boolean).join('\n');
      // The comment alone is no proof: a learner may leave it above finished code.
      if (wanted.length > 1 && whole.includes(`\n${block}\n`)) open.add(step);
    }
  }
  return [...open].sort((a, b) => a - b);
}
