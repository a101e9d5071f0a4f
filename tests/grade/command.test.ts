/** The command: what it says when it is used wrongly, and when it is the grader that fails. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import Papa from 'papaparse';
import { findLesson, lessonsDir, solutionsDir } from '../../scripts/kernel/course.ts';
import { stubOf } from '../../scripts/kernel/stub.ts';
import { solutionText, submit } from './people.ts';
import {
  grade,
  processesWith,
  refused,
  resultsOf,
  scratch,
  withoutTimes,
  type Graded,
} from './run.ts';

const anatomy = findLesson('03-request-anatomy');
// A lesson that is named twice counts once.
const twice = ['--lesson', '3', '--lesson', 'request-anatomy'];
const trusted = [...twice, '--isolation', 'process', '--trust', '--seed', '5'];

test('bad use ends with status 2 and one sentence', async (t) => {
  const dir = join(scratch('use'), 'class');
  submit(dir, 'somebody');
  const [roster, latin, file] = [`${dir}-roster.csv`, `${dir}-latin.csv`, `${dir}-file`];
  writeFileSync(roster, 'student,mark\nx,1\n');
  writeFileSync(latin, Buffer.from('folder,name\nsomebody,Zo\xeb\n', 'latin1'));
  writeFileSync(file, '{ "schema": "another/v1" }');
  const trusted = ['--isolation', 'process', '--trust'];
  const cases: [RegExp, string[], string?][] = [
    [/no folder/, [], join(dir, '../nowhere')],
    [/no folder/, [], file],
    [/holds no folders/, [], join(dir, 'somebody/lessons', anatomy.name)],
    [/looks like one submission: it holds "lessons"/, [], join(dir, 'somebody')],
    [/one folder/, [dir]],
    [/--jobs takes/, ['--jobs', '0']],
    [/--jobs takes/, ['--jobs', 'two']],
    [/--seed takes/, ['--seed', '1.5']],
    [/--seed takes/, ['--seed', '0', '--resume']],
    [/no lesson "99"/, ['--lesson', '99']],
    [/no lesson ""/, ['--lesson', '']],
    [/argument missing/, ['--lesson']],
    [/--isolation takes/, ['--isolation', 'docker']],
    [/no submission "nobody"/, ['--only', 'nobody']],
    [/cannot be read as an earlier results/, ['--compare', 'package.json.missing']],
    [/cannot be read as an earlier results/, ['--compare', 'package.json']],
    [/cannot be read as an earlier results/, ['--compare', '']],
    [/no column "folder"/, ['--roster', roster]],
    [/is not UTF-8 text/, ['--roster', latin]],
    [/cannot be read as a roster/, ['--roster', dir]],
    [/there is no/i, ['--roster', join(dir, 'nobody.csv')]],
    [/--nonsense/, ['--nonsense']],
    [/does not take an argument/, ['--trust=yes']],
    [/--trust/, ['--isolation', 'process']],
    [/reference .* has no/, ['--lesson', '3', '--reference', dir]],
    [/can't be written to .*-file/, [...trusted, '--out', file]],
  ];
  for (const [words, args, folder] of cases)
    await refused(t, words, [folder ?? dir, '--out', `${dir}-out`, ...args]);
  await refused(t, /one folder/, []);
  assert.ok(!existsSync(`${dir}-out`), 'something was written');
  assert.equal(readFileSync(file, 'utf8'), '{ "schema": "another/v1" }');

  // Once as it is given, with the status and the line.
  const { status, stdout, stderr } = await grade(dir, ['--jobs', '0']);
  assert.equal(status, 2);
  assert.equal(stderr, '--jobs takes a whole number from 1 to 64, not "0".\n');
  assert.equal(stdout, '');
});

test('nobody is graded when the reference or the stubs get other marks than they must', async () => {
  const dir = join(scratch('reference'), 'class');
  submit(dir, 'somebody');
  const reference = `${dir}-reference`;
  cpSync(join(solutionsDir, anatomy.name), join(reference, anatomy.name), { recursive: true });
  writeFileSync(
    join(reference, anatomy.name, 'server.ts'),
    solutionText(anatomy.name).replace('cookie: req.headers.cookie ?? null', "cookie: ''"),
  );
  const { status, stdout, stderr, out } = await grade(dir, [...trusted, '--reference', reference]);
  assert.equal(status, 3, stderr);
  assert.match(
    stderr,
    /^Nobody was graded: the reference gets 12 of 14 points in 03-request-anatomy/m,
  );
  assert.equal(stdout, '');
  assert.ok(!existsSync(join(out, 'results.json')));
});

describe('a class with a roster', async () => {
  const dir = join(scratch('roster'), 'class');
  const zoe = 'Zoë'.normalize('NFD');
  // What it is called in a log would be a command to it.
  const killer = process.platform === 'win32' ? 'killer' : '::error::killer';
  const shownKiller = killer.replace(/^::/, ': :');
  submit(dir, zoe, solutionText(anatomy.name), 'zoe_123_late/lessons');
  submit(dir, '学生 一号', stubOf(anatomy, 'server.ts'), '.');
  submit(dir, 'large', `// ${'x'.repeat(300 * 1024)}\n`);
  submit(dir, 'late', '// An earlier lesson only.\n');
  cpSync(join(lessonsDir, '05-router/router.ts'), join(dir, 'other-lesson/05-router/router.ts'));
  // It ends the process that started it, which in this tier is the grader's worker.
  submit(
    dir,
    killer,
    "if (process.ppid > 100) process.kill(process.ppid, 'SIGKILL');\nsetInterval(() => {}, 1000);\n",
  );
  writeFileSync(
    join(dir, 'roster.csv'),
    `\ufeffEmail,Folder,Name,ID\nzoe@example.org,${'Zoë'.normalize('NFC')},"Zoë, the first",007\n,学生 一号,学生,8\n,gone,Nobody,9\n`,
  );
  const first = await grade(dir, trusted);
  const found = (graded: Graded, name: string) =>
    resultsOf(graded).submissions.find((one) => one.name === name);

  test('each gets what is theirs, by name and number', () => {
    assert.match(first.stderr, /^No folder is there for 1 of the roster: gone\.$/m);
    assert.deepEqual(
      [
        found(first, zoe)?.outcome,
        found(first, zoe)?.points,
        found(first, zoe)?.student,
        found(first, zoe)?.id,
        found(first, zoe)?.email,
      ],
      ['graded', 14, 'Zoë, the first', '007', 'zoe@example.org'],
    );
    assert.deepEqual(
      [found(first, '学生 一号')?.points, found(first, '学生 一号')?.student],
      [0, '学生'],
    );
    const rows = Papa.parse<Record<string, string>>(
      readFileSync(join(first.out, 'moodle.csv'), 'utf8'),
      { header: true, skipEmptyLines: true },
    ).data;
    assert.deepEqual(
      rows
        .filter((row) => row['ID number'])
        .map((row) => [row['ID number'], row['Full name'], row['Grade']])
        .sort(),
      [
        ['007', 'Zoë, the first', '14'],
        ['8', '学生', '0'],
      ],
    );
  });

  test('missing and tampered are outcomes of their own', () => {
    assert.equal(found(first, 'other-lesson')?.lessons[0]?.verdict, 'missing');
    assert.equal(found(first, 'large')?.outcome, 'tampered');
    assert.equal(found(first, 'late')?.lessons[0]?.verdict, 'program-failed');
  });

  test('the grader’s own failure is never a 0', { skip: process.platform === 'win32' }, () => {
    assert.equal(first.status, 2, first.stderr);
    assert.equal(found(first, killer)?.outcome, 'grader-error');
    assert.equal(found(first, killer)?.points, null);
    const rows = Papa.parse<Record<string, string>>(
      readFileSync(join(first.out, 'grades.csv'), 'utf8'),
      { header: true, skipEmptyLines: true },
    ).data;
    const row = rows.find(({ name }) => name === shownKiller);
    assert.deepEqual(
      [row?.['points'], row?.[anatomy.name], row?.['outcome']],
      ['', '', 'grader-error'],
    );
    const canvas = Papa.parse<string[]>(readFileSync(join(first.out, 'canvas.csv'), 'utf8'), {
      skipEmptyLines: true,
    }).data.find(([name]) => name === shownKiller);
    assert.equal(canvas?.at(-1), '');
    assert.deepEqual(processesWith(`${dir}-tmp`), [], 'a program outlived its worker');
  });

  test('one is graded anew, and the others stay as they were', async () => {
    submit(dir, '学生 一号', solutionText(anatomy.name), '.');
    const second = await grade(dir, [
      ...trusted,
      '--resume',
      '--only',
      '学生 一号',
      '--compare',
      join(first.out, 'results.json'),
    ]);
    assert.equal(second.status, 0, second.stderr);
    assert.equal(second.stderr.match(/^\[/gm)?.length, 1, second.stderr);
    assert.match(second.stdout, /^学生 一号, 03-request-anatomy: 0 points before, 14 now$/m);
    assert.match(second.stdout, new RegExp(`^${shownKiller}: not there any more$`, 'm'));
    assert.equal(found(second, '学生 一号')?.points, 14);
    assert.equal(found(second, zoe)?.points, 14);
  });

  test('alone it gets what it got among the others', async () => {
    // As a keyboard writes it, and a shell completes it.
    const typed = `${zoe.normalize('NFC')}/`;
    const alone = await grade(dir, [...trusted, '--only', typed], {}, `${dir}-alone`);
    assert.equal(alone.status, 0, alone.stderr);
    assert.equal(resultsOf(alone).submissions.length, 1);
    assert.deepEqual(
      withoutTimes(resultsOf(alone).submissions[0]),
      withoutTimes(found({ ...alone, out: `${dir}-out` }, zoe)),
    );
  });

  test('an earlier run is not taken up under other lessons', (t) =>
    refused(t, /graded other lessons/, [
      dir,
      ...['--out', first.out, '--lesson', '5', '--isolation', 'process', '--trust', '--resume'],
    ]));
});
