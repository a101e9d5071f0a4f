/** The project itself has none of the problems that `npm run verify` looks for; of the catalogue see catalogue.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allLessons } from '../scripts/kernel/course.ts';
import { checks } from '../scripts/verify/checks.ts';
import { describe as inWords, sorted } from '../scripts/verify/problem.ts';

const scope = {
  lessons: allLessons(),
  whole: true,
  write: false,
  golden: false,
  seed: 1,
  tell: () => {},
};
for (const name of ['structure', 'stray', 'links', 'blocks'] as const) {
  test(`There is no problem of ${name}`, async () => {
    const problems = sorted(await checks[name](scope)).filter(({ warning }) => !warning);
    assert.deepEqual(problems.map(inWords), []);
  });
}
