import { allLessons, findLesson, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import { isDone, readProgress } from '../progress.ts';

export interface Flags {
  once?: boolean | undefined;
  json?: boolean | undefined;
  target?: string | undefined;
  seed?: number | undefined;
  yes?: boolean | undefined;
  poll?: boolean | undefined;
}

/** The lesson that a word names; without one, the first that isn't done. */
export function chosenLesson(word: string | undefined): Lesson {
  if (word !== undefined) return findLesson(word);
  const progress = readProgress();
  const lessons = allLessons();
  const lesson = lessons.find((candidate) => !isDone(progress, candidate)) ?? lessons.at(-1);
  if (!lesson) throw new UsageError('There is no lesson in lessons/. Is this the whole project?');
  return lesson;
}
