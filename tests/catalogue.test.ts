/**
 * The tests are themselves tested: right programs pass, wrong ones fail at their step for their reason, stubs are not done
 * yet. Here a few programs of each lesson are judged; "npm run verify" judges them
 * all, as does WORKBOOK_CATALOGUE=all, and compares what the terminal says with the golden transcripts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prove } from '../scripts/kernel/catalogue.ts';
import { allLessons } from '../scripts/kernel/course.ts';
import { goldenSeed } from '../scripts/verify/golden.ts';

// No hurry: on a busy machine, too, every step is tried, so that the transcripts stay the same.
const options = { seed: goldenSeed, budgetMs: 60_000 };
const whole = process.env['WORKBOOK_CATALOGUE'] === 'all';

for (const lesson of allLessons()) {
  test(`the catalogue of ${lesson.name}`, async (t) => {
    const proofs = await prove(lesson, { ...options, sample: !whole, jobs: 3 });
    for (const { name, complaint } of proofs) {
      await t.test(name, () => assert.equal(complaint, undefined, complaint));
    }
  });
}
