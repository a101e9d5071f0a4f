/** The capstone's tests judge behaviour: the same program on Express and on Fastify passes them as well. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { judgeSpecimen } from '../scripts/kernel/catalogue.ts';
import { findLesson, solutionsDir } from '../scripts/kernel/course.ts';

const lesson = findLesson('capstone');

for (const twin of ['express', 'fastify']) {
  test(`the capstone on ${twin} passes every step`, async () => {
    const result = await judgeSpecimen(lesson, join(solutionsDir, lesson.name, `${twin}.ts`));
    const failing = result.steps
      .filter((step) => step.status !== 'pass')
      .map(
        ({ step, diagnosis, message, actual }) =>
          `${step} ${diagnosis}: ${message} (${actual ?? ''})`,
      );
    assert.equal(result.status, 'pass', `${result.message ?? ''} ${failing.join('\n')}`);
  });
}
