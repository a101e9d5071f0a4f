/** What lies in the folder of the reports already: whose it is, and whether a run may go on there. */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import type { Tier } from './isolation.ts';
import type { GradedSubmission, GradeResults } from './results.ts';

/** A path without links, as far as it is there. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(real(above), basename(path));
  }
}

const holds = (outer: string, inner: string): boolean => {
  const way = relative(outer, inner);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
};

/** @throws UsageError when the reports would be written among the submissions, or around them */
export function keepApart(out: string, dir: string): void {
  const [there, here] = [real(out), real(dir)];
  if (holds(there, here) || holds(here, there))
    throw new UsageError(
      `The reports can't go to ${out}: that folder is, holds, or lies in the folder of the submissions, ${dir}; give --out another one.`,
    );
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** The results that a file holds; `undefined` where they are none of ours. */
export function resultsIn(file: string): GradeResults | undefined {
  const found = read(file) as Partial<GradeResults> | null | undefined;
  return found?.schema === 'workbook/grade/v1' &&
    Array.isArray(found.submissions) &&
    found.submissions.every(
      (one: Partial<GradedSubmission> | null) => typeof one?.name === 'string',
    )
    ? (found as GradeResults)
    : undefined;
}

/** The results that a grading has left in a folder. */
export const earlierResults = (out: string): GradeResults | undefined =>
  resultsIn(join(out, 'results.json'));

/** What a run needs to be taken up again: marks of one report come about in the same way. */
export interface RunFile {
  schema: 'workbook/grade-run/v1';
  seed: number;
  manifestHash: string;
  referenceHash: string;
  withReference: boolean;
  tier: Tier;
  node: string;
  lessons: string[];
}

/** Of the reference's files of these lessons and of those that they stand on. */
export function referenceHash(reference: string, lessons: Lesson[]): string {
  const hash = createHash('sha256');
  for (const { name, edits } of lessons)
    for (const file of edits)
      hash.update(`${name}/${file}\n`).update(readFileSync(join(reference, name, file)));
  return hash.digest('hex');
}

export function readRun(file: string): RunFile | undefined {
  const found = read(file) as Partial<RunFile> | null | undefined;
  return found?.schema === 'workbook/grade-run/v1' ? (found as RunFile) : undefined;
}

/** @throws UsageError when a run would go on otherwise than it began */
export function mustAgree(earlier: RunFile, now: RunFile): void {
  if (earlier.manifestHash !== now.manifestHash || earlier.lessons.join() !== now.lessons.join())
    throw new UsageError(
      'The earlier run into this folder graded other lessons, or their tests have changed since: grade anew, without --resume.',
    );
  const differs =
    earlier.seed !== now.seed
      ? `the seed ${earlier.seed}, not ${now.seed}`
      : earlier.withReference !== now.withReference
        ? `its lessons graded ${earlier.withReference ? 'with' : 'without'} --with-reference`
        : earlier.referenceHash !== now.referenceHash
          ? 'another reference'
          : earlier.tier !== now.tier
            ? `the isolation "${earlier.tier}", not "${now.tier}"`
            : earlier.node !== now.node
              ? `Node ${earlier.node}, not ${now.node}`
              : undefined;
  if (differs)
    throw new UsageError(
      `The earlier run into this folder had ${differs}: go on as it began, or grade anew, without --resume.`,
    );
}

/**
 * Notes how a run goes about it, whole: what a sudden end leaves can be read. Of a run that does not go on nothing is kept,
 * also where nobody knows any more how it went about it.
 * @throws UsageError when nothing can be written there
 */
export function beginIn(keep: string, run: RunFile, anew: boolean): void {
  const file = join(keep, 'run.json');
  try {
    mkdirSync(keep, { recursive: true });
    if (anew)
      for (const name of readdirSync(keep))
        if (/\.json(\.tmp)?$/.test(name)) rmSync(join(keep, name), { force: true });
    writeFileSync(`${file}.tmp`, JSON.stringify(run));
    renameSync(`${file}.tmp`, file);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(
      `The reports can't be written to ${dirname(keep)} (${why}): give another folder with --out.`,
    );
  }
}
