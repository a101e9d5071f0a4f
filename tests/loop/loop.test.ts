/** The lesson loop on a real terminal: by keys through a lesson, saves of every kind, and sudden ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scratchProject } from '../../scripts/bench/scratch.ts';
import { Terminal } from '../../scripts/bench/pty.ts';
import { commandWords, findLesson } from '../../scripts/kernel/course.ts';
import { cleanSolution, solutionSource, stubOf } from '../../scripts/kernel/stub.ts';
import { plain } from '../../scripts/show/style.ts';

const lesson = findLesson('request-anatomy');
const stub = stubOf(lesson, 'server.ts');
const solution = cleanSolution(solutionSource(lesson, 'server.ts'));
const goldenDir = join(import.meta.dirname, '../golden/loop');

let project: { dir: string; remove: () => void };
before(() => {
  project = scratchProject();
});
after(() => project.remove());

const file = (): string => join(project.dir, 'lessons', lesson.name, 'server.ts');
const kept = (): string => join(project.dir, '.workbook');

/** Writes a file as most editors do: beside it, and then renamed. */
function save(text: string): void {
  writeFileSync(`${file()}.saving`, text);
  renameSync(`${file()}.saving`, file());
}

const open = (words: string[] = [lesson.name], env: Record<string, string> = {}): Terminal =>
  new Terminal([...commandWords('lesson', project.dir), ...words], {
    cwd: project.dir,
    rows: 44,
    env,
  });

const wholeFrame = /\u001b\[\?2026h\u001b\[H([^]*?)\u001b\[\?2026l/g;

/** The screen as it stands: what was drawn last, from its first mark to its last. A frame may come in pieces. */
function screen(terminal: Terminal): string {
  const frame = [...terminal.text.matchAll(wholeFrame)].at(-1)?.[1] ?? '';
  return plain(frame)
    .replace(/\r+\n/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .trimEnd();
}

const shows = (terminal: Terminal, text: string | RegExp): Promise<void> =>
  terminal.until(
    () =>
      typeof text === 'string' ? screen(terminal).includes(text) : text.test(screen(terminal)),
    40_000,
  );

/** Compares a screen with the one that was looked at and found good; `WRITE_GOLDEN=1` writes it anew. */
function golden(name: string, actual: string): void {
  const path = join(goldenDir, `${name}.txt`);
  const text = `${actual.replace(/\d+\.\d ms/g, 'N ms').replace(/localhost:\d{5}/g, 'localhost:PORT')}\n`;
  if (process.env['WRITE_GOLDEN']) {
    mkdirSync(goldenDir, { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(
    text,
    readFileSync(path, 'utf8'),
    `the screen "${name}" differs from tests/golden/loop/${name}.txt`,
  );
}

/** Processes that belong to the scratch project. */
const left = (): string[] =>
  execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(project.dir) && !line.includes('ps -eo'));

async function nothingLeft(): Promise<void> {
  const end = Date.now() + 10_000;
  while (left().length > 0 && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(left(), []);
}

test('a whole lesson goes by keys', async () => {
  save(stub);
  const terminal = open();
  try {
    await shows(terminal, 'Not done yet');
    golden('first', screen(terminal));
    terminal.type('h');
    await shows(terminal, 'Hint 1 of 3');
    terminal.type('h');
    await shows(terminal, 'Hint 2 of 3');
    terminal.type('?');
    await shows(terminal, 'the previous one');
    golden('keys', screen(terminal));
    terminal.type('\u001b');
    await shows(terminal, 'Hint 2 of 3');
    terminal.type('t');
    await shows(terminal, 'See the gap');
    terminal.type(' ');
    terminal.type('t');
    await shows(terminal, 'Step 1');
    terminal.type('s');
    await shows(terminal, '(y/n)');
    terminal.type('n');
    await shows(terminal, 'Not done yet');
    terminal.type('s');
    await shows(terminal, '(y/n)');
    terminal.type('y');
    await shows(terminal, '"+" is the reference');
    terminal.type('\u001b');
    await shows(terminal, 'Not done yet');

    save(solution);
    await shows(terminal, 'Lesson done.');
    golden('done', screen(terminal));

    terminal.type('r');
    await shows(terminal, 'Put the stub back?');
    terminal.type('y');
    await shows(terminal, /Yours is kept in\s+\.workbook\/kept\//);
    assert.equal(readFileSync(file(), 'utf8'), stub);
    const copies = readdirSync(join(kept(), 'kept', lesson.name));
    assert.equal(copies.length, 1);
    assert.equal(
      readFileSync(join(kept(), 'kept', lesson.name, copies[0] ?? ''), 'utf8'),
      solution,
    );

    terminal.type('n');
    await shows(terminal, 'Lesson 4: ');
    assert.doesNotMatch(screen(terminal), /Welcome/, 'the greeting is for the first lesson only');
    terminal.type('p');
    await shows(terminal, 'Lesson 3: ');
    terminal.type('l');
    await shows(terminal, 'Search:');
    terminal.type('creat');
    await shows(terminal, 'Search: creat');
    terminal.type('\r');
    await shows(terminal, 'Lesson 1: ');

    terminal.type('q');
    await terminal.until(() => terminal.exited || terminal.text.includes('\u001b[?1049l'));
    assert.match(terminal.text, /\u001b\[\?25h\u001b\[\?1049l$/, 'the terminal is as it was');
  } finally {
    await terminal.close();
  }
  await nothingLeft();
});

test('however an editor saves, there is one verdict on the final text', async () => {
  save(stub);
  const terminal = open();
  const wrong = solution.replaceAll('searchParams', 'searchParms');
  const ways: Record<string, (text: string) => void> = {
    'in place': (text) => writeFileSync(file(), text),
    'beside and renamed': save,
    'emptied first': (text) => {
      writeFileSync(file(), '');
      writeFileSync(file(), text);
    },
    'in several writes': (text) => {
      const fd = openSync(file(), 'w');
      for (let at = 0; at < text.length; at += 500) writeSync(fd, text.slice(at, at + 500));
      closeSync(fd);
    },
    'with a formatter after it': (text) => {
      save(text.replaceAll('\n', '\n\n'));
      save(text);
    },
    'the old one moved away first': (text) => {
      renameSync(file(), `${file()}~`);
      writeFileSync(file(), text);
      renameSync(`${file()}~`, join(project.dir, 'old.ts'));
    },
  };
  try {
    await shows(terminal, 'Not done yet');
    for (const [way, write] of Object.entries(ways)) {
      terminal.forget();
      write(solution);
      await shows(terminal, 'Lesson done.');
      // The same text once more is no save.
      terminal.forget();
      writeFileSync(file(), solution);
      save(wrong + `// ${way}\n`);
      await shows(terminal, /fails|The program/);
      assert.equal(
        terminal.text.split('\u001b[H').filter((frame) => frame.includes('Lesson done.')).length,
        0,
        `${way}: the same text was judged again`,
      );
    }
    terminal.type('\u0003');
    await terminal.until(() => terminal.exited || terminal.text.includes('\u001b[?1049l'));
  } finally {
    await terminal.close();
  }
  await nothingLeft();
});

test('a save during a run gives it up', async () => {
  save(stub);
  const terminal = open();
  try {
    await shows(terminal, 'Not done yet');
    terminal.forget();
    save(solution.replace(/^/, 'while (Date.now() > 0);\n'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    save(solution);
    await shows(terminal, 'Lesson done.');
    assert.doesNotMatch(
      plain(terminal.text),
      /never reached listen/,
      'the run that was given up still spoke',
    );
    assert.ok(performance.now() - began < 30_000);
    terminal.type('q');
  } finally {
    await terminal.close();
  }
  await nothingLeft();
});

test('without colour the same words are there', async () => {
  save(stub);
  const terminal = open([lesson.name], { NO_COLOR: '1' });
  try {
    await shows(terminal, 'Not done yet');
    assert.doesNotMatch(terminal.text, /\u001b\[[0-9;]*m/);
    terminal.type('q');
  } finally {
    await terminal.close();
  }
});

test('a dumb terminal gets plain text', async () => {
  const terminal = open([lesson.name], { TERM: 'dumb' });
  try {
    await terminal.until((text) => text.includes('Not done yet'), 40_000);
    assert.doesNotMatch(terminal.text, /\u001b/);
    terminal.type('q');
  } finally {
    await terminal.close();
  }
});

test('killed at any moment it loses nothing and leaves nothing', async () => {
  const kills = Number(process.env['KILLS'] ?? 4);
  for (let round = 0; round < kills; round++) {
    const text = round % 2 ? stub : solution;
    const terminal = open();
    try {
      await terminal.until((shown) => shown.includes('Lesson 3'), 40_000);
      save(`${text}// round ${round}\n`);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1500));
      const pids = left()
        .filter((line) => /run\.mjs lesson/.test(line) && !/script -q/.test(line))
        .map((line) => Number(line.trim().split(' ')[0]));
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Ended by itself.
        }
      }
    } finally {
      await terminal.close();
    }
    await nothingLeft();
    assert.equal(readFileSync(file(), 'utf8'), `${text}// round ${round}\n`);
    const progress = join(kept(), 'progress.json');
    if (existsSync(progress))
      assert.equal(
        (JSON.parse(readFileSync(progress, 'utf8')) as { schema: string }).schema,
        'workbook/progress/v1',
      );
  }
});
