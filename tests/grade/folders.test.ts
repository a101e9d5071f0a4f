/** Where the reports go, what lies there already, and from where paths are meant. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { readRun } from '../../scripts/grade/earlier.ts';
import { Grader, withNeeded } from '../../scripts/grade/grader.ts';
import { processTier } from '../../scripts/grade/isolation.ts';
import { allLessons, findLesson, solutionsDir } from '../../scripts/kernel/course.ts';
import { findTarget } from '../../scripts/kernel/target.ts';
import { solutionText, submit } from './people.ts';
import { grade, refused, resultsOf, scratch } from './run.ts';

const anatomy = findLesson('03-request-anatomy');
const trusted = ['--lesson', '3', '--isolation', 'process', '--trust'];

test('reports never go among the submissions, nor around them', async (t) => {
  const around = scratch('around');
  // A class whose folder has the name of one of ours.
  const dir = join(around, 'classroom');
  submit(dir, 'ada');
  symlinkSync(dir, join(around, 'link'), 'junction');
  for (const out of [
    around,
    dir,
    join(dir, 'reports'),
    join(around, 'link'),
    join(around, 'link/x/y'),
  ])
    await refused(t, /The reports can't go to .* folder of the submissions/, [
      ...[dir, ...trusted, '--out', out],
    ]);
  assert.equal(
    readFileSync(join(dir, 'ada/lessons', anatomy.name, 'server.ts'), 'utf8'),
    solutionText(anatomy.name),
  );
});

describe('a folder that is used again', async () => {
  const dir = join(scratch('again'), 'class');
  submit(dir, 'ada');
  submit(dir, 'bob');
  const out = `${dir}-grades`;
  // Somebody else's, under a name of ours.
  mkdirSync(join(out, 'classroom'), { recursive: true });
  writeFileSync(join(out, 'classroom/notes.txt'), 'mine');
  writeFileSync(join(out, 'results.json'), '{ "schema": "another/v1" }');
  const [temporary, link] = [`${dir}-real`, `${dir}-link`];
  mkdirSync(temporary);
  symlinkSync(temporary, link, 'junction');
  // The class stands beside where the user does.
  const first = await grade(
    basename(dir),
    [...trusted, '--seed', '5'],
    { INIT_CWD: dirname(dir), TMPDIR: link, TEMP: link, TMP: link },
    basename(out),
  );

  test('paths are meant from where the user stands', () => {
    assert.equal(first.status, 0, first.stderr);
    assert.equal(resultsOf({ out }).submissions.length, 2);
  });

  test('a temporary folder behind a link is as good as another', () => {
    for (const { points, maxPoints } of resultsOf({ out }).submissions)
      assert.equal(points, maxPoints);
    assert.deepEqual(readdirSync(temporary), []);
  });

  test('--only never replaces the results of others', async (t) => {
    const bob = [...trusted, '--only', 'bob', '--seed', '5'];
    await refused(t, /holds the results of others.*--resume/, [dir, ...bob, '--out', out]);
    const alone = await grade(dir, bob, {}, null);
    assert.equal(alone.status, 0, alone.stderr);
    assert.equal(resultsOf({ out: `${dir}-grades-only` }).submissions.length, 1);
    assert.equal(resultsOf({ out }).submissions.length, 2);
    assert.ok(existsSync(join(out, '.kept/run.json')));
  });

  test('a run goes on only as it began', async (t) => {
    const again = [dir, ...trusted, '--resume', '--out', out];
    const reference = `${dir}-reference`;
    cpSync(join(solutionsDir, anatomy.name), join(reference, anatomy.name), { recursive: true });
    writeFileSync(
      join(reference, anatomy.name, 'server.ts'),
      `${solutionText(anatomy.name)}// Changed.\n`,
    );
    for (const [args, words] of [
      [['--seed', '6'], /had the seed 5, not 6/],
      [['--with-reference'], /without --with-reference/],
      [['--reference', reference], /had another reference/],
    ] as const)
      await refused(t, words, [...again, ...args]);
    const runFile = join(out, '.kept/run.json');
    const run = readRun(runFile);
    assert.equal(run?.tier, 'process');
    for (const [change, words] of [
      [{ node: 'v1.2.3' }, /had Node v1\.2\.3, not v/],
      [{ tier: 'namespaces' }, /had the isolation "namespaces", not "process"/],
    ] as const) {
      writeFileSync(runFile, JSON.stringify({ ...run, ...change }));
      await refused(t, words, again);
    }
    writeFileSync(runFile, JSON.stringify(run));
    const resumed = await grade(dir, [...trusted, '--resume', '--seed', '5'], {}, out);
    assert.equal(resumed.status, 0, resumed.stderr);
  });

  test('what somebody else laid among the reports is not lost', () => {
    assert.equal(readFileSync(join(out, 'classroom/notes.txt'), 'utf8'), 'mine');
    const copy = join(out, 'results-before.json');
    assert.ok(first.stderr.includes(`it is kept as ${copy}\n`), first.stderr);
    assert.match(readFileSync(copy, 'utf8'), /another\/v1/);
    assert.ok(!existsSync(join(out, 'results-before-2.json')));
    assert.ok(existsSync(join(out, 'classroom/002-bob.json')));
  });
});

test('a target is found from where the user stands, and else in the project', () => {
  const before = process.env['INIT_CWD'];
  const dir = scratch('standing');
  mkdirSync(join(dir, 'mine'));
  mkdirSync(join(dir, 'lessons'));
  process.env['INIT_CWD'] = dir;
  try {
    assert.equal(findTarget('mine').dir, join(dir, 'mine'));
    assert.equal(relative(solutionsDir, findTarget('solutions').dir), '');
    assert.equal(findTarget('lessons').name, 'lessons');
  } finally {
    if (before === undefined) delete process.env['INIT_CWD'];
    else process.env['INIT_CWD'] = before;
  }
});

test('a file that can be no program costs its own lesson, and nothing else', async () => {
  const dir = join(scratch('bytes'), 'class');
  const router = findLesson('router').name;
  put(dir, 'ada', anatomy.name, 'server.ts', Buffer.from('// caf\xe9\n', 'latin1'));
  put(dir, 'ada', router, 'router.ts', solutionText(router, 'router.ts'));
  const run = await grade(dir, ['--lesson', 'router', ...trusted]);
  assert.equal(run.status, 0, run.stderr);
  const [lesson, other] = resultsOf(run).submissions[0]?.lessons ?? [];
  assert.deepEqual(
    [lesson?.diagnosis, lesson?.verdict, lesson?.points],
    ['not-utf-8', 'program-failed', 0],
  );
  assert.match(lesson?.message ?? '', /^03-request-anatomy\/server\.ts is not UTF-8 text/);
  assert.equal(other?.verdict, 'pass');
});

test('a file that is missing below another lesson costs that one', async () => {
  const dir = join(scratch('below'), 'class');
  // A lesson with two edited files, one of which is not there, and one that stands on it.
  const several = allLessons().find(({ edits }) => edits.length > 1);
  const above = allLessons().find(({ needs }) => several && needs.includes(several.name));
  if (!several || !above) throw new Error('no lesson stands on one with several edited files');
  for (const { name, edits } of withNeeded([above]))
    for (const file of edits)
      if (name !== several.name || file === edits[0])
        put(dir, 'bob', name, file, solutionText(name, file));
  const grader = new Grader({
    ...{ lessons: [above], seed: 1, jobs: 1, isolation: processTier(process.platform) },
    ...{ withReference: false, reference: solutionsDir, hidden: [], keep: `${dir}-kept` },
  });
  try {
    const [bob] = await grader.run([{ name: 'bob', dir: join(dir, 'bob') }], new Map());
    const [lesson] = bob?.lessons ?? [];
    assert.equal(lesson?.verdict, 'missing');
    assert.match(lesson.message ?? '', /This lesson stands on .*, of which a file is missing: /);
  } finally {
    await grader.end();
  }
});

function put(
  dir: string,
  name: string,
  lesson: string,
  file: string,
  bytes: string | Buffer,
): void {
  mkdirSync(join(dir, name, lesson), { recursive: true });
  writeFileSync(join(dir, name, lesson, file), bytes);
}
