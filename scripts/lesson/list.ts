/** Every lesson and step, done or not. */
import { allLessons } from '../kernel/course.ts';
import { fingerprint, isDone, readProgress } from '../progress.ts';
import { styleFor } from '../show/style.ts';
import type { Flags } from './flags.ts';

export function list(flags: Flags): number {
  const progress = readProgress();
  const lessons = allLessons();
  if (flags.json) {
    const rows = lessons.map(({ name, number, title, steps }) => ({
      lesson: name,
      number,
      title,
      steps: steps.map((step, index) => ({
        step: index + 1,
        title: step.title,
        done: progress.lessons[name]?.done.includes(step.title) ?? false,
      })),
    }));
    console.log(JSON.stringify({ schema: 'workbook/list/v1', lessons: rows }, null, 2));
    return 0;
  }
  const { paint } = styleFor(process.stdout);
  for (const lesson of lessons) {
    const entry = progress.lessons[lesson.name];
    const state = isDone(progress, lesson) ? paint('green', 'done ') : paint('yellow', 'to do');
    const changed =
      entry?.seen !== undefined && entry.seen !== fingerprint(lesson)
        ? '  (changed since you saw it)'
        : '';
    console.log(
      `${state}  ${paint('bold', `${String(lesson.number).padStart(2)}. ${lesson.title}`)}${changed}`,
    );
    for (const [index, step] of lesson.steps.entries()) {
      const done = entry?.done.includes(step.title) ?? false;
      console.log(
        `         ${done ? paint('green', 'done ') : 'to do'}  ${index + 1}. ${step.title}`,
      );
    }
  }
  return 0;
}
