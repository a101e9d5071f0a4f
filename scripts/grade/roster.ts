/** `roster.csv`: which folder is whose. Columns `folder`, `name`, `id`, `email`, in any order; only `folder` must be there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Papa from 'papaparse';
import { UsageError } from '../kernel/failure.ts';
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
  const { data, meta } = Papa.parse<Record<string, string>>(
    readFileSync(file, 'utf8').replace(/^\ufeff/, ''),
    {
      header: true,
      skipEmptyLines: true,
      transformHeader: (header) => header.trim().toLowerCase(),
    },
  );
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
