/** The first lines of a session: three sentences the first time, and after a while where you were. */
import { allLessons, type Lesson } from '../kernel/course.ts';
import { isDone, type Progress } from '../progress.ts';

const awhile = 12 * 60 * 60 * 1000;

/** @param chosenForThem whether the learner named no lesson */
export function welcome(
  progress: Progress,
  lesson: Lesson,
  chosenForThem: boolean,
  now = Date.now(),
): string[] {
  if (progress.last === undefined) {
    const [file = 'server.ts'] = lesson.edits;
    return [
      'Welcome. In each lesson you write a small part of an HTTP server, and real',
      'requests judge it each time you save. Two files matter now:',
      `  to read   lessons/${lesson.name}/README.md`,
      `  to write  lessons/${lesson.name}/${file}`,
      '',
    ];
  }
  const lessons = allLessons();
  const done = lessons.filter((candidate) => isDone(progress, candidate)).length;
  if (chosenForThem && done === lessons.length)
    return [`All ${lessons.length} lessons are done. This is the last one.`, ''];
  if (progress.lastAt === undefined || now - progress.lastAt < awhile) return [];
  const last = lessons.find((candidate) => candidate.name === progress.last);
  const days = Math.round((now - progress.lastAt) / (24 * 60 * 60 * 1000));
  const ago = days < 1 ? 'earlier today' : days === 1 ? 'yesterday' : `${days} days ago`;
  return [
    `Welcome back. You were last here ${ago}, in "${last?.title ?? progress.last}".`,
    `${done} of ${lessons.length} lessons are done.`,
    '',
  ];
}
