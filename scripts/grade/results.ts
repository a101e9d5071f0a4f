/** The canonical result of a grading, `workbook/grade/v1`: every report is drawn from it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lessonsDir, projectRoot, type Lesson } from '../kernel/course.ts';
import { notReached, type Result } from '../kernel/result.ts';
import type { Isolation } from './isolation.ts';

export type Verdict =
  /** Every step passes. */
  | 'pass'
  /** A step fails, and the program went on. */
  | 'wrong'
  /** The program crashed, hung, or took more than it may. */
  | 'program-failed'
  /** No file of this lesson was handed in. */
  | 'missing';

export interface GradedLesson extends Result {
  points: number;
  maxPoints: number;
  verdict: Verdict;
  /** Where a wait ran out, the lesson was tried once more, alone: what both tries gave. */
  tries: { points: number; diagnosis: string | null }[];
}

export interface GradedSubmission {
  name: string;
  /** From the roster. */
  student?: string;
  id?: string;
  email?: string;
  outcome: 'graded' | 'tampered' | 'grader-error';
  /** Why, where the outcome is not `graded`. */
  reason: string | null;
  /** Null where the grader failed: that is no mark, and nobody who adds up must take it for a 0. */
  points: number | null;
  maxPoints: number;
  /** SHA-256 of each file that was taken. */
  files: Record<string, string>;
  lessons: GradedLesson[];
}

export interface GradeResults {
  schema: 'workbook/grade/v1';
  node: string;
  platform: string;
  seed: number;
  isolation: Isolation;
  withReference: boolean;
  /** Of the manifests and the suites: the same in two gradings that can be compared. */
  manifestHash: string;
  startedAt: string;
  durationMs: number;
  lessons: {
    lesson: string;
    title: string;
    maxPoints: number;
    steps: { title: string; points: number }[];
  }[];
  submissions: GradedSubmission[];
}

export const maxPoints = (lesson: Lesson): number =>
  lesson.steps.reduce((sum, step) => sum + step.points, 0);

export function manifestHash(lessons: Lesson[]): string {
  const hash = createHash('sha256');
  for (const { name } of lessons) {
    hash.update(readFileSync(join(lessonsDir, name, 'lesson.json')));
    hash.update(readFileSync(join(projectRoot, 'tests', `${name}.test.ts`)));
  }
  return hash.digest('hex');
}

const faults =
  /crash|exited|blocked|no-answer|never-ended|endless|too-much|headers-already-sent|write-after-end|threw|rejection|never-listened|await-never/;
/** Diagnoses that a slow moment of the machine could have caused. */
const waits =
  /no-answer|never-ended|blocked|endless|never-listened|listened|too-slow|late|timeout|slow/;

/** Points for a result: those of the steps that pass, by the manifest, which alone sets the denominator. */
export function graded(lesson: Lesson, result: Result): GradedLesson {
  const points = lesson.steps.reduce((sum, step, index) => {
    const found = result.steps[index];
    return sum + (found?.title === step.title && found.status === 'pass' ? step.points : 0);
  }, 0);
  const diagnoses = diagnosesOf(result);
  const verdict: Verdict =
    result.status === 'pass'
      ? 'pass'
      : result.status === 'error' || diagnoses.some((id) => faults.test(id))
        ? 'program-failed'
        : 'wrong';
  const steps = result.steps.map(told);
  return { ...result, steps, points, maxPoints: maxPoints(lesson), verdict, tries: [] };
}

/** How the system ends the connections of a dying process changes from run to run; a report doesn't. */
function told(step: Result['steps'][number]): Result['steps'][number] {
  if (!step.exchange) return step;
  const { exchange } = step;
  const response = exchange.response.replace(
    /^\(the connection was (?:closed|reset) without a response\)$/,
    '(the connection was closed without a response)',
  );
  return { ...step, exchange: { ...exchange, response } };
}

const diagnosesOf = (result: Result): string[] =>
  [result.diagnosis, ...result.steps.map((step) => step.diagnosis)].filter(
    (id): id is string => id !== null,
  );

export const deservesAnotherTry = (result: Result): boolean =>
  result.status !== 'pass' &&
  (diagnosesOf(result).some((id) => waits.test(id)) ||
    result.steps.some((step) => step.exchange?.response.startsWith('(nothing within')));

/** A lesson that was not handed in. */
export const missing = (lesson: Lesson, seed: number, message: string): GradedLesson =>
  notRun(lesson, seed, { verdict: 'missing', diagnosis: 'missing', message });

/** A lesson of which a file can't be a program: its bytes are no text. */
export const notUtf8 = (lesson: Lesson, seed: number, file: string): GradedLesson =>
  notRun(lesson, seed, {
    verdict: 'program-failed',
    diagnosis: 'not-utf-8',
    message: `${file} is not UTF-8 text, so it was not started. Save it with the encoding UTF-8.`,
  });

function notRun(
  lesson: Lesson,
  seed: number,
  { verdict, diagnosis, message }: { verdict: Verdict; diagnosis: string; message: string },
): GradedLesson {
  return {
    schema: 'workbook/result/v1',
    lesson: lesson.name,
    target: 'submission',
    node: process.version,
    seed,
    status: 'error',
    durationMs: 0,
    diagnosis,
    message,
    steps: lesson.steps.map(({ title }, index) => notReached(index + 1, title, message)),
    points: 0,
    maxPoints: maxPoints(lesson),
    verdict,
    tries: [],
  };
}
