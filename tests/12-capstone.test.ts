import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '../scripts/kernel/answer.ts';
import { solutionsDir } from '../scripts/kernel/course.ts';
import { brief } from '../scripts/kernel/exchange.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { Trial } from '../scripts/kernel/trial.ts';
import { underLoad } from './support/load.ts';

const asset = (name: string): string =>
  readFileSync(join(solutionsDir, '12-capstone/public', name), 'utf8');

const isJSON = (value: string): boolean => /^application\/json\b/i.test(value);

/** The answer of the API to a path that static files would answer with a text. */
function expectAPI(answer: Answer, status: number): void {
  answer.expectStatus(status, [
    {
      if: (a) => a.status === 404 && !isJSON(a.header('Content-Type') ?? ''),
      diagnosis: 'api-not-mounted',
      message:
        'This path belongs to the API, and the static files answered: there is no such file. Look at the path before you hand the request on.',
    },
    {
      if: (a) => a.status === 405 && !isJSON(a.header('Content-Type') ?? ''),
      diagnosis: 'api-not-mounted',
      message:
        'This path belongs to the API, and the static files answered: they take only GET and HEAD.',
    },
  ]);
}

function expectFile(answer: Answer, name: string, type: RegExp): void {
  answer.expectStatus(200, [
    {
      if: (a) => isJSON(a.header('Content-Type') ?? ''),
      diagnosis: 'file-went-to-the-api',
      message:
        'A file was asked for, and the API answered. Only /users and what lies below /users/ is the API.',
    },
  ]);
  answer.expectHeader('Content-Type', type);
  answer.expectText(asset(name), [
    {
      if: (a) => a.text === '',
      diagnosis: 'empty-file',
      message: `The answer for ${name} has no body.`,
    },
  ]);
}

const logLine = (program: Program, method: string, target: string): string | undefined =>
  program.stdout.split(/\r?\n/).find((line) => line.startsWith(`${method} ${target} `));

async function expectLogged(
  t: Trial,
  method: string,
  target: string,
  status: number,
): Promise<void> {
  await t.program.when(() => logLine(t.program, method, target) !== undefined, 500);
  const line = logLine(t.program, method, target);
  t.check(line !== undefined && new RegExp(`^.* ${status} \\d+ ms$`).test(line), {
    diagnosis: line === undefined ? 'not-logged' : 'log-line-differs',
    message:
      line === undefined
        ? `The program printed no line for ${method} ${brief(target, 40)}. logRequests takes the server, and has to be called before the requests come.`
        : `The line for ${method} ${brief(target, 40)} does not end with the status and the time.`,
    expected: `${method} ${target} ${status} … ms`,
    actual: line ?? (brief(program(t), 300) || '(it printed nothing)'),
  });
}

const program = (t: Trial): string => t.program.stdout.trim();

/** A copy whose clients may ask so often. Other requests than the ones below are none of them. */
async function limited(t: Trial, limit: number, windowMs: number): Promise<Trial> {
  return t.on(
    await t.start({ env: { RATE_LIMIT: String(limit), RATE_WINDOW_MS: String(windowMs) } }),
  );
}

function expectRefused(answer: Answer, windowMs: number): void {
  answer.expectStatus(429, [
    {
      if: (a) => a.status < 400 || a.status === 404,
      diagnosis: 'rate-not-limited',
      message: 'This request was one more than RATE_LIMIT allows, and it was served all the same.',
    },
    {
      if: (a) => a.status === 503,
      diagnosis: 'wrong-refusal',
      message:
        'Too many requests is status 429. 503 says that the server has no strength left, which is not so.',
    },
  ]);
  answer.expectHeader(
    'Retry-After',
    (value) => /^[1-9]\d*$/.test(value) && Number(value) <= Math.ceil(windowMs / 1000),
    [
      {
        if: (a) => a.header('Retry-After') === undefined,
        diagnosis: 'no-retry-after',
        message: 'The refusal does not say when to come again: Retry-After is missing.',
      },
      {
        if: () => true,
        diagnosis: 'wrong-retry-after',
        message: `Retry-After is a whole number of seconds, at least 1 and here at most ${Math.ceil(windowMs / 1000)}: what is left of the window.`,
      },
    ],
  );
  answer.expectHeader('Content-Type', isJSON);
  answer.expectJSON({ error: 'Too many requests' });
}

async function limitsTheRate(t: Trial): Promise<void> {
  const limit = t.int(4, 7);
  const windowMs = 30_000;
  const copy = await limited(t, limit, windowMs);
  const targets = [
    '/',
    '/users',
    '/style.css',
    '/nothing-here',
    `/users/${t.int(1, 9)}`,
    '/script.js',
    '/users',
  ];
  for (let n = 0; n < limit; n++) {
    const answer = await copy.get(targets[n % targets.length] ?? '/');
    answer.expect(answer.status !== 429, {
      diagnosis: 'limited-too-early',
      message: `Request ${n + 1} of ${limit} that RATE_LIMIT allows was refused.`,
      expected: 'an answer',
      actual: `status ${answer.status}`,
    });
  }
  expectRefused(await copy.get('/'), windowMs);
  expectRefused(await copy.post('/users', { name: 'Ann', email: 'ann@example.com' }), windowMs);
  // Another client has a share of its own. Only Linux has more than one loopback address without being asked.
  if (process.platform !== 'linux') return;
  const other = copy.connect('127.0.0.9');
  await other.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const answer = await other.answer();
  answer.expect(answer.status !== 429, {
    diagnosis: 'one-count-for-all',
    message:
      'A client that had not asked before was refused, because another one had used up its share. Count for each address.',
    expected: 'status 200',
    actual: 'status 429',
  });
}

async function healthIsNotLimited(t: Trial): Promise<void> {
  const copy = await limited(t, 2, 30_000);
  for (let n = 0; n < 4; n++) {
    const health = await copy.get('/health');
    health.expect(health.status !== 429, {
      diagnosis: 'health-limited',
      message:
        'GET /health was refused for too many requests. Whoever watches over the server must always get an answer.',
      expected: 'status 200',
      actual: 'status 429',
    });
  }
  const answer = await copy.get('/');
  answer.expect(answer.status !== 429, {
    diagnosis: 'health-counted',
    message: 'Four times GET /health used up the share of the client. It must not be counted.',
    expected: 'status 200',
    actual: 'status 429',
  });
}

async function windowPasses(t: Trial): Promise<void> {
  const windowMs = 300;
  const copy = await limited(t, 1, windowMs);
  await copy.get('/');
  const refused = await copy.get('/');
  // On a busy machine the window may have passed between the two; then there is nothing to see here.
  const first = refused.status === 429;
  let last = refused;
  const again = await t.until(async () => {
    last = await copy.get('/');
    return last.status !== 429;
  }, 3000);
  last.expect(again, {
    diagnosis: 'window-never-passes',
    message: `A client that was refused stayed refused, although RATE_WINDOW_MS is ${windowMs}. ${first ? 'When the window is over, the count begins anew; refused requests must not make it longer.' : ''}`,
    expected: 'status 200 after the window',
    actual: 'status 429 three seconds later',
  });
}

/** A copy with requests that never pause, and a signal in the middle. */
async function stopsUnderLoad(t: Trial): Promise<void> {
  const copy = t.on(await t.start({ env: { RATE_LIMIT: '1000000' } }));
  const { program } = copy;
  const begun = (id: string): boolean => program.stdout.includes(`id=${id}.`);
  const result = await underLoad(
    copy,
    { clients: 6, answers: t.int(60, 120), target: (id) => `/users?id=${id}.`, begun },
    () => program.signal('SIGTERM'),
  );
  const [lost] = result.lost;
  const ending = program.exit
    ? `exit status ${program.exit.code ?? program.exit.signal}`
    : 'it still runs';
  t.check(program.exit?.signal !== 'SIGTERM', {
    diagnosis: 'signal-not-handled',
    message:
      'SIGTERM ended the process on the spot: nothing listens for it. shutdownOnSignals takes the server and the deadline.',
    expected: 'exit status 0',
    actual: ending,
    exchange: undefined,
  });
  t.check(!lost, {
    diagnosis: 'answer-lost-under-load',
    message:
      'Six clients asked without a pause when SIGTERM came. The program had begun a request that never got its whole answer.',
    expected: 'a whole answer for every request that was begun',
    actual: `${result.lost.length} of ${result.answered + result.lost.length} lost; ${ending}`,
    exchange: lost?.exchange,
  });
  t.check(program.exit !== null, {
    diagnosis: 'never-ends',
    message:
      'Every answer was out, and three seconds later the process still ran. Something keeps it alive: a timer, perhaps.',
    expected: 'exit status 0, soon after the last answer',
    actual: ending,
    exchange: undefined,
  });
  t.check(program.exit?.code === 0, {
    diagnosis: 'wrong-exit-code',
    message: 'Every answer was out, but the program did not end with status 0.',
    expected: 'exit status 0',
    actual: `${ending}; ${brief(copy.complaint(program), 200)}`,
    exchange: undefined,
  });
}

/** An upload that never ends: at the deadline it is cut. */
async function endsAtTheDeadline(t: Trial): Promise<void> {
  const copy = t.on(await t.start({ env: { SHUTDOWN_TIMEOUT_MS: '250' } }));
  const { program } = copy;
  const upload = copy.connect();
  await upload.write(
    'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  // Once another request is answered, the first has been read.
  await copy.get('/users');
  const signalled = performance.now();
  program.signal('SIGTERM');
  await program.when(() => program.exit !== null, 3000);
  // Ten seconds is what the program waits without being told.
  const inTime = program.exit !== null && performance.now() - signalled < 9000;
  t.check(inTime && program.exit?.code === 1, {
    diagnosis:
      inTime && program.exit
        ? program.exit.code === 0
          ? 'in-flight-cut'
          : 'wrong-exit-code'
        : 'deadline-ignored',
    message: inTime
      ? 'A request was in flight and late, so the process should have waited for SHUTDOWN_TIMEOUT_MS and then ended with status 1.'
      : 'SHUTDOWN_TIMEOUT_MS was 250, and three seconds after the signal the process still waited for a request that never ends.',
    expected: 'exit status 1 at the deadline',
    actual: program.exit
      ? `exit status ${program.exit.code ?? program.exit.signal}`
      : 'it still runs',
    exchange: undefined,
  });
}

export default suite('12-capstone', {
  async 'Serve the page'(t) {
    const page = await t.get('/');
    expectFile(page, 'index.html', /^text\/html;\s*charset=utf-8$/i);
    expectFile(await t.get('/style.css?v=2'), 'style.css', /^text\/css;\s*charset=utf-8$/i);
    expectFile(await t.get('/script.js'), 'script.js', /^text\/javascript;\s*charset=utf-8$/i);
    expectFile(await t.get('/icon.svg'), 'icon.svg', /^image\/svg\+xml/i);
    const head = await t.head('/');
    head.expectStatus(200);
    head.expectNoBody();
    (await t.get(`/${t.word()}.html`)).expectStatus(404);
    for (const target of ['/../server.ts', '/%2e%2e/server.ts', '/..%2fserver.ts']) {
      const answer = await t.send({ target });
      answer.expect(answer.status >= 400 && answer.status < 500, {
        diagnosis: 'way-out-of-the-root',
        message: 'A request target led out of public/, to the program itself.',
        expected: 'status 404',
        actual: `status ${answer.status}`,
      });
    }
    // Whatever the answer, there is one, and the server lives on.
    await t.send({ target: '//' });
  },

  async 'Mount the API beside it'(t) {
    const before = await t.get('/users');
    expectAPI(before, 200);
    before.expectHeader('Content-Type', isJSON);
    before.expectHeader('Access-Control-Allow-Origin', /./);
    const name = `${t.word()} ü`;
    const email = `${t.word()}@example.com`;
    const created = await t.post('/users', { name, email });
    expectAPI(created, 201);
    const user = created.json() as { id?: unknown; name?: unknown };
    created.expectJSON({ id: user.id, name, email });
    created.expectHeader('Location', `/users/${String(user.id)}`);
    expectAPI(await t.post('/users', { name: t.word(), email }), 201);
    const found = await t.get(`/users/${String(user.id)}?x=1`);
    expectAPI(found, 200);
    found.expectJSON({ id: user.id, name, email });
    const filtered = await t.get(`/users?name=${encodeURIComponent(name)}`);
    expectAPI(filtered, 200);
    filtered.expectJSON(
      [{ id: user.id, name, email }],
      [
        {
          if: (a) => a.text.includes('['),
          diagnosis: 'query-lost',
          message: 'GET /users with a query must reach the API with its query: the API reads it.',
        },
      ],
    );
    const replaced = await t.send({
      method: 'PUT',
      target: `/users/${String(user.id)}`,
      json: { name, email: 'new@example.com' },
    });
    expectAPI(replaced, 200);
    expectAPI(
      await t.post('/users', '{bad', { headers: { 'Content-Type': 'application/json' } }),
      400,
    );
    const preflight = await t.send({
      method: 'OPTIONS',
      target: '/users',
      headers: {
        Origin: 'https://app.example',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
    });
    expectAPI(preflight, 204);
    preflight.expectHeader('Access-Control-Allow-Origin', /^(\*|https:\/\/app\.example)$/);
    const deleted = await t.send({ method: 'DELETE', target: `/users/${String(user.id)}` });
    expectAPI(deleted, 204);
    const missing = await t.get(`/users/${String(user.id)}`);
    expectAPI(missing, 404);
    missing.expectHeader('Content-Type', isJSON, [
      {
        if: () => true,
        diagnosis: 'api-not-mounted',
        message:
          'The path of a user that is gone was answered by the static files. Everything below /users/ is the API.',
      },
    ]);
    // Paths that only begin with the same letters are files.
    for (const target of [
      '/users.html',
      '/usersearch',
      '/index.html?/users',
      '/index.html?next=/users/1',
    ]) {
      const answer = await t.get(target);
      answer.expect(!isJSON(answer.header('Content-Type') ?? ''), {
        diagnosis: 'file-went-to-the-api',
        message: `${target} is no path of the API; it only has the same letters in it. Compare the whole path, without its query.`,
        expected: 'an answer of the static files',
        actual: `status ${answer.status}, Content-Type: ${answer.header('Content-Type') ?? 'none'}`,
      });
    }
  },

  async 'Log what happens'(t) {
    const missing = `/${t.word()}.css`;
    const target = `/users?q=${t.word()}`;
    for (const path of ['/style.css', missing, target]) {
      // Who leaves as soon as the last byte has come may be logged as gone: let the server close.
      const connection = t.connect();
      await connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      await connection.answer();
      await connection.closed();
    }
    await expectLogged(t, 'GET', '/style.css', 200);
    await expectLogged(t, 'GET', missing, 404);
    await expectLogged(t, 'GET', target, 200);
    const garbage = t.connect();
    await garbage.write('this is no HTTP\r\n\r\n');
    const answer = await garbage.answer();
    answer.expectStatus(400);
    const second = await t.start({ env: { PORT: String(t.program.port) }, expectListening: false });
    await second.when(() => second.exit !== null, 3000);
    t.check(
      second.exit?.code === 1 &&
        !/^\s+at .+:\d+/m.test(second.stderr) &&
        second.stderr.trim() !== '',
      {
        diagnosis: 'port-taken-not-told',
        message:
          'A second copy on the same port must say in one sentence that the port is taken, and end with status 1. handleErrors does it.',
        expected: 'one sentence on standard error, exit status 1',
        actual: second.exit
          ? `exit status ${second.exit.code}; ${brief(t.complaint(second), 200) || 'no word on standard error'}`
          : 'it runs on',
        exchange: undefined,
      },
    );
  },

  async 'Limit the rate'(t) {
    const all = await Promise.allSettled([limitsTheRate(t), windowPasses(t)]);
    for (const one of all) if (one.status === 'rejected') throw one.reason;
  },

  async 'Shut down in order'(t) {
    const health = await t.get('/health');
    health.expectStatus(200, [
      {
        if: (a) => a.status === 404,
        diagnosis: 'no-health',
        message:
          'GET /health found nothing. The health check of your graceful shutdown lesson answers it, before the files are looked at.',
      },
    ]);
    health.expectJSON({ status: 'ok' });
    // Windows ends a process that is sent a signal, so there only the health check is judged.
    const stopping = process.platform === 'win32' ? [] : [stopsUnderLoad(t), endsAtTheDeadline(t)];
    const all = await Promise.allSettled([healthIsNotLimited(t), ...stopping]);
    for (const one of all) if (one.status === 'rejected') throw one.reason;
  },
});
