/** The tests are themselves tested: right programs pass, wrong ones fail at their step for their reason, stubs are not done yet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prove } from '../scripts/kernel/catalogue.ts';
import { allLessons } from '../scripts/kernel/course.ts';

for (const lesson of allLessons()) {
  test(`the catalogue of ${lesson.name}`, async (t) => {
    const proofs = await prove(lesson, { jobs: 2, seed: 7 });
    for (const { name, complaint } of proofs) {
      await t.test(name, () => assert.equal(complaint, undefined, complaint));
    }
    const count = (kind: string): number => proofs.filter(({ name }) => name.startsWith(kind)).length;
    assert.ok(count('valid/') >= 3, `${lesson.name} has ${count('valid/')} right programs; at least three styles are wanted`);
    assert.ok(count('wrong/') >= 8, `${lesson.name} has ${count('wrong/')} wrong programs`);
  });
}
