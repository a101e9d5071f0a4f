/** Tables for people and for learning platforms. */
import Papa from 'papaparse';
import type { GradeResults, GradedSubmission } from '../results.ts';
import { cell, clean, nameOf, wholeFeedback } from './text.ts';

const write = (fields: string[], data: string[][]): string =>
  `${Papa.unparse({ fields: fields.map(cell), data: data.map((row) => row.map((text) => cell(clean(text)))) }, { newline: '\r\n' })}\r\n`;

/** A mark, or nothing: where the grader failed there is no 0. */
const mark = (submission: GradedSubmission, points: number | null | undefined): string =>
  submission.outcome === 'grader-error' ? '' : String(points ?? 0);

export function gradesCsv(results: GradeResults): string {
  const lessons = results.lessons.map(({ lesson }) => lesson);
  return write(
    ['name', 'student', 'id', 'outcome', 'points', 'max points', ...lessons, 'reason'],
    results.submissions.map((submission) => [
      submission.name,
      submission.student ?? '',
      submission.id ?? '',
      submission.outcome,
      mark(submission, submission.points),
      String(submission.maxPoints),
      ...lessons.map((lesson) =>
        mark(submission, submission.lessons.find((one) => one.lesson === lesson)?.points),
      ),
      submission.reason ?? '',
    ]),
  );
}

/** Canvas: Student, ID, Section and a column for each assignment; the second row holds what is possible. */
export function canvasCsv(results: GradeResults): string {
  const lessons = results.lessons;
  return write(
    ['Student', 'ID', 'Section', ...lessons.map(({ title }) => title)],
    [
      ['    Points Possible', '', '', ...lessons.map((lesson) => String(lesson.maxPoints))],
      ...results.submissions.map((submission) => [
        nameOf(submission),
        submission.id ?? '',
        '',
        ...lessons.map(({ lesson }) =>
          mark(submission, submission.lessons.find((one) => one.lesson === lesson)?.points),
        ),
      ]),
    ],
  );
}

/** Moodle: the grade and the feedback side by side, found by e-mail or ID number. */
export function moodleCsv(results: GradeResults): string {
  return write(
    ['ID number', 'Email address', 'Full name', 'Grade', 'Feedback comments'],
    results.submissions.map((submission) => [
      submission.id ?? '',
      submission.email ?? '',
      nameOf(submission),
      mark(submission, submission.points),
      wholeFeedback(submission),
    ]),
  );
}
