/** Hints: three for each step, from a nudge to almost the answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSuite } from '../kernel/catalogue.ts';
import { lessonsDir, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import { judge } from '../kernel/judge.ts';
import { lessonProgress, recordResult, updateProgress } from '../progress.ts';
import { styleFor, wrap } from '../show/style.ts';
import { currentStep } from '../show/verdict.ts';
import { chosenLesson, type Flags } from './flags.ts';

/** A lesson's hints by step, in the order of the steps. Code in a hint keeps its lines. */
export function readHints(lesson: Lesson): string[][] {
  let text: string;
  try {
    text = readFileSync(join(lessonsDir, lesson.name, 'hints.md'), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    throw new UsageError(`lessons/${lesson.name}/hints.md is missing.`);
  }
  return text
    .split(/^## Step \d+: .*$/m)
    .slice(1)
    .map((section) =>
      section
        .split(/^\d\. /m)
        .slice(1)
        .map((hint) => hint.replace(/^ {3}/gm, '').trim()),
    );
}

/** The next hint for a step, and counts it. After the last, the last again. */
export function nextHint(
  lesson: Lesson,
  step: number,
): { text: string; number: number; of: number } {
  const hints = readHints(lesson)[step - 1] ?? [];
  const title = lesson.steps[step - 1]?.title ?? '';
  let shown = 0;
  updateProgress((progress) => {
    const entry = lessonProgress(progress, lesson);
    shown = Math.min((entry.hints[title] ?? 0) + 1, hints.length);
    entry.hints[title] = shown;
  });
  return {
    text: hints[shown - 1] ?? 'There is no hint for this step.',
    number: shown,
    of: hints.length,
  };
}

/** A hint's lines for the terminal: prose is wrapped, code is left as it is. */
export function hintLines(text: string, width: number): string[] {
  let code = false;
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('```')) {
      code = !code;
      return [];
    }
    return code ? [`    ${line}`] : wrap(line, width, '  ');
  });
}

export async function hint(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  const style = styleFor(process.stdout);
  const result = await judge(await loadSuite(lesson), { target: flags.target ?? 'lessons' });
  if (result.target === 'lessons') recordResult(lesson, result);
  const step = currentStep(result);
  if (!step) {
    console.log(`Every step of "${lesson.title}" passes: there is nothing to hint at.`);
    return 0;
  }
  if (result.status === 'error')
    console.log([...wrap(`First of all: ${result.message}`, style.width), ''].join('\n'));
  const { text, number, of } = nextHint(lesson, step.step);
  console.log(
    style.paint('bold', `Step ${step.step}: ${step.title}`) + `   (hint ${number} of ${of})`,
  );
  console.log(['', ...hintLines(text, style.width), ''].join('\n'));
  console.log(
    number < of
      ? `Once more for the next hint: npm run lesson hint ${lesson.number}`
      : 'That was the last hint for this step.',
  );
  return 0;
}
