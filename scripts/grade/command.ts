/** What `npm run grade` does with its words. All of them are checked before anything is run or written. */
import { existsSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  beginIn,
  earlierResults,
  keepApart,
  mustAgree,
  readRun,
  referenceHash,
  resultsIn,
  type RunFile,
} from './earlier.ts';
import { findIsolation, type Tier } from './isolation.ts';
import { findSubmissions, type Submission } from './intake.ts';
import { Grader, keptResults, withNeeded } from './grader.ts';
import { Progress } from './progress.ts';
import { manifestHash, maxPoints, type GradedSubmission, type GradeResults } from './results.ts';
import { clean } from './reports/text.ts';
import { writeReports } from './reports/write.ts';
import { readRoster, strangersIn, withRoster } from './roster.ts';
import { allLessons, findLesson, solutionsDir } from '../kernel/course.ts';
import { brief } from '../kernel/exchange.ts';
import { UsageError } from '../kernel/failure.ts';
import { standing } from '../kernel/target.ts';

const usage = `npm run grade DIR                grades a folder that holds one folder for each submission

Flags come after "--", as in "npm run grade DIR -- --lesson 5":
  --lesson N         only this lesson; may be given several times
  --only NAME        only this submission; may be given several times. With --resume it is graded anew, and the
                     others stay in the reports as they were
  --out OUT          where the reports go (DIR-grades, beside DIR; DIR-grades-only for --only without --resume)
  --with-reference   a lesson's earlier modules come from the reference, so that one fault isn't paid twice
  --reference DIR    a reference of your own, shaped like solutions/
  --jobs N           submissions at a time (2)
  --seed N           the same values as in an earlier run
  --resume           takes what an earlier run into OUT has finished, and goes on as it began; files that changed since
                     are graded anew
  --compare FILE     says what differs from an earlier results.json
  --roster FILE      folder,name,id,email (DIR/roster.csv, if it is there)
  --isolation TIER   "namespaces" or "process"; without it, the best that this machine has
  --trust            grade strangers' programs although only the tier "process" is to be had
  --help             this text

Exit status: 0 graded; 2 the command was used wrongly, or the grader failed on a submission; 3 the workbook's own
reference or stubs don't get the marks they must, so nobody was graded.`;

const options = {
  lesson: { type: 'string', multiple: true },
  only: { type: 'string', multiple: true },
  out: { type: 'string' },
  'with-reference': { type: 'boolean' },
  reference: { type: 'string' },
  jobs: { type: 'string' },
  seed: { type: 'string' },
  resume: { type: 'boolean' },
  compare: { type: 'string' },
  roster: { type: 'string' },
  isolation: { type: 'string' },
  trust: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parse(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(
      `${error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)}. "npm run grade -- --help" shows what there is.`,
    );
  }
}

function number(
  text: string | undefined,
  name: string,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) < least || Number(text) > most)
    throw new UsageError(`--${name} takes a whole number from ${least} to ${most}, not "${text}".`);
  return Number(text);
}

/** The name of a submission that the user means: as a shell completes it, and composed as their keyboard does. */
function named(submissions: Submission[], word: string, dir: string): string {
  const [bare, composed] = [
    word.replace(/[\\/]+$/, ''),
    word.replace(/[\\/]+$/, '').normalize('NFC'),
  ];
  const found =
    submissions.find(({ name }) => name === bare) ??
    submissions.find(({ name }) => name.normalize('NFC') === composed);
  if (!found) throw new UsageError(`There is no submission "${word}" in ${dir}.`);
  return found.name;
}

/** What differs between two gradings, one line each. */
function differences(before: GradeResults, after: GradeResults): string[] {
  const lines: string[] = [];
  if (before.manifestHash !== after.manifestHash)
    lines.push('The lessons or their tests have changed since then.');
  const earlier = new Map(before.submissions.map((submission) => [submission.name, submission]));
  for (const submission of after.submissions) {
    const was = earlier.get(submission.name);
    if (!was)
      lines.push(
        `${submission.name}: new, ${submission.outcome === 'graded' ? `${submission.points} points` : submission.outcome}`,
      );
    else if (was.outcome !== submission.outcome)
      lines.push(`${submission.name}: ${was.outcome} before, ${submission.outcome} now`);
    else {
      for (const lesson of submission.lessons) {
        const then = was.lessons.find((one) => one.lesson === lesson.lesson);
        if (then && then.points !== lesson.points)
          lines.push(
            `${submission.name}, ${lesson.lesson}: ${then.points} points before, ${lesson.points} now`,
          );
      }
    }
    earlier.delete(submission.name);
  }
  return [...lines, ...[...earlier.keys()].map((name) => `${name}: not there any more`)];
}

/**
 * Gives the exit status.
 * @throws UsageError when the command was used wrongly
 */
export async function gradeCommand(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [given, extra] = positionals;
  if (given === undefined || extra !== undefined)
    throw new UsageError(
      'npm run grade takes one folder, such as "npm run grade submissions". "npm run grade -- --help" shows the rest.',
    );
  // Paths are meant from where the user stands: npm itself goes to the project's folder.
  const path = (word: string): string => resolve(standing(), word);
  const dir = path(given);
  // The manifest's order, and each once, however they were named.
  const wanted = values.lesson && new Set(values.lesson.map(findLesson));
  const lessons = allLessons().filter((lesson) => wanted?.has(lesson) ?? true);
  const jobs = number(values.jobs, 'jobs', 1, 64) ?? 2;
  const givenSeed = number(values.seed, 'seed', 1, 2 ** 31);
  const tier = values.isolation;
  if (tier !== undefined && tier !== 'namespaces' && tier !== 'process')
    throw new UsageError(`--isolation takes "namespaces" or "process", not "${tier}".`);
  const everybody = findSubmissions(dir);
  const only = values.only?.map((word) => named(everybody, word, given));
  const apart = only && !values.resume;
  const out = path(values.out ?? `${dir}-grades${apart ? '-only' : ''}`);
  keepApart(out, dir);
  if (
    apart &&
    values.out &&
    earlierResults(out)?.submissions.some(({ name }) => !only.includes(name))
  )
    throw new UsageError(
      `${out} holds the results of others, which --only would replace: add --resume to keep them, or leave out --out.`,
    );
  const reference = path(values.reference ?? solutionsDir);
  for (const { name, edits } of withNeeded(lessons)) {
    const missing = edits.find((file) => !existsSync(join(reference, name, file)));
    if (missing) throw new UsageError(`The reference ${reference} has no ${name}/${missing}.`);
  }
  const roster = readRoster(dir, values.roster && path(values.roster));
  const compared = values.compare === undefined ? undefined : resultsIn(path(values.compare));
  if (values.compare !== undefined && !compared)
    throw new UsageError(`"${values.compare}" cannot be read as an earlier results.json.`);

  const isolation = findIsolation(tier as Tier | undefined);
  if (tier === 'namespaces' && isolation.tier !== tier)
    throw new UsageError(
      'This machine cannot make the namespaces: unshare, setpriv, prlimit (util-linux) and ip (iproute2) are needed, and user namespaces must be allowed.',
    );
  if (isolation.tier === 'process' && !values.trust) {
    throw new UsageError(
      `Here strangers' programs can be kept apart by processes only, not by namespaces: they could use the network and send signals as you. Add "-- --trust" to grade them all the same, or use Linux with unshare.`,
    );
  }

  const keep = join(out, '.kept');
  const runFile = join(keep, 'run.json');
  const before = readRun(runFile);
  const earlier = values.resume ? before : undefined;
  const hash = manifestHash(lessons);
  const withReference = values['with-reference'] ?? false;
  const seed = givenSeed ?? earlier?.seed ?? randomInt(1, 2 ** 31);
  const run: RunFile = {
    schema: 'workbook/grade-run/v1',
    seed,
    manifestHash: hash,
    referenceHash: referenceHash(reference, withNeeded(lessons)),
    withReference,
    tier: isolation.tier,
    node: process.version,
    lessons: lessons.map(({ name }) => name),
  };
  if (earlier) mustAgree(earlier, run);
  beginIn(keep, run, earlier === undefined);
  const done = earlier ? keptResults(keep) : new Map<string, GradedSubmission>();
  for (const name of only ?? []) done.delete(name);
  const submissions = everybody.filter(
    ({ name }) => !only || only.includes(name) || done.has(name),
  );

  const began = Date.now();
  console.error(`Isolation: ${isolation.tier}. ${isolation.keeps.join('; ')}.`);
  if (isolation.lacks.length > 0) console.error(`Not kept apart: ${isolation.lacks.join('; ')}.`);
  const strangers = strangersIn(roster, everybody);
  if (strangers.length > 0)
    console.error(
      `No folder is there for ${strangers.length} of the roster: ${brief(strangers.join(', '), 200)}.`,
    );
  const progress = new Progress(process.stderr, submissions.length);
  const grader = new Grader({
    lessons,
    seed,
    jobs,
    isolation,
    withReference,
    reference,
    hidden: [dir, out],
    keep,
    onDone: (submission, left) => {
      const mark =
        submission.outcome === 'graded'
          ? `${submission.points} of ${submission.maxPoints} points`
          : `${submission.outcome}: ${submission.reason ?? ''}`;
      progress.tell(brief(submission.name, 40), brief(mark, 120), left);
    },
  });
  let graded: GradedSubmission[];
  try {
    const wrong = await grader.selfCheck();
    if (wrong) {
      console.error(
        `Nobody was graded: ${brief(wrong, 400)}. The workbook itself is at fault here; "npm run verify" says more.`,
      );
      return 3;
    }
    graded = await grader.run(submissions, done);
  } finally {
    progress.end();
    await grader.end();
  }
  const results: GradeResults = {
    schema: 'workbook/grade/v1',
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    seed,
    isolation,
    withReference,
    manifestHash: hash,
    startedAt: new Date(began).toISOString(),
    durationMs: Date.now() - began,
    lessons: lessons.map((lesson) => ({
      lesson: lesson.name,
      title: lesson.title,
      maxPoints: maxPoints(lesson),
      steps: lesson.steps.map(({ title, points }) => ({ title, points })),
    })),
    submissions: graded.map((submission) => withRoster(submission, roster)),
  };
  for (const [name, copy] of writeReports(results, out))
    console.error(`${name} was there already, of another making; it is kept as ${copy}`);
  if (compared) {
    const lines = differences(compared, results);
    console.log(
      lines.length > 0
        ? lines.map((line) => clean(brief(line, 200))).join('\n')
        : 'No mark differs from the earlier grading.',
    );
  }
  console.log(
    `${graded.length} ${graded.length === 1 ? 'submission' : 'submissions'} graded in ${((Date.now() - began) / 1000).toFixed(1)} s. Reports: ${out}`,
  );
  return graded.some(({ outcome }) => outcome === 'grader-error') ? 2 : 0;
}
