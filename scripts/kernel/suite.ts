/** A lesson's suite: one function for each step of its manifest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allLessons, type Lesson } from './course.ts';
import { UsageError } from './failure.ts';
import type { Random } from './random.ts';
import type { Trial } from './trial.ts';

export type StepTest = (t: Trial) => Promise<void>;

export interface SuiteOptions {
  /** Whether ordinary requests follow each other on one connection, as a browser's do; otherwise each has its own. */
  keepAlive?: boolean;
  /** How many more processes of the program the steps start, all in all, where every step passes. */
  copies?: number;
  /** What the program finds in its environment, made anew for each run before the program starts. */
  env?: (run: Place) => Record<string, string>;
}

/** Where a run takes place. */
export interface Place {
  trusted: boolean;
  /** The program's working directory. */
  cwd: string;
  random: Random;
}

export interface Suite extends SuiteOptions {
  lesson: Lesson;
  steps: { title: string; run: StepTest }[];
}

/**
 * Declares the suite of a lesson. Run by `node --test`, the file registers one test for each step, against the target
 * that `WORKBOOK_TARGET` names (`solutions` unless it is set).
 * @throws when the titles and their order are not the manifest's
 */
export function suite(
  name: string,
  tests: Record<string, StepTest>,
  options: SuiteOptions = {},
): Suite {
  const lesson = allLessons().find((candidate) => candidate.name === name);
  if (!lesson)
    throw new UsageError(
      `tests/${name}.test.ts belongs to no lesson: there is no lessons/${name}/.`,
    );
  const titles = lesson.steps.map((step) => step.title);
  const given = Object.keys(tests);
  if (titles.join('\n') !== given.join('\n')) {
    throw new UsageError(
      `The steps of tests/${name}.test.ts (${given.join(', ')}) are not those of lessons/${name}/lesson.json (${titles.join(', ')}).`,
    );
  }
  const made: Suite = {
    ...options,
    lesson,
    steps: Object.entries(tests).map(([title, run]) => ({ title, run })),
  };
  if (process.env['NODE_TEST_CONTEXT'] && process.argv[1]?.endsWith(`${name}.test.ts`))
    register(made);
  return made;
}

function register(made: Suite): void {
  const target = process.env['WORKBOOK_TARGET'] ?? 'solutions';
  void test(`${made.lesson.name} against ${target}`, async (context) => {
    const { judge } = await import('./judge.ts');
    const { StepFailure } = await import('./failure.ts');
    let copies = 0;
    const result = await judge(made, { target, onCopy: () => copies++ });
    if (result.status === 'error') throw new Error(`${result.diagnosis}: ${result.message}`);
    for (const step of result.steps) {
      await context.test(`step ${step.step}: ${step.title}`, () => {
        if (step.status === 'pass') return;
        const { diagnosis, message, expected, actual, exchange } = step;
        const failure = new StepFailure({ diagnosis: diagnosis ?? step.status, message });
        throw Object.assign(failure, { expected, actual, exchange });
      });
    }
    // Windows has no signals to send: there the steps start fewer.
    if (result.status === 'pass' && process.platform !== 'win32')
      await context.test('it says how many copies it starts', () => {
        const said = made.copies ?? 0;
        // On a busy machine checks are made again, with more time.
        assert.ok(
          copies >= said && copies <= 2 * said,
          `The steps of tests/${made.lesson.name}.test.ts start ${copies} more processes, and its options say ${said}: suite(name, steps, { copies: ${copies} }).`,
        );
      });
  });
}
