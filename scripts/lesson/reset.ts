/** Gives a lesson's stub back; what the learner wrote is kept aside. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { lessonsDir, projectRoot, type Lesson } from '../kernel/course.ts';
import { stubOf } from '../kernel/stub.ts';
import { updateProgress, workbookDir } from '../progress.ts';
import { chosenLesson, type Flags } from './flags.ts';
import { ask } from './ask.ts';

/** @returns where each file was kept, relative to the project; a file that is the stub already is left alone */
export function resetLesson(
  lesson: Lesson,
  now = new Date(),
): { file: string; kept: string | null }[] {
  const stamp = now.toISOString().slice(0, 19).replaceAll(':', '-');
  return lesson.edits.flatMap((file) => {
    const path = join(lessonsDir, lesson.name, file);
    const stub = stubOf(lesson, file);
    const bytes = existsSync(path) ? readFileSync(path) : null;
    if (bytes?.toString('utf8').replaceAll('\r\n', '\n') === stub) return [];
    const kept = bytes
      ? keep(join(workbookDir, 'kept', lesson.name, `${stamp}-${file}`), bytes)
      : null;
    const scratch = `${path}.${process.pid}.tmp`;
    writeFileSync(scratch, stub);
    renameSync(scratch, path);
    updateProgress((progress) => {
      delete progress.lessons[lesson.name];
    });
    return [{ file: `lessons/${lesson.name}/${file}`, kept }];
  });
}

/** Writes a copy under a name that is not taken. */
function keep(path: string, bytes: Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  for (let n = 1; n < 1000; n++) {
    const name = n === 1 ? path : path.replace(/(\.\w+)$/, `-${n}$1`);
    if (existsSync(name)) continue;
    writeFileSync(name, bytes, { flag: 'wx' });
    return relative(projectRoot, name).replaceAll('\\', '/');
  }
  throw new Error(`${path} has been kept a thousand times`);
}

export async function reset(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  // Nothing is lost, so without a terminal there is nothing to ask.
  if (
    process.stdin.isTTY &&
    !(await ask(`Put the stub of "${lesson.title}" back? Your file is kept aside.`, flags))
  ) {
    console.log('Nothing was changed.');
    return 0;
  }
  const files = resetLesson(lesson);
  if (files.length === 0) console.log(`lessons/${lesson.name} holds the stub already.`);
  for (const { file, kept } of files) {
    console.log(
      kept
        ? `${file} is the stub again. Yours is kept in ${kept}`
        : `${file} was missing; the stub is there again.`,
    );
  }
  return 0;
}
