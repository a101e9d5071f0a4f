/** Writes every report below one folder; `results.json` is what the others are drawn from. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { earlierResults } from '../earlier.ts';
import type { GradeResults } from '../results.ts';
import { canvasCsv, gradesCsv, moodleCsv } from './csv.ts';
import { classHtml } from './html.ts';
import { classroom, exercism, gradescope, junit, prairielearn } from './platforms.ts';

/** Letters that JSON may hold and a terminal or a log had better not, written as escapes. */
const unsafe = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;
const json = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).replace(unsafe, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;

/** A submission's name as a file's: nothing in it can lead elsewhere, and two never meet. */
export const fileName = (name: string, index: number): string =>
  `${String(index + 1).padStart(3, '0')}-${name
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._-]+/gu, '_')
    .replace(/^\.+/, '')
    .slice(0, 60)}`;

/** Every report by its path below the output folder. */
export function reports(results: GradeResults): Map<string, string> {
  const files = new Map<string, string>([
    ['results.json', json(results)],
    ['grades.csv', gradesCsv(results)],
    ['canvas.csv', canvasCsv(results)],
    ['moodle.csv', moodleCsv(results)],
    ['junit.xml', junit(results)],
    ['class.html', classHtml(results)],
  ]);
  for (const [index, submission] of results.submissions.entries()) {
    // Where the grader failed there is nothing that a platform could take for a mark.
    if (submission.outcome === 'grader-error') continue;
    const name = fileName(submission.name, index);
    files.set(`gradescope/${name}/results.json`, json(gradescope(results, submission)));
    files.set(`prairielearn/${name}/results.json`, json(prairielearn(results, submission)));
    files.set(`exercism/${name}/results.json`, json(exercism(results, submission)));
    files.set(`classroom/${name}.json`, json(classroom(results, submission)));
  }
  return files;
}

export function writeReports(results: GradeResults, out: string): void {
  // What an earlier run wrote of people who are not in this one would be taken for theirs. Nobody else's folders are touched.
  if (earlierResults(out))
    for (const folder of ['gradescope', 'prairielearn', 'exercism', 'classroom'])
      rmSync(join(out, folder), { recursive: true, force: true });
  for (const [name, text] of reports(results)) {
    const path = join(out, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  }
}
