/** What a fault in one lesson costs in the lessons that stand on it. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withNeeded } from '../../scripts/grade/grader.ts';
import { layOut, loadSuite } from '../../scripts/kernel/catalogue.ts';
import { findLesson, projectRoot } from '../../scripts/kernel/course.ts';
import { judge } from '../../scripts/kernel/judge.ts';
import { stubOf } from '../../scripts/kernel/stub.ts';
import { solutionText } from './people.ts';
import { grade, resultsOf, scratch } from './run.ts';

test('a users API on a faulty router keeps the points of the steps that pass', async () => {
  const dir = join(scratch('points'), 'class');
  const [router, users] = [findLesson('router'), findLesson('users-api')];
  for (const { name, edits } of withNeeded([users])) {
    const to = join(dir, 'ada', name);
    mkdirSync(to, { recursive: true });
    for (const file of edits) writeFileSync(join(to, file), solutionText(name, file));
  }
  cpSync(
    join(projectRoot, 'tests/wrong/05-router/405-without-allow.ts'),
    join(dir, 'ada', router.name, 'router.ts'),
  );
  const lessons = [router, users].flatMap(({ number }) => ['--lesson', String(number)]);
  const run = await grade(dir, [...lessons, '--isolation', 'process', '--trust']);
  assert.equal(run.status, 0, run.stderr);
  const [below, above] = resultsOf(run).submissions[0]?.lessons ?? [];
  assert.ok(below && below.points > 0 && below.points < below.maxPoints);
  const statuses = above?.steps.map(({ status }) => status) ?? [];
  const passed = users.steps.filter((_, index) => statuses[index] === 'pass');
  assert.equal(above?.verdict, 'wrong', above?.message ?? '');
  assert.ok(passed.length >= 5 && passed.length < statuses.length, statuses.join());
  assert.ok(!statuses.includes('not-reached'), statuses.join());
  assert.equal(
    above.points,
    passed.reduce((sum, step) => sum + step.points, 0),
  );
  // Why, as far as the grader can know: one fault may have cost points twice.
  assert.match(
    above.message ?? '',
    new RegExp(`stands on "${router.title}" \\(${below.points} of ${below.maxPoints} points\\)`),
  );
});

test('an untouched earlier lesson costs the steps that need it, and each names it', async () => {
  const [cors, users] = [findLesson('cors'), findLesson('users-api')];
  const { dir, remove } = layOut(users);
  try {
    for (const file of cors.edits) writeFileSync(join(dir, cors.name, file), stubOf(cors, file));
    const { status, steps } = await judge(await loadSuite(users), { target: dir, trusted: false });
    assert.equal(status, 'fail');
    const failing = steps.filter((step) => step.status === 'fail');
    assert.ok(failing.length > 0 && steps.some((step) => step.status === 'pass'));
    for (const { diagnosis, message } of failing) {
      assert.equal(diagnosis, 'earlier-lesson-unfinished', message);
      assert.match(message, new RegExp(`step 1 of the ${cors.title} lesson`));
    }
  } finally {
    remove();
  }
});
