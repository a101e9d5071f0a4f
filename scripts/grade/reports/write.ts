/** Writes every report below one folder; `results.json` is what the others are drawn from. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { keepCopy } from '../../keep.ts';
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

const platforms = { gradescope, prairielearn, exercism, classroom };

/** Where a platform's report on a submission lies below the output folder. */
const placeOf = (platform: string, name: string, index: number): string =>
  `${platform}/${fileName(name, index)}${platform === 'classroom' ? '' : '/results'}.json`;

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
    for (const [platform, report] of Object.entries(platforms))
      files.set(placeOf(platform, submission.name, index), json(report(results, submission)));
  }
  return files;
}

/** What an earlier run wrote of people who are not in this one would be taken for theirs. Nothing else that lies there is touched. */
function removeEarlier({ submissions }: GradeResults, out: string): void {
  for (const [index, { name }] of submissions.entries())
    for (const platform of Object.keys(platforms)) {
      const path = join(out, placeOf(platform, name, index));
      rmSync(path, { force: true });
      try {
        rmdirSync(dirname(path));
      } catch {
        // It is not there, or holds something else.
      }
    }
}

/** @returns the copies of what somebody else had laid where a report goes, by its path below the output folder */
export function writeReports(results: GradeResults, out: string): Map<string, string> {
  const copies = new Map<string, string>();
  const earlier = earlierResults(out);
  if (earlier) removeEarlier(earlier, out);
  for (const [name, text] of reports(results)) {
    const path = join(out, name);
    if (!earlier && existsSync(path))
      copies.set(name, keepCopy(path.replace(/\.\w+$/, '-before$&'), readFileSync(path)));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  }
  return copies;
}
