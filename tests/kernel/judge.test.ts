/** What the judge makes of a step's exchanges, shown with small programs and suites of one step. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { layOut } from '../../scripts/kernel/catalogue.ts';
import { findLesson } from '../../scripts/kernel/course.ts';
import { judge, prepare } from '../../scripts/kernel/judge.ts';
import { rehearse } from '../../scripts/kernel/rehearsal.ts';
import type { StepResult } from '../../scripts/kernel/result.ts';
import type { Trial } from '../../scripts/kernel/trial.ts';

const lesson = findLesson('create-server');

/** Judges a handler's text with one step; gives the step's verdict. */
async function judged(handler: string, run: (t: Trial) => Promise<void>): Promise<StepResult> {
  const { dir, remove } = layOut(lesson);
  try {
    await writeFile(
      join(dir, lesson.name, 'server.ts'),
      `import http from 'node:http';
console.log('PORT is ' + process.env.PORT);
http.createServer((req, res) => {\n${handler}\n}).listen(Number(process.env.PORT ?? 0), '127.0.0.1');\n`,
    );
    const [step] = (await judge({ lesson, steps: [{ title: 'Step', run }] }, { target: dir }))
      .steps;
    assert.ok(step);
    return step;
  } finally {
    remove();
  }
}

const answersPath = 'res.end(req.url);';

test('each case of a check is asked, several at a time', async () => {
  const asked: string[] = [];
  let first = 0;
  const step = await judged(
    'globalThis.asked = (globalThis.asked ?? 0) + 1; setTimeout(() => res.end(String(globalThis.asked)), 60);',
    (t) =>
      t.each(['/a', '/b', '/c', '/d', '/e'], async (part, target) => {
        const answer = await part.get(target);
        asked.push(target);
        first ||= Number(answer.text);
      }),
  );
  assert.equal(step.status, 'pass', step.message);
  assert.deepEqual([...new Set(asked)].sort(), ['/a', '/b', '/c', '/d', '/e']);
  assert.ok(first > 1, 'the second request waited for the first answer');
});

test('a case that fails is judged alone, with the random values that it had', async () => {
  const words: string[] = [];
  const step = await judged("res.end(req.url === '/c' ? 'no' : req.url);", (t) =>
    t.each(['/a', '/b', '/c', '/d'], async (part, target, index) => {
      words.push(`${index} ${part.word()}`);
      (await part.get(target)).expectText(target);
    }),
  );
  assert.equal(step.status, 'fail');
  assert.equal(step.actual, 'no');
  assert.deepEqual(step.exchange?.before, ['GET /a HTTP/1.1: 200 OK', 'GET /b HTTP/1.1: 200 OK']);
  // Asked side by side, and again one by one up to the one that fails.
  const again = words.slice(-3);
  assert.deepEqual(again, [...new Set(words)].sort().slice(0, 3));
});

test('the case that stops the program is blamed, not its neighbours', async () => {
  const step = await judged(
    "if (req.url === '/boom') throw new Error('too much'); setTimeout(() => res.end(), 20);",
    (t) =>
      t.each(['/a', '/b', '/c', '/boom', '/d'], async (part, target) => {
        (await part.get(target)).expectStatus(200);
      }),
  );
  assert.equal(step.diagnosis, 'crashed', step.message);
  assert.match(step.message, /^GET \/boom stopped the whole server/);
});

test('a request that finds nobody is not blamed for the death', async () => {
  const step = await judged("res.end(); if (req.url === '/a') process.exit(7);", async (t) => {
    await t.attempt({ target: '/a' });
    await t.program.exited;
    await t.get('/b');
  });
  assert.equal(step.diagnosis, 'exited');
  assert.match(step.message, /^When GET \/b came, nobody listened any more/);
});

test('bytes behind the end of an answer are noticed, after all that the step itself finds', async () => {
  const short = "res.socket?.end('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nabc');";
  const step = await judged(short, async (t) => {
    (await t.get('/')).expectStatus(200);
  });
  assert.equal(step.diagnosis, 'bytes-after-the-end');
  assert.equal(step.actual, 'c');
  const own = await judged(short, async (t) => {
    (await t.get('/')).expectText('abc');
  });
  assert.equal(own.diagnosis, 'wrong-body');
});

test('what was asked again and again is told once', async () => {
  const step = await judged(answersPath, async (t) => {
    for (const target of ['/1', '/2', '/3', '/poll', '/poll', '/poll', '/4']) await t.get(target);
    (await t.get('/last')).expectText('/first');
  });
  assert.deepEqual(step.exchange?.before, [
    'others, and then',
    'GET /3 HTTP/1.1: 200 OK',
    'GET /poll HTTP/1.1: 200 OK (several times)',
    'GET /4 HTTP/1.1: 200 OK',
  ]);
});

test('requests that follow each other on one connection are shown each by itself', async () => {
  const step = await judged(answersPath, async (t) => {
    const connection = t.connect();
    const request = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
    await connection.write(request('/1') + request('/2'));
    await connection.write(request('/3'));
    for (const target of ['/1', '/2', '/3']) {
      const answer = await connection.answer();
      answer.expectText(target);
      assert.equal(answer.exchange.sent.toString(), request(target));
    }
  });
  assert.equal(step.status, 'pass', step.message);
});

for (const [what, line, wanted] of [
  [
    'listens late',
    'setTimeout(() => server.listen(Number(process.env.PORT), "127.0.0.1"), 1200);',
    undefined,
  ],
  ['never listens', 'setInterval(() => {}, 1000);', 'never-listened'],
] as const) {
  test(`a rehearsed process of a program that ${what}`, async () => {
    const { dir, remove } = layOut(lesson);
    try {
      await writeFile(
        join(dir, lesson.name, 'server.ts'),
        `import http from 'node:http';\nconst server = http.createServer((_req, res) => res.end());\n${line}\n`,
      );
      const run = async (t: Trial): Promise<void> => {
        await t.get('/');
      };
      const suite = { lesson, steps: [{ title: 'Step', run }] };
      const prepared = prepare(lesson, dir);
      await rehearse(prepared[0]);
      const result = await judge(suite, { target: dir, prepared });
      assert.equal(result.diagnosis ?? undefined, wanted, result.message ?? '');
      assert.equal(result.status, wanted ? 'error' : 'pass');
    } finally {
      remove();
    }
  });
}

test('a program can be started without PORT', async () => {
  const step = await judged(answersPath, async (t) => {
    const program = await t.start({ env: { PORT: undefined }, expectListening: false });
    assert.ok(await program.waitForOutput('PORT is undefined'), program.stdout);
  });
  assert.equal(step.status, 'pass', step.message);
});
