/** Text that comes from submissions, made harmless for each format. */
import { safe } from '../../kernel/exchange.ts';
import type { GradedLesson, GradedSubmission } from '../results.ts';

/** Letters that XML 1.0 can hold at all, and nothing that steers a terminal or a CI log (`::error …`). */
export const clean = (text: string): string =>
  safe(text)
    .replace(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/^(\s*)::/gm, '$1: :');

/**
 * A cell that no spreadsheet takes for a formula (OWASP, "CSV injection"): full-width forms are read as the plain ones, and
 * where the semicolon separates, one in the middle of a text begins a cell.
 */
export const cell = (text: string): string =>
  (/^[=+\-@\t\r\n|%＝＋－＠]/.test(text) ? `'${text}` : text)
    .replace(/([;\t]["\s]*)(?=[=+\-@＝＋－＠])/g, "$1'")
    .replaceAll('\r', ' ');

export const capped = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, limit - 1)}…` : text;

/** What a student reads about one lesson. */
export function feedback(lesson: GradedLesson): string {
  const lines = [`${lesson.lesson}: ${lesson.points} of ${lesson.maxPoints} points`];
  if (lesson.message) lines.push(`  ${lesson.message}`);
  for (const step of lesson.steps) {
    if (step.status === 'fail') lines.push(`  Step ${step.step}, ${step.title}: ${step.message}`);
  }
  return clean(lines.join('\n'));
}

export function wholeFeedback(submission: GradedSubmission): string {
  if (submission.outcome === 'tampered') return clean(`Not graded: ${submission.reason ?? ''}`);
  if (submission.outcome === 'grader-error')
    return 'Not graded yet: the grader itself failed. This is no mark.';
  return submission.lessons.map(feedback).join('\n');
}

/** The submission's name where no roster names the student. */
export const nameOf = (submission: GradedSubmission): string =>
  clean(submission.student ?? submission.name);
