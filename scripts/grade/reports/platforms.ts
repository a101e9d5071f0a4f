/** One file for each submission, in the forms that grading platforms read. */
import { XMLBuilder } from 'fast-xml-parser';
import { exchangeLines } from './html.ts';
import type { GradedLesson, GradedSubmission, GradeResults } from '../results.ts';
import { capped, clean, wholeFeedback } from './text.ts';

interface Row {
  lesson: GradedLesson;
  step: GradedLesson['steps'][number];
  points: number;
  maxPoints: number;
}

/** Every step of every lesson that is in the manifest, whether it was reached or not. */
function rows(results: GradeResults, submission: GradedSubmission): Row[] {
  return results.lessons.flatMap(({ lesson, steps }) => {
    const found = submission.lessons.find((one) => one.lesson === lesson);
    if (!found) return [];
    return steps.map(({ points }, index) => {
      const step = found.steps[index];
      if (!step) throw new Error(`${lesson} has no step ${index + 1}`);
      return {
        lesson: found,
        step,
        points: step.status === 'pass' ? points : 0,
        maxPoints: points,
      };
    });
  });
}

const name = ({ lesson, step }: Row): string => `${lesson.lesson} step ${step.step}: ${step.title}`;
const said = ({ lesson, step }: Row): string =>
  clean(step.message || (step.status === 'pass' ? '' : (lesson.message ?? '')));

/** Gradescope's `results.json`. */
export function gradescope(results: GradeResults, submission: GradedSubmission): unknown {
  return {
    score: submission.points ?? 0,
    execution_time: Math.round(
      submission.lessons.reduce((sum, lesson) => sum + lesson.durationMs, 0) / 1000,
    ),
    output: capped(wholeFeedback(submission), 20_000),
    output_format: 'text',
    visibility: 'visible',
    stdout_visibility: 'hidden',
    tests: rows(results, submission).map((row) => ({
      score: row.points,
      max_score: row.maxPoints,
      status: row.step.status === 'pass' ? 'passed' : 'failed',
      name: name(row),
      name_format: 'text',
      number: `${Number(row.lesson.lesson.slice(0, 2))}.${row.step.step}`,
      output: said(row),
      output_format: 'text',
      tags: [row.step.diagnosis ?? row.step.status],
      visibility: 'visible',
    })),
  };
}

/** PrairieLearn's external grading results; at most 1 MB. */
export function prairielearn(results: GradeResults, submission: GradedSubmission): unknown {
  return {
    gradable: submission.outcome === 'graded',
    score: submission.maxPoints > 0 ? (submission.points ?? 0) / submission.maxPoints : 0,
    message: submission.outcome === 'graded' ? '' : clean(submission.reason ?? ''),
    output: capped(wholeFeedback(submission), 100_000),
    tests: rows(results, submission).map((row) => ({
      name: name(row),
      description: row.step.title,
      points: row.points,
      max_points: row.maxPoints,
      message: said(row),
      output: capped(row.step.exchange ? exchangeLines(row.step.exchange) : '', 4000),
    })),
  };
}

/** Exercism's test runner interface, version 3. */
export function exercism(results: GradeResults, submission: GradedSubmission): unknown {
  const error = submission.outcome !== 'graded';
  const all = rows(results, submission);
  return {
    version: 3,
    status: error ? 'error' : all.every((row) => row.step.status === 'pass') ? 'pass' : 'fail',
    message: error ? clean(submission.reason ?? '') : null,
    tests: all.map((row, index) => ({
      name: name(row),
      status: row.step.status === 'pass' ? 'pass' : 'fail',
      message: row.step.status === 'pass' ? null : said(row),
      output: capped(row.step.exchange ? exchangeLines(row.step.exchange) : '', 500),
      task_id: index + 1,
      test_code: row.step.title,
    })),
  };
}

/** GitHub Classroom's autograding result; the action's output is this in base64. */
export function classroom(results: GradeResults, submission: GradedSubmission): unknown {
  const all = rows(results, submission);
  return {
    version: 1,
    status:
      submission.outcome !== 'graded'
        ? 'error'
        : all.every((row) => row.step.status === 'pass')
          ? 'pass'
          : 'fail',
    max_score: submission.maxPoints,
    tests: all.map((row) => ({
      name: name(row),
      status: row.step.status === 'pass' ? 'pass' : 'fail',
      score: row.points,
      message: said(row),
      test_code: row.step.title,
      filename: `lessons/${row.lesson.lesson}`,
      line_no: 0,
      duration: row.lesson.durationMs,
    })),
  };
}

/** JUnit XML of the whole class: a suite for each submission and lesson, a case for each step. */
export function junit(results: GradeResults): string {
  const builder = new XMLBuilder({
    ignoreAttributes: false,
    format: true,
    suppressEmptyNode: true,
    processEntities: true,
  });
  const suites = results.submissions.flatMap((submission) => {
    if (submission.outcome !== 'graded') {
      const text = { '@_message': clean(submission.reason ?? submission.outcome) };
      return [
        {
          '@_name': clean(submission.name),
          '@_tests': 1,
          '@_failures': submission.outcome === 'tampered' ? 1 : 0,
          '@_errors': submission.outcome === 'grader-error' ? 1 : 0,
          '@_skipped': 0,
          '@_time': '0.000',
          testcase: [
            {
              '@_name': submission.outcome,
              '@_classname': clean(submission.name),
              '@_time': '0.000',
              [submission.outcome === 'tampered' ? 'failure' : 'error']: text,
            },
          ],
        },
      ];
    }
    return submission.lessons.map((lesson) => ({
      '@_name': `${clean(submission.name)}/${lesson.lesson}`,
      '@_tests': lesson.steps.length,
      '@_failures': lesson.steps.filter((step) => step.status === 'fail').length,
      '@_errors': 0,
      '@_skipped': lesson.steps.filter((step) => step.status === 'not-reached').length,
      '@_time': (lesson.durationMs / 1000).toFixed(3),
      testcase: lesson.steps.map((step) => ({
        '@_name': step.title,
        '@_classname': `${clean(submission.name)}.${lesson.lesson}`,
        '@_time': '0.000',
        ...(step.status === 'fail' && {
          failure: { '@_message': clean(step.message), '@_type': step.diagnosis ?? '' },
        }),
        ...(step.status === 'not-reached' && {
          skipped: { '@_message': clean(step.message || (lesson.message ?? '')) },
        }),
      })),
    }));
  });
  const sum = (key: '@_tests' | '@_failures' | '@_errors' | '@_skipped'): number =>
    suites.reduce((total, suite) => total + suite[key], 0);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({
    testsuites: {
      '@_tests': sum('@_tests'),
      '@_failures': sum('@_failures'),
      '@_errors': sum('@_errors'),
      '@_skipped': sum('@_skipped'),
      testsuite: suites,
    },
  })}`;
}
