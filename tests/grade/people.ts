/** Submissions that are made up, each with the points that it must get. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { maxPoints } from '../../scripts/grade/results.ts';
import { findLesson, solutionsDir, type Lesson } from '../../scripts/kernel/course.ts';
import { stubOf } from '../../scripts/kernel/stub.ts';

const anatomy = '03-request-anatomy';

/** What becomes of the request-anatomy lesson's solution, and how many of its points are lost. */
const kinds: {
  kind: string;
  lost: number | 'all' | 'everything';
  change: (text: string) => string;
}[] = [
  { kind: 'right', lost: 0, change: (text) => text },
  {
    kind: 'wrong',
    lost: 2,
    change: (text) => text.replace('cookie: req.headers.cookie ?? null', "cookie: ''"),
  },
  { kind: 'stub', lost: 'everything', change: (text) => text },
  { kind: 'hanging', lost: 1, change: (text) => text.replace('return peer(req, res);', 'return;') },
  {
    kind: 'crashing',
    lost: 2,
    change: (text) => text.replace('return search(url, res);', "throw new Error('crash');"),
  },
  { kind: 'ending', lost: 'all', change: () => 'process.exit(0);\n' },
];

export interface Person {
  name: string;
  kind: string;
  points: number;
}

const put = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

export const solutionText = (lesson: string, file = 'server.ts'): string =>
  readFileSync(join(solutionsDir, lesson, file), 'utf8');

/** Writes a class of the given size below a folder. The lessons that it is graded on must hold the request-anatomy lesson. */
export function generateClass(dir: string, size: number, lessons: Lesson[]): Person[] {
  const whole = lessons.reduce((sum, lesson) => sum + maxPoints(lesson), 0);
  const own = maxPoints(findLesson(anatomy));
  return Array.from({ length: size }, (_, index) => {
    const one = kinds[index % kinds.length];
    if (!one) throw new Error('there are no kinds');
    const { kind, lost, change } = one;
    const name = `${String(index + 1).padStart(3, '0')} ${kind}`;
    for (const lesson of lessons) {
      for (const file of lesson.edits) {
        const solved = kind === 'stub' ? stubOf(lesson, file) : solutionText(lesson.name, file);
        const text = lesson.name === anatomy ? change(solved) : solved;
        if (lesson.name === anatomy && text === solved && !['right', 'stub'].includes(kind))
          throw new Error(`the solution has changed: "${kind}" no longer differs from it`);
        put(join(dir, name, 'lessons', lesson.name, file), text);
      }
    }
    return {
      name,
      kind,
      points: lost === 'everything' ? 0 : whole - (lost === 'all' ? own : lost),
    };
  });
}

/** One submission of the request-anatomy lesson. `where` is what lies between its folder and the lesson's. */
export const submit = (
  dir: string,
  name: string,
  text = solutionText(anatomy),
  where = 'lessons',
): void => put(join(dir, name, where, anatomy, 'server.ts'), text);
