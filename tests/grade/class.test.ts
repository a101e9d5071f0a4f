/**
 * A generated class: right, wrong, untouched, hanging and crashing submissions mixed, and a grading that is killed and taken up
 * again. By hand, larger: WORKBOOK_CLASS=100 WORKBOOK_CLASS_LESSONS=all npm test -- grade/class
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { allLessons, findLesson } from '../../scripts/kernel/course.ts';
import { memory } from '../../scripts/kernel/procfs.ts';
import { generateClass } from './people.ts';
import { grade, processesWith, resultsOf, scratch, startGrading, withoutTimes } from './run.ts';

const size = Number(process.env['WORKBOOK_CLASS'] ?? 6);
const all = process.env['WORKBOOK_CLASS_LESSONS'] === 'all';
const lessons = all ? allLessons() : [findLesson('request-anatomy')];
const limit = size * lessons.length * 20_000 + 120_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test(
  `a class of ${size}, killed half way and taken up again, gets the marks it earned`,
  { timeout: limit },
  async (t) => {
    const dir = join(scratch('class'), 'class');
    const people = generateClass(dir, size, lessons);
    const args = ['--seed', '21', ...(all ? [] : ['--lesson', '3']), '--trust'];

    // Killed when half is done.
    const first = startGrading(dir, args);
    const kept = (): number =>
      existsSync(join(first.out, '.kept'))
        ? readdirSync(join(first.out, '.kept')).filter((file) => file.endsWith('.json')).length - 1
        : 0;
    let over = false;
    void first.done.then(() => (over = true));
    while (!over && kept() < size / 2) await pause(20);
    process.kill(first.pid, 'SIGKILL');
    await first.done;
    assert.ok(!existsSync(join(first.out, 'results.json')), 'it had finished already');
    for (let waited = 0; waited < 5000 && processesWith(`${dir}-tmp`).length > 0; waited += 50)
      await pause(50);
    assert.deepEqual(processesWith(`${dir}-tmp`), [], 'something outlived the killed grader');
    const before = kept();

    const resumed = await grade(dir, [...args, '--resume']);
    assert.equal(resumed.status, 0, resumed.stderr);
    assert.deepEqual(
      readdirSync(`${dir}-tmp`).filter((name) => name.startsWith('workbook-grade-')),
      [],
      'the killed grader left its folder behind',
    );
    assert.equal(
      resumed.stderr.match(/^\[/gm)?.length,
      size - before,
      'it graded again what was done',
    );
    const marks = resultsOf(resumed).submissions.map(({ name, outcome, points }) => ({
      name,
      outcome,
      points,
    }));
    assert.deepEqual(
      marks,
      people.map(({ name, points }) => ({ name, outcome: 'graded', points })),
      JSON.stringify(
        resultsOf(resumed).submissions.flatMap((one) =>
          one.lessons.map(({ steps, diagnosis }) =>
            [one.name, diagnosis, ...steps.map((step) => step.diagnosis)].join(),
          ),
        ),
      ),
    );

    // Once more from the beginning with the same seed: all but times is the same.
    const began = performance.now();
    const whole = startGrading(
      dir,
      [...args, '--compare', join(resumed.out, 'results.json')],
      {},
      `${dir}-again`,
    );
    const sizes: number[] = [];
    const watch = setInterval(() => sizes.push(memory(whole.pid) ?? 0), 100);
    const again = await whole.done;
    clearInterval(watch);
    assert.equal(again.status, 0, again.stderr);
    assert.match(again.stdout, /^No mark differs from the earlier grading\.$/m);
    assert.deepEqual(
      withoutTimes(resultsOf(again).submissions),
      withoutTimes(resultsOf(resumed).submissions),
    );

    const megabytes = sizes
      .filter((bytes) => bytes > 0)
      .map((bytes) => Math.round(bytes / 1024 / 1024));
    const [early = 0, late = 0] = [
      Math.max(...megabytes.slice(0, Math.ceil(megabytes.length / 3))),
      Math.max(...megabytes.slice(-Math.ceil(megabytes.length / 3))),
    ];
    t.diagnostic(
      `${size} submissions of ${lessons.length} lessons: ${((performance.now() - began) / 1000 / size).toFixed(2)} s each; memory of the grader ${early} MB at first, ${late} MB at last`,
    );
    if (megabytes.length > 0)
      assert.ok(late < early + 64, `the grader grew from ${early} to ${late} MB`);
  },
);
