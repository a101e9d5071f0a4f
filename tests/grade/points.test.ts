/** What a fault in one lesson costs in the lessons that stand on it. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withNeeded } from '../../scripts/grade/grader.ts';
import { findLesson, projectRoot } from '../../scripts/kernel/course.ts';
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
});
