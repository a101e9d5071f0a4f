import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Cause } from '../scripts/kernel/answer.ts';
import { solutionsDir } from '../scripts/kernel/course.ts';
import { brief, type Exchange } from '../scripts/kernel/exchange.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { Trial } from '../scripts/kernel/trial.ts';
import { drainingLines } from './support/draining.ts';
import { inOrder } from './support/in-order.ts';
import { underLoad, type Failed } from './support/load.ts';
import { linesOf, logged } from './support/log.ts';
import { request } from './support/request.ts';

const asset = (name: string): string =>
  readFileSync(join(solutionsDir, '12-capstone/public', name), 'utf8');

const isJSON = (value: string): boolean => /^application\/json\b/i.test(value);

/** Refused, though nobody has said how many requests are allowed, and few have come. */
const refusedUntold: Cause = {
  if: (a) => a.status === 429,
  diagnosis: 'wrong-default-limit',
  message:
    'This was one of a few requests, and it was refused as one too many. RATE_LIMIT is not set, so 1000 are allowed in 10 s. (Number(undefined) is NaN, and every comparison with NaN is false.)',
};

/** The answer of the API to a path that static files would answer with a text. */
function expectAPI(answer: Answer, status: number): void {
  answer.expectStatus(status, [
    refusedUntold,
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
    {
      if: (a) => (a.status === 404 || a.status === 405) && /^\/users(\?|$)/.test(a.exchange.target),
      diagnosis: 'target-changed',
      message:
        'The API was asked for /users and took it for another path. Express cuts such a prefix off; your api looks for /users itself. Hand the request on as it came, with the whole target in req.url.',
    },
  ]);
}

function expectFile(answer: Answer, name: string, type: RegExp): void {
  answer.expectStatus(200, [
    refusedUntold,
    {
      if: (a) => isJSON(a.header('Content-Type') ?? ''),
      diagnosis: 'file-went-to-the-api',
      message:
        'A file was asked for, and the API answered. Only /users and what lies below /users/ is the API.',
    },
    {
      if: (a) => a.status === 404,
      diagnosis: 'wrong-status',
      message: `public/${name} was asked for, and the answer was 404. Does serveStatic get every request as it came, and the folder public beside this file (import.meta.dirname), wherever the program is started?`,
    },
  ]);
  answer.expect(name === 'index.html' || answer.text !== asset('index.html'), {
    diagnosis: 'page-for-everything',
    message: `${answer.exchange.target} was asked for, and the page came, which is for / alone. serveStatic finds the file for each path.`,
    expected: `the text of public/${name}`,
    actual: brief(answer.text, 100),
  });
  answer.expectHeader('Content-Type', type);
  answer.expectText(asset(name), [
    {
      if: (a) => a.text === '',
      diagnosis: 'empty-file',
      message: `The answer for ${name} has no body.`,
    },
  ]);
}

/** What the program printed for GET of a target, right or not. */
const linesFor = (program: Program, target: string): string[] =>
  linesOf(program.stdout).filter((line) => line.startsWith(`GET ${target} `));

/** What is wrong with a log line that should show this status, and then the time. */
function lineFault(line: string, target: string, status: number): string {
  const what = `GET ${brief(target, 40)}`;
  const numbers = line.slice(`GET ${target}`.length).match(/\d+/g) ?? [];
  if (numbers.length < 2)
    return `Behind the request target of ${what} belong two numbers, the status and the time. The line has ${numbers.length === 1 ? 'only one' : 'none'}.`;
  if (numbers[0] !== String(status))
    return `The answer to ${what} had the status ${status}, and the line says ${numbers[0]}.`;
  return `The line for ${what} does not end with the status and the time in milliseconds.`;
}

/** Sends a GET and expects a line for it in the log. */
async function expectLogged(t: Trial, target: string, status: number): Promise<void> {
  // Who leaves as soon as the last byte has come may be logged as gone: let the server close.
  const connection = t.connect();
  await connection.write(request(target, 'GET', 'Connection: close'));
  const { exchange } = await connection.answer();
  await connection.closed();
  const { program } = t;
  await program.when(() => linesFor(program, target).length > 0, 500);
  const [line] = linesFor(program, target);
  const [right] = logged(program, 'GET', target);
  t.check(right?.text === line && right?.status === String(status), {
    diagnosis: line === undefined ? 'not-logged' : 'log-line-differs',
    message:
      line === undefined
        ? `The program printed no line for GET ${brief(target, 40)}. logRequests takes the server, and has to be called before the requests come.`
        : lineFault(line, target, status),
    expected: `GET ${target} ${status} 3 ms`,
    actual:
      line ??
      (program.stdout.trim()
        ? `only this: ${brief(program.stdout.trim(), 300)}`
        : '(nothing printed)'),
    exchange,
  });
}

async function logsAndRefuses(t: Trial): Promise<void> {
  await expectLogged(t, '/style.css', 200);
  const target = `/${t.word()}.css`;
  await expectLogged(t, target, 404);
  await expectLogged(t, `/users?q=${t.word()}`, 200);
  const lines = linesFor(t.program, target);
  t.check(lines.length === 1, {
    diagnosis: 'logged-more-than-once',
    message: `One request for ${target} was logged ${lines.length} times. Is logRequests called more than once?`,
    expected: 'one line',
    actual: brief(lines.join('\n'), 200),
  });
  const garbage = t.connect();
  await garbage.write('this is no HTTP\r\n\r\n');
  const answer = await garbage.answer();
  answer.expectStatus(400);
}

async function saysThatThePortIsTaken(t: Trial): Promise<void> {
  const second = await t.start({ env: { PORT: String(t.program.port) }, expectListening: false });
  await second.when(() => second.exit !== null, 3000);
  t.check(
    second.exit?.code === 1 && !/^\s+at .+:\d+/m.test(second.stderr) && second.stderr.trim() !== '',
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
}

/** A copy whose clients may ask so often. Other requests than the ones below are none of them. */
async function limited(t: Trial, limit: number, windowMs?: number): Promise<Trial> {
  const env = {
    RATE_LIMIT: String(limit),
    ...(windowMs !== undefined && { RATE_WINDOW_MS: String(windowMs) }),
  };
  return t.on(await t.start({ env }));
}

/** A refusal, at least `atLeastMs` and at most `sinceMs` after the window began. */
function expectRefused(
  answer: Answer,
  limit: number,
  windowMs: number,
  sinceMs: number,
  atLeastMs = 0,
): void {
  answer.expectStatus(429, [
    {
      if: (a) => a.status < 400 && a.exchange.sent.toString('latin1').includes('X-Forwarded-For'),
      diagnosis: 'forwarded-believed',
      message: `RATE_LIMIT is ${limit}, and this client had just been refused. Then it sent X-Forwarded-For and X-Real-IP with another address in them, and was served. Anybody can write such a field: count by the address of the connection.`,
    },
    {
      if: (a) => a.status < 400 || a.status === 404,
      diagnosis: 'rate-not-limited',
      message: `RATE_LIMIT is ${limit}. This client had sent ${limit} requests a moment before, and this one more was served all the same.`,
    },
    {
      if: (a) => a.status === 503,
      diagnosis: 'wrong-refusal',
      message:
        'Too many requests is status 429. 503 says that the server has no strength left, which is not so.',
    },
  ]);
  const most = Math.max(1, Math.ceil((windowMs - atLeastMs) / 1000));
  const least = Math.max(1, Math.floor((windowMs - sinceMs) / 1000));
  const expected = `Retry-After: ${least === most ? most : `a whole number from ${least} to ${most}`}`;
  const value = answer.header('Retry-After');
  const seconds = Number(value);
  answer.expect(value !== undefined, {
    diagnosis: 'no-retry-after',
    message: 'The refusal does not say when to come again: Retry-After is missing.',
    expected,
    actual: 'no Retry-After',
  });
  answer.expect(/^\d+$/.test(value ?? '') && seconds >= least && seconds <= most, {
    diagnosis: 'wrong-retry-after',
    message: `RATE_WINDOW_MS is ${windowMs === 10_000 ? 'not set' : windowMs}, so this client's window lasts ${windowMs / 1000} s; it began with its first request, ${Math.ceil(sinceMs)} ms ago. Retry-After is the whole number of seconds that are left of it, and at least 1.`,
    expected,
    actual: `Retry-After: ${brief(value ?? '')}`,
  });
  const type = answer.header('Content-Type');
  answer.expect(isJSON(type ?? ''), {
    diagnosis: type === undefined ? 'missing-header' : 'wrong-header',
    message: 'The refusal is JSON, and its Content-Type does not say so.',
    expected: 'Content-Type: application/json',
    actual: type === undefined ? 'no Content-Type' : `Content-Type: ${brief(type)}`,
  });
  answer.expectJSON({ error: 'Too many requests' });
}

/** After a GET that was refused, a POST that names another address was served: for what it names, for its method, or because it came later? */
async function whyServed(
  copy: Trial,
  limit: number,
  post: () => Promise<Answer>,
  isOver: () => boolean,
): Promise<void> {
  const plain = await post();
  const again = await copy.get('/');
  // What comes in a window of its own tells nothing.
  if (isOver()) return;
  again.expect(again.status === 429, {
    diagnosis: 'refused-only-once',
    message: `RATE_LIMIT is ${limit}. The first request beyond that was refused, and the next ones were served again. Every request beyond the limit is refused until the window is over.`,
    expected: 'status 429',
    actual: `status ${again.status}`,
  });
  plain.expect(plain.status === 429, {
    diagnosis: 'only-some-limited',
    message: `RATE_LIMIT is ${limit}, and this client had used it up: GET / was refused, and POST /users was served. Every request counts, and may be refused, whatever its method and path.`,
    expected: 'status 429',
    actual: `status ${plain.status}`,
  });
}

/** More than its share was served to a client on one connection. What was counted too late is refused in the end; who counts connections serves on. */
async function countsRequests(
  copy: Trial,
  limit: number,
  connection: ReturnType<Trial['connect']>,
  isOver: () => boolean,
): Promise<void> {
  let last: Exchange | undefined;
  for (let n = 0; n < 3; n++) {
    await connection.write(request('/users'));
    last = await connection.attempt({ target: '/users' });
    if (last.outcome !== 'answered' || last.message?.status === 429) return;
  }
  copy.check(isOver(), {
    diagnosis: 'connections-counted',
    message: `RATE_LIMIT is ${limit}. A client that opened a connection for each of its requests was refused in the end; another one, at 127.0.0.9, sent all of them on one connection, and was served again and again. Count requests: one connection carries any number of them.`,
    expected: 'status 429',
    actual: `status ${last?.message?.status ?? ''}`,
    ...(last && { exchange: last }),
  });
}

/** The window is the one where RATE_WINDOW_MS is not set. */
async function limitsTheRate(t: Trial): Promise<void> {
  const limit = t.int(4, 7);
  const windowMs = 10_000;
  const copy = await limited(t, limit);
  const targets = [
    '/',
    '/users',
    '/style.css',
    '/nothing-here',
    `/users/${t.int(1, 9)}`,
    '/script.js',
    '/users',
  ];
  const began = performance.now();
  const since = (): number => performance.now() - began;
  for (let n = 0; n < limit; n++) {
    const answer = await copy.get(targets[n % targets.length] ?? '/');
    answer.expect(answer.status !== 429, {
      diagnosis: 'limited-too-early',
      message: `RATE_LIMIT is ${limit}, and request ${n + 1} was refused already: ${limit} are allowed, the next one is not.`,
      expected: 'an answer',
      actual: `status ${answer.status}`,
    });
  }
  const refused = await copy.get('/');
  // On a very busy machine the window may be over by now; then there is nothing to see here.
  if (since() > windowMs) return;
  expectRefused(refused, limit, windowMs, since());
  const { program } = copy;
  const lines = (): string[] => linesFor(program, '/');
  const both = (): boolean => lines().length > 1 || lines().some((line) => line.includes(' 429 '));
  // Whoever logs nothing at all has failed in an earlier step.
  if (!(await program.when(both, 500)) && lines().length === 1) {
    refused.fail({
      diagnosis: 'refusal-not-logged',
      message:
        'GET / was sent twice, first served and then refused with 429, and the program printed a line for the first only. Each request leaves its line in the log, refused ones too.',
      expected: 'two lines that begin with GET /',
      actual: brief(lines().join('\n'), 200),
    });
  }
  const address = `203.0.113.${t.int(1, 250)}`;
  const others = { 'X-Forwarded-For': address, 'X-Real-IP': address };
  const post = (headers: Record<string, string> = {}): Promise<Answer> =>
    copy.post('/users', { name: 'Ann', email: 'ann@example.com' }, { headers });
  const posted = await post(others);
  if (posted.status < 400) await whyServed(copy, limit, post, () => since() > windowMs);
  if (since() > windowMs) return;
  expectRefused(posted, limit, windowMs, since());
  // Another client has a share of its own. Only Linux has more than one loopback address without being asked.
  if (process.platform !== 'linux') return;
  // It sends more than its share at once: whoever counts only when an answer is over lets all of them in.
  const other = copy.connect('127.0.0.9');
  const target = '/users';
  // All but its address is the same as before.
  const fields = refused.exchange.sent
    .toString('latin1')
    .replace(/^.*/, `GET ${target} HTTP/1.1`)
    .replace(/^Connection:.*\r\n/im, '');
  await other.write(fields.repeat(limit + 2));
  const answer = await other.answer({ target });
  answer.expect(answer.status !== 429, {
    diagnosis: 'one-count-for-all',
    message:
      'A client at another address (127.0.0.9), which had not asked before, was refused, because the one at 127.0.0.1 had used up its share. Count for each address.',
    expected: 'status 200',
    actual: 'status 429',
  });
  for (let n = 2; n <= limit + 2; n++) {
    // A server may hang up on whoever it refuses.
    const next = await other.attempt({ target });
    if (next.message?.status === 429 || next.outcome !== 'answered') break;
    if (n > limit) await countsRequests(copy, limit, other, () => since() > windowMs);
    copy.check(n <= limit || since() > windowMs, {
      diagnosis: 'counted-too-late',
      message: `RATE_LIMIT is ${limit}. A client sent ${limit + 2} requests at once, before the first was answered, and number ${n} was served. Count a request when it comes, not when its answer is over.`,
      expected: `${limit} requests served, the others refused with 429`,
      actual: `status ${next.message?.status ?? ''} for number ${n}`,
      exchange: next,
    });
  }
  const again = await copy.get('/');
  again.expect(again.status === 429 || since() > windowMs, {
    diagnosis: 'other-client-begins-anew',
    message: `RATE_LIMIT is ${limit}. The client at 127.0.0.1 had been refused; then one at 127.0.0.9 came, and after that the first was served again. Keep the counts of all clients side by side.`,
    expected: 'status 429',
    actual: `status ${again.status}`,
  });
}

/** Where RATE_LIMIT is not set, a hundred and some are nothing. */
async function allowsManyUntold(t: Trial): Promise<void> {
  const many = 110;
  const target = '/users';
  const connection = t.connect();
  await connection.write(request(target).repeat(many));
  for (let n = 1; n <= many; n++) {
    const next = await connection.attempt({ target });
    t.check(next.message?.status !== 429, {
      diagnosis: 'wrong-default-limit',
      message: `RATE_LIMIT is not set, so 1000 requests are allowed in 10 s. Number ${n} of ${many} that a client sent at once was refused.`,
      expected: 'status 200',
      actual: 'status 429',
      exchange: next,
    });
    if (next.outcome !== 'answered') return;
  }
}

/** Retry-After is what is left of the window, not the whole of it. */
async function tellsWhatIsLeft(t: Trial, windowMs = 1090): Promise<void> {
  const copy = await limited(t, 2, windowMs);
  const began = performance.now();
  await copy.get('/style.css');
  const answered = performance.now();
  await copy.program.when(() => copy.program.exit !== null, 100);
  const atLeast = performance.now() - answered;
  // One more that is served makes the window no longer.
  const second = performance.now();
  await copy.get('/style.css');
  const refused = await copy.get('/style.css');
  const now = performance.now();
  const since = now - began;
  const passed = since >= windowMs - 5;
  if (!passed) expectRefused(refused, 2, windowMs, since, atLeast);
  // A busy machine let the window pass, or that of the second request come below the next whole second: once more, a longer one.
  if ((passed || now - second > 70) && windowMs < 10_000) await tellsWhatIsLeft(t, windowMs + 3000);
}

/** So long a window is enough for the busiest machine, in ms. */
const longestWindowMs = 5000;

async function windowPasses(t: Trial, windowMs = 200): Promise<void> {
  const longer =
    windowMs < longestWindowMs ? (): Promise<void> => windowPasses(t, windowMs * 3) : undefined;
  const copy = await limited(t, 1, windowMs);
  const { program } = copy;
  const name = t.word();
  // Between two ticks of a clock that began with the program, or with its port: a window by that clock would be over too early.
  const opened = performance.now();
  // When that was is known no better than how long the start took: where that was long, a longer one.
  if (longer && program.age > windowMs * 2) return longer();
  const betweenTicks = (ms: number): boolean => Math.abs((ms % windowMs) / windowMs - 0.5) < 0.3;
  const quiet = (): boolean =>
    betweenTicks(program.age) && betweenTicks(performance.now() - opened);
  await t.until(quiet, 2 * windowMs);
  const began = performance.now();
  const kept = await copy.post('/users', { name: 'Ann', email: 'ann@example.com' });
  const refused = await copy.post('/users', { name, email: 'ann@example.com' });
  const first = refused.status === 429;
  const since = performance.now() - began;
  // A busy machine let the window pass, or a clock of the program's own went off: once more, a longer one.
  if (longer && !first) return longer();
  if (since < windowMs) expectRefused(refused, 1, windowMs, since);
  const [, user] = /"id":\s*(\d+)/.exec(kept.text) ?? [];
  const target = `/users/${user ?? 1}`;
  const json = { name: 'Bea', email: 'bea@example.com' };
  const spared = await copy.send({ method: 'PUT', target, json });
  if (longer && spared.status !== 429) return longer();
  spared.expect(spared.status === 429 || performance.now() - began >= windowMs, {
    diagnosis: 'only-some-limited',
    message: `RATE_LIMIT is 1, and this client had used it up: POST /users was refused, and then PUT ${target} was not. Every request counts, and may be refused, whatever its method and path.`,
    expected: 'status 429',
    actual: `status ${spared.status}`,
  });
  let last = refused;
  let refusedAt = since;
  const again = await t.until(async () => {
    await program.when(() => program.exit !== null, 8);
    last = await copy.get('/users');
    if (last.status === 429) refusedAt = performance.now() - began;
    return last.status !== 429;
  }, windowMs + 2800);
  const took = performance.now() - began;
  // On a busy machine it may have passed long before that was seen: once more, a longer one.
  const unseen = took > windowMs * 1.4 || (took >= windowMs - 2 && refusedAt < windowMs * 0.8);
  if (longer && again && unseen) return longer();
  last.expect(again, {
    diagnosis: 'window-never-passes',
    message: `RATE_WINDOW_MS is ${windowMs}. A client that was refused was still refused ${(took / 1000).toFixed(0)} s later, though it went on asking. ${first ? 'When the window is over, the count begins anew; refused requests must not make it longer.' : ''}`,
    expected: `status 200, ${windowMs} ms after the first request`,
    actual: `status 429, ${Math.round(took)} ms after it`,
  });
  last.expect(!first || took >= windowMs - 2, {
    diagnosis: 'window-too-short',
    message: `RATE_WINDOW_MS is ${windowMs} and RATE_LIMIT is 1. A client was served, refused, and served again only ${Math.round(took)} ms after its first request. A window begins with its client's first request, and not whenever a timer goes off.`,
    expected: `status 429 until ${windowMs} ms after the first request`,
    actual: `status ${last.status} after ${Math.round(took)} ms`,
  });
  last.expect(spared.status !== 429 || !last.text.includes(json.name), {
    diagnosis: 'refused-and-served',
    message: `PUT ${target} was refused with 429, and the user has the new name all the same. Where a request has been refused, nothing more is done for it: return.`,
    expected: `[${kept.text}]`,
    actual: brief(last.text),
  });
  last.expect(!first || !last.text.includes(name), {
    diagnosis: 'refused-and-served',
    message:
      'POST /users was refused with 429, and the user that it brought is in the list all the same. Where a request has been refused, nothing more is done for it: return.',
    expected: `[${kept.text}]`,
    actual: brief(last.text),
  });
}

/** Windows ends a process that is sent a signal, so there only the health check is judged. */
const hasSignals = process.platform !== 'win32';

const endingOf = ({ exit }: Program): string =>
  !exit ? 'it still runs' : exit.signal ? `ended by ${exit.signal}` : `exit status ${exit.code}`;

/** Requests that never pause, and a signal in the middle. This is the last step: it ends the program under test itself. */
async function stopsUnderLoad(t: Trial): Promise<void> {
  const { program } = t;
  const begun = ({ id, late }: Failed): boolean => !late && program.stdout.includes(`id=${id}.`);
  let signalled = 0;
  const result = await underLoad(
    t,
    { clients: 6, answers: t.int(60, 120), target: (id) => `/users?id=${id}.`, begun },
    () => {
      signalled = performance.now();
      program.signal('SIGTERM');
    },
  );
  // Ten seconds is what the program waits without being told: that long only something else can have kept it alive.
  const atDeadline = program.exit?.code === 1 && performance.now() - signalled > 9_900;
  const [lost] = result.lost;
  const ending = endingOf(program);
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
      'Six clients asked without a pause when SIGTERM came. The program had begun a request, and it never got its whole answer.',
    expected: 'a whole answer for every request that was begun before the signal',
    actual: `${result.lost.length} of ${result.answered + result.lost.length} lost; ${ending}`,
    exchange: lost?.exchange,
  });
  const open = program.exit === null && (await t.attempt({ limit: 500 })).outcome !== 'refused';
  t.check(!open, {
    diagnosis: 'still-accepting',
    message:
      'Seconds after SIGTERM the program still lets new clients in. shutdownOnSignals closes the server that it is given: is it this one, and does it get it before the signal?',
    expected: 'connection refused',
    actual: ending,
    exchange: undefined,
  });
  t.check(program.exit !== null && !atDeadline, {
    diagnosis: 'never-ends',
    message: `Every answer was out, and ${atDeadline ? 'only the deadline ended the process' : 'seconds later the process still ran'}. Something keeps it alive: a timer, perhaps.`,
    expected: 'exit status 0, soon after the last answer',
    actual: ending,
    exchange: undefined,
  });
  const drainings = drainingLines(program);
  t.check(drainings <= 1, {
    diagnosis: 'second-shutdown',
    message: `One signal began ${drainings} shutdowns. Is shutdownOnSignals called more than once, for each request perhaps? It takes the server once, before that listens.`,
    expected: 'one line that begins with Draining',
    actual: `${drainings} such lines`,
    exchange: undefined,
  });
  t.check(program.exit?.code === 0, {
    diagnosis: 'wrong-exit-code',
    message: `Every answer was out, but the program did not end with status 0.${/^\s+at .+:\d+/m.test(program.stderr) ? ' It died of an error.' : program.exit?.code === 1 ? ' With 1 it ends at its deadline: does shutdownOnSignals get that as a number of milliseconds?' : ''}`,
    expected: 'exit status 0',
    actual: `${ending}; ${brief(t.complaint(program), 200)}`,
    exchange: undefined,
  });
}

/** GET /health, while the client may send one more request, and when it has none left. */
async function healthIsNotLimited(copy: Trial, limit: number): Promise<void> {
  const ask = async (): Promise<void> => {
    const health = await copy.get('/health');
    health.expect(health.status !== 429, {
      diagnosis: 'health-limited',
      message:
        'GET /health was refused for too many requests. Whoever watches over the server must always get an answer.',
      expected: 'status 200',
      actual: 'status 429',
    });
  };
  for (let n = 0; n < 4; n++) await ask();
  const last = await copy.get('/');
  last.expect(last.status !== 429, {
    diagnosis: 'health-counted',
    message: `RATE_LIMIT is ${limit}. A client sent POST /users, GET /users, four times GET /health, and GET /, which was refused: GET /health must not be counted.`,
    expected: 'status 200',
    actual: 'status 429',
  });
  await copy.get('/');
  await ask();
}

/** A copy that has little of everything: few requests, of which none is for its health, and little time for an upload that never ends. */
async function endsAtTheDeadline(t: Trial): Promise<void> {
  const [limit, deadline] = [3, 180];
  const env = {
    RATE_LIMIT: String(limit),
    RATE_WINDOW_MS: '30000',
    SHUTDOWN_TIMEOUT_MS: String(deadline),
  };
  const copy = t.on(await t.start({ env }));
  const { program } = copy;
  const upload = copy.connect();
  await upload.write(
    'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  const health = copy.connect();
  await health.write('GET /health HTTP/1.1\r\nHost: localhost\r\nX-Half: ');
  // Once another request is answered, the first two have been read.
  await copy.get('/users');
  await healthIsNotLimited(copy, limit);
  if (!hasSignals) return;
  const signalled = performance.now();
  program.signal('SIGTERM');
  if (await program.when(() => program.stdout.includes('Draining'), deadline)) {
    await health.write('x\r\n\r\n');
    const said = await health.attempt({ target: '/health', limit: deadline });
    t.check(said.message?.status !== 200, {
      diagnosis: 'healthy-while-draining',
      message:
        'The program was draining, and GET /health on a connection that was still open said 200. Let the health of your graceful shutdown lesson answer it: that knows.',
      expected: 'status 503 and {"status":"draining"}',
      actual: `status 200: ${brief(said.message?.body.toString() ?? '')}`,
      exchange: said,
    });
  }
  await program.when(() => program.exit !== null, 3000);
  const took = Math.round(performance.now() - signalled);
  // Ten seconds is what the program waits without being told.
  const inTime = program.exit !== null && took < 9000;
  const exchange: Exchange = await upload.attempt({ limit: 1 });
  if (inTime && program.exit?.code === 1) {
    t.check(took >= deadline - 5, {
      diagnosis: 'cut-too-early',
      message: `SHUTDOWN_TIMEOUT_MS was ${deadline}, and ${took} ms after SIGTERM an upload was cut of which the rest might still have come. shutdownOnSignals takes the deadline as a number of milliseconds.`,
      expected: `exit status 1, ${deadline} ms after the signal`,
      actual: `exit status 1, ${took} ms after the signal`,
      exchange,
    });
    return;
  }
  t.fail({
    diagnosis: inTime
      ? program.exit?.code === 0
        ? 'in-flight-cut'
        : 'wrong-exit-code'
      : 'deadline-ignored',
    message: inTime
      ? `Of an upload one byte had come, and then SIGTERM came. SHUTDOWN_TIMEOUT_MS was ${deadline}: the process should have waited that long for the rest, and then ended with status 1.`
      : `SHUTDOWN_TIMEOUT_MS was ${deadline}, and ${(took / 1000).toFixed(0)} s after SIGTERM the process still waited for an upload of which the rest never came.`,
    expected: `exit status 1, ${deadline} ms after the signal`,
    actual: program.exit ? `${endingOf(program)}, ${took} ms after the signal` : 'it still runs',
    exchange,
  });
}

export default suite(
  '12-capstone',
  {
    async 'Serve the page'(t) {
      expectFile(await t.get('/'), 'index.html', /^text\/html;\s*charset=utf-8$/i);
      const files: [target: string, name: string, type: RegExp][] = [
        ['/style.css?v=2', 'style.css', /^text\/css;\s*charset=utf-8$/i],
        ['/script.js', 'script.js', /^text\/javascript;\s*charset=utf-8$/i],
        ['/icon.svg', 'icon.svg', /^image\/svg\+xml/i],
      ];
      await t.each(files, async (part, [target, name, type]) => {
        expectFile(await part.get(target), name, type);
      });
      const head = await t.head('/');
      head.expectStatus(200);
      head.expectNoBody();
      (await t.get(`/${t.word()}.html`)).expectStatus(404);
      await t.each(
        ['/../server.ts', '/%2e%2e/server.ts', '/..%2fserver.ts'],
        async (part, target) => {
          const answer = await part.send({ target });
          answer.expect(answer.status >= 400 && answer.status < 500, {
            diagnosis: 'way-out-of-the-root',
            message: 'A request target led out of public/, to the program itself.',
            expected: 'status 404',
            actual: `status ${answer.status}`,
          });
        },
      );
      // Whatever the answer, there is one, and the server lives on.
      await t.send({ target: '//' });
    },

    async 'Mount the API beside it'(t) {
      const before = await t.get('/users');
      expectAPI(before, 200);
      before.expectHeader('Content-Type', isJSON);
      before.expectHeader('Access-Control-Allow-Origin', /./);
      expectAPI(await t.head('/users'), 200);
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
            message:
              'Only the users of one name were asked for, and others came as well: the query was lost on the way to the API. Hand the request on as it came, with the query in req.url.',
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
      for (const target of ['/users/', `/users/${String(user.id)}/x`]) {
        const below = await t.get(target);
        below.expectHeader('Content-Type', isJSON, [
          {
            if: () => true,
            diagnosis: 'api-not-mounted',
            message: `${target} begins with /users/ and so belongs to the API, whatever that says to it. The static files answered.`,
          },
        ]);
      }
      // Paths that only begin with the same letters are files.
      const files = [
        '/users.html',
        '/usersearch',
        '/index.html?/users',
        '/index.html?next=/users/1',
        `/${t.word()}/users/1`,
        '/USERS',
      ];
      await t.each(files, async (part, target) => {
        const answer = await part.get(target);
        answer.expect(!isJSON(answer.header('Content-Type') ?? ''), {
          diagnosis: 'file-went-to-the-api',
          message: `${target} is no path of the API; it only has the same letters in it. Compare the path from its beginning, letter by letter, without its query.`,
          expected: 'an answer of the static files',
          actual: `status ${answer.status}, Content-Type: ${answer.header('Content-Type') ?? 'none'}`,
        });
      });
      const misled = await t.get('/', { headers: { Host: '[' } });
      misled.expect(misled.status === 200 || misled.status === 400, {
        diagnosis: 'host-in-the-url',
        message:
          'GET / came with a Host that is no host, and made the program fail. The path does not depend on that field, which anybody can write: requestURL gives the path of req.url alone.',
        expected: 'status 200 or 400',
        actual: `status ${misled.status}`,
      });
      const odd = await t.get('/%zz');
      odd.expect(odd.status < 500, {
        diagnosis: 'odd-path-failed',
        message:
          'GET /%zz made the program fail. Its path means nothing, and the static files know how to answer it: is it decoded before they see it? decodeURIComponent() throws.',
        expected: 'the answer of the static files',
        actual: `status ${odd.status}`,
      });
    },

    async 'Log what happens'(t) {
      await inOrder(logsAndRefuses(t), saysThatThePortIsTaken(t));
    },

    async 'Limit the rate'(t) {
      await inOrder(limitsTheRate(t), windowPasses(t), tellsWhatIsLeft(t), allowsManyUntold(t));
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
      const healthy = await t.get('/healthy');
      healthy.expect(healthy.status !== 200, {
        diagnosis: 'health-for-other-paths',
        message:
          'GET /healthy is another path than /health, and there is no such file. Compare the whole path.',
        expected: 'status 404',
        actual: `status 200: ${brief(healthy.text)}`,
      });
      await inOrder(...(hasSignals ? [stopsUnderLoad(t)] : []), endsAtTheDeadline(t));
    },
  },
  { copies: 5 },
);
