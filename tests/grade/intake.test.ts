/** What is taken from a submission, and what it is worth. */
import assert from 'node:assert/strict';
import fs, { mkdirSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findSubmissions, takeFiles } from '../../scripts/grade/intake.ts';
import { deservesAnotherTry, graded, maxPoints, missing } from '../../scripts/grade/results.ts';
import { allLessons, findLesson } from '../../scripts/kernel/course.ts';
import { UsageError } from '../../scripts/kernel/failure.ts';
import type { Result } from '../../scripts/kernel/result.ts';
import { submit } from './people.ts';
import { scratch } from './run.ts';

const anatomy = findLesson('03-request-anatomy');
const taken = (dir: string, name: string) => takeFiles({ name, dir: join(dir, name) }, [anatomy]);

describe('intake', () => {
  const dir = scratch('intake');

  test('finds the lessons wherever an archive put them', () => {
    for (const [name, where] of Object.entries({
      plain: 'lessons',
      bare: '.',
      nested: 'assignment-3/lessons',
      'nested bare': 'my work',
      'twice nested': 'user_123_456/workbook-main/lessons',
    })) {
      submit(dir, name, `// ${name}\n`, where);
      assert.deepEqual(
        taken(dir, name).files.map(({ lesson, file, bytes }) => [lesson, file, String(bytes)]),
        [[anatomy.name, 'server.ts', `// ${name}\n`]],
        name,
      );
    }
  });

  test('takes the ones that lie least deep', () => {
    submit(dir, 'two', '// old\n', 'attic/2023/lessons');
    submit(dir, 'two', '// new\n', 'workbook/lessons');
    submit(dir, 'two', '// ours\n', 'workbook/solutions');
    for (let count = 0; count < 60; count++) writeFileSync(join(dir, 'two', `a${count}.txt`), 'x');
    assert.deepEqual(
      taken(dir, 'two').files.map(({ bytes }) => String(bytes)),
      ['// new\n'],
    );
  });

  test('names an archive that was never unpacked', () => {
    mkdirSync(join(dir, 'packed/inner'), { recursive: true });
    writeFileSync(join(dir, 'packed/inner/Lessons 1.ZIP'), 'PK');
    assert.equal(taken(dir, 'packed').packed, 'Lessons 1.ZIP');
    assert.equal(taken(dir, 'plain').packed, undefined);
    const archives = scratch('archives');
    writeFileSync(join(archives, 'ada.zip'), 'PK');
    assert.throws(() => findSubmissions(archives), /ada\.zip\. Unpack each into a folder/);
  });

  test('takes only what a learner edits', () => {
    submit(dir, 'extras');
    const lesson = join(dir, 'extras/lessons', anatomy.name);
    for (const file of ['lesson.json', 'package.json', 'helper.ts', 'server.js', '.env'])
      writeFileSync(join(lesson, file), 'x');
    mkdirSync(join(lesson, 'node_modules/evil'), { recursive: true });
    assert.deepEqual(
      taken(dir, 'extras').files.map(({ file }) => file),
      ['server.ts'],
    );
  });

  test('passes over what systems and packers leave behind', () => {
    submit(dir, 'archive', '// right\n', 'work/lessons');
    submit(dir, 'archive', '// resource fork\n', '__MACOSX/lessons');
    submit(dir, 'archive', '// git\n', '.git/lessons');
    submit(dir, 'archive', '// a package\n', 'node_modules/lessons');
    assert.deepEqual(
      taken(dir, 'archive').files.map(({ bytes }) => String(bytes)),
      ['// right\n'],
    );
    mkdirSync(join(dir, '__MACOSX'));
    mkdirSync(join(dir, '.git'));
    writeFileSync(join(dir, 'notes.txt'), 'x');
    assert.ok(
      !findSubmissions(dir).some(({ name }) => ['__MACOSX', '.git', 'notes.txt'].includes(name)),
    );
  });

  test('keeps names in any script, composed or not', () => {
    const names = ['学生 一号', 'Zoë'.normalize('NFD'), 'Ольга', 'سارة', 'O’Brien 🙂'];
    for (const name of names) submit(dir, name);
    const found = findSubmissions(dir).map(({ name }) => name.normalize('NFC'));
    for (const name of names) assert.ok(found.includes(name.normalize('NFC')), name);
  });

  test('calls nothing handed in missing, not wrong and not tampered', () => {
    mkdirSync(join(dir, 'empty'));
    assert.deepEqual(taken(dir, 'empty'), { files: [], tampered: null });
    const lesson = missing(anatomy, 1, 'No file of this lesson was handed in.');
    assert.deepEqual(
      [lesson.verdict, lesson.points, lesson.maxPoints, lesson.steps.length],
      ['missing', 0, maxPoints(anatomy), anatomy.steps.length],
    );
  });

  test('refuses a file that is no learner’s for its size', () => {
    submit(dir, 'large', `// ${'x'.repeat(300 * 1024)}\n`);
    assert.match(taken(dir, 'large').tampered ?? '', /larger than 256 kB/);
    submit(dir, 'just right', `// ${'x'.repeat(200 * 1024)}\n`);
    assert.equal(taken(dir, 'just right').tampered, null);
  });

  test('what cannot be read is that submission’s outcome alone', (t) => {
    submit(dir, 'locked', '// locked\n', 'work/lessons');
    submit(dir, 'open');
    const refuse = (locked: string): void => {
      for (const name of ['lstatSync', 'readdirSync'] as const) {
        const real = fs[name] as (path: fs.PathLike, ...rest: unknown[]) => unknown;
        t.mock.method(fs, name, (path: fs.PathLike, ...rest: unknown[]) => {
          if (String(path).startsWith(locked) && (name === 'readdirSync' || path !== locked))
            throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
          return real(path, ...rest);
        });
      }
      syncBuiltinESMExports();
    };
    try {
      for (const [folder, words] of [
        [`work/lessons/${anatomy.name}`, `${anatomy.name}/server.ts cannot be read.`],
        ['work/lessons', 'work/lessons cannot be read.'],
        ['work', 'work cannot be read.'],
        ['', 'The folder cannot be read.'],
      ] as const) {
        refuse(join(dir, 'locked', folder));
        assert.deepEqual(taken(dir, 'locked'), { files: [], tampered: words });
        assert.equal(taken(dir, 'open').files.length, 1);
        t.mock.restoreAll();
      }
    } finally {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    }
  });

  test('says in one sentence that there is nothing to grade', () => {
    assert.throws(() => findSubmissions(join(dir, 'nowhere')), UsageError);
    assert.throws(() => findSubmissions(join(dir, 'empty')), UsageError);
  });
});

describe('points', () => {
  const result = (
    change: (step: Result['steps'][number]) => Partial<Result['steps'][number]>,
    more: Partial<Result> = {},
  ): Result => ({
    schema: 'workbook/result/v1',
    lesson: anatomy.name,
    target: 'submission',
    node: process.version,
    seed: 1,
    status: 'fail',
    durationMs: 1,
    diagnosis: null,
    message: null,
    steps: anatomy.steps.map(({ title }, index) => {
      const step = {
        step: index + 1,
        title,
        status: 'pass' as const,
        diagnosis: null,
        message: '',
        expected: null,
        actual: null,
        exchange: null,
      };
      return { ...step, ...change(step) };
    }),
    ...more,
  });

  test('are whole numbers that the manifest alone sets', () => {
    for (const lesson of allLessons())
      for (const { points } of lesson.steps)
        assert.ok(Number.isInteger(points) && points > 0, lesson.name);
    assert.equal(
      graded(
        anatomy,
        result(() => ({}), { status: 'pass' }),
      ).points,
      maxPoints(anatomy),
    );
    assert.equal(
      graded(
        anatomy,
        result(({ step }) => (step === 2 ? { status: 'fail', diagnosis: 'wrong-json' } : {})),
      ).points,
      maxPoints(anatomy) - (anatomy.steps[1]?.points ?? 0),
    );
  });

  test('are not given for a step that is absent, renamed or out of order', () => {
    const whole = result(() => ({}));
    assert.equal(graded(anatomy, { ...whole, steps: [] }).points, 0);
    assert.equal(graded(anatomy, { ...whole, steps: whole.steps.slice(1) }).points, 0);
    assert.equal(
      graded(
        anatomy,
        result(() => ({ title: 'everything' })),
      ).points,
      0,
    );
    assert.equal(
      graded(anatomy, { ...whole, steps: [...whole.steps, ...whole.steps] }).points,
      maxPoints(anatomy),
    );
  });

  test('tell a wrong answer from a program that failed', () => {
    const verdict = (diagnosis: string) =>
      graded(
        anatomy,
        result(({ step }) => (step === 1 ? { status: 'fail', diagnosis } : {})),
      ).verdict;
    assert.equal(verdict('wrong-json'), 'wrong');
    for (const diagnosis of [
      'crashed',
      'no-answer',
      'response-never-ended',
      'event-loop-blocked',
      'too-much-memory',
    ])
      assert.equal(verdict(diagnosis), 'program-failed', diagnosis);
    assert.equal(
      graded(
        anatomy,
        result(() => ({ status: 'not-reached' }), {
          status: 'error',
          diagnosis: 'does-not-compile',
        }),
      ).verdict,
      'program-failed',
    );
  });

  test('are tried for again only where a wait ran out', () => {
    const again = (diagnosis: string) =>
      deservesAnotherTry(result(({ step }) => (step === 1 ? { status: 'fail', diagnosis } : {})));
    for (const diagnosis of ['no-answer', 'response-never-ended', 'event-loop-blocked'])
      assert.equal(again(diagnosis), true, diagnosis);
    for (const diagnosis of ['wrong-json', 'crashed', 'not-done-yet'])
      assert.equal(again(diagnosis), false, diagnosis);
    assert.equal(deservesAnotherTry(result(() => ({}), { status: 'pass' })), false);
  });
});
