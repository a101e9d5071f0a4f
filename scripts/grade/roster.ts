/** `roster.csv`: which folder is whose. Columns `folder`, `name`, `id`, `email`, in any order; only `folder` must be there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Papa from 'papaparse';
import { UsageError } from '../kernel/failure.ts';
import type { Submission } from './intake.ts';
import type { GradedSubmission } from './results.ts';

export type Roster = Map<string, { student?: string; id?: string; email?: string }>;

/** @throws UsageError when a file that was named is not there, or the file has no column `folder` */
export function readRoster(dir: string, given?: string): Roster {
  const file = given ?? join(dir, 'roster.csv');
  const roster: Roster = new Map();
  if (!existsSync(file)) {
    if (given !== undefined) throw new UsageError(`There is no roster "${given}".`);
    return roster;
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw new UsageError(
      error instanceof TypeError
        ? `${file} is not UTF-8 text: save it as "CSV UTF-8".`
        : `${file} cannot be read as a roster.`,
    );
  }
  const { data, meta } = Papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: true,
    transformHeader: (header) => header.trim().toLowerCase(),
  });
  if (!meta.fields?.includes('folder'))
    throw new UsageError(
      `${file} has no column "folder". Its first line should be: folder,name,id,email`,
    );
  for (const { folder, name, id, email } of data) {
    if (folder)
      roster.set(folder.trim().normalize('NFC'), {
        ...(name && { student: name.trim() }),
        ...(id && { id: id.trim() }),
        ...(email && { email: email.trim() }),
      });
  }
  return roster;
}

export const withRoster = (submission: GradedSubmission, roster: Roster): GradedSubmission => ({
  ...submission,
  ...roster.get(submission.name.normalize('NFC')),
});

/** Folders of the roster that nobody has handed in. */
export const strangersIn = (roster: Roster, submissions: Submission[]): string[] => {
  const names = new Set(submissions.map(({ name }) => name.normalize('NFC')));
  return [...roster.keys()].filter((folder) => !names.has(folder));
};
