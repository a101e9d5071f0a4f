/** Gives a lesson's stub back; what the learner wrote is kept aside. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { keepCopy } from '../keep.ts';
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
    const copy = join(workbookDir, 'kept', lesson.name, `${stamp}-${file}`);
    const kept = bytes && relative(projectRoot, keepCopy(copy, bytes)).replaceAll('\\', '/');
    const scratch = `${path}.${process.pid}.tmp`;
    writeFileSync(scratch, stub);
    renameSync(scratch, path);
    updateProgress((progress) => {
      delete progress.lessons[lesson.name];
    });
    return [{ file: `lessons/${lesson.name}/${file}`, kept }];
  });
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
