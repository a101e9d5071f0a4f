/** The reference beside the learner's file, as a diff. */
import { structuredPatch } from 'diff';
import { join } from 'node:path';
import { loadSuite } from '../kernel/catalogue.ts';
import type { Lesson } from '../kernel/course.ts';
import { judge } from '../kernel/judge.ts';
import { cleanSolution, solutionSource } from '../kernel/stub.ts';
import { findTarget, readSource } from '../kernel/target.ts';
import { safe } from '../kernel/exchange.ts';
import { styleFor, type Style } from '../show/style.ts';
import { ask } from './ask.ts';
import { chosenLesson, type Flags } from './flags.ts';

/** What would have to change in the learner's files to make them the reference. */
export function solutionDiff(lesson: Lesson, target: string, style: Style): string[] {
  const place = findTarget(target);
  return lesson.edits.flatMap((file) => {
    const mine = readSource(place, lesson, file);
    const reference = cleanSolution(solutionSource(lesson, file), file);
    if (mine === reference) return [`${file} is the reference, letter for letter.`, ''];
    const { hunks } = structuredPatch(file, file, mine, reference, '', '', { context: 3 });
    return [
      style.paint(
        'bold',
        `${join(place.name, lesson.name, file).replaceAll('\\', '/')}: "-" is yours, "+" is the reference`,
      ),
      ...hunks.flatMap((hunk) => [
        style.paint('cyan', `line ${hunk.oldStart}`),
        ...hunk.lines.map((line) =>
          line.startsWith('+')
            ? style.paint('green', safe(line))
            : line.startsWith('-')
              ? style.paint('red', safe(line))
              : safe(line),
        ),
      ]),
      '',
    ];
  });
}

export async function solution(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  const target = flags.target ?? 'lessons';
  const result = await judge(await loadSuite(lesson), { target });
  if (result.status !== 'pass') {
    const left = result.steps.filter((step) => step.status !== 'pass').length;
    if (
      !(await ask(
        `${left} of ${lesson.steps.length} steps don't pass yet. Look at the solution all the same?`,
        flags,
      ))
    ) {
      console.log(`Nothing is shown. A hint says less: npm run lesson hint ${lesson.number}`);
      return 0;
    }
  }
  console.log(solutionDiff(lesson, target, styleFor(process.stdout)).join('\n'));
  console.log(`Notes on it: solutions/${lesson.name}/NOTES.md`);
  return 0;
}
