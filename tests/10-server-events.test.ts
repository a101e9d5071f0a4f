import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief, seconds, type Exchange } from '../scripts/kernel/exchange.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { OutcomeCauses, Trial } from '../scripts/kernel/trial.ts';
import { inOrder } from './support/in-order.ts';
import { linesOf, logged, type LogLine } from './support/log.ts';
import { request } from './support/request.ts';

type Connection = ReturnType<Trial['connect']>;

/** Sends a GET on an open connection and waits for its answer. */
async function ask(connection: Connection, target: string, ...fields: string[]): Promise<Answer> {
  await connection.write(request(target, 'GET', ...fields));
  return connection.answer({ method: 'GET', target });
}

/** Begins GET /slow and waits until its first line is there: from then on the request is in flight. */
async function beginSlow(t: Trial, target: string): Promise<Connection> {
  const connection = t.connect();
  await connection.write(request(target));
  if (!(await connection.until((bytes) => bytes.includes('first\n')))) {
    t.fail({
      diagnosis: 'slow-never-began',
      message: `GET ${target} did not send its first line. server.ts does that; does something answer or destroy the request before it?`,
      expected: 'first',
      actual:
        brief(connection.received.toString()) || `nothing; the connection is ${connection.state}`,
      exchange: await connection.attempt({ limit: 1 }),
    });
  }
  return connection;
}

/** A client that goes away with a TCP reset; gives what it had sent and got until then. */
async function leave(connection: Connection): Promise<Exchange> {
  const exchange = await connection.attempt({ limit: 1 });
  connection.reset();
  return exchange.outcome === 'no-answer'
    ? Object.assign(exchange, { outcome: 'connection-reset' })
    : exchange;
}

/** What became of a request, in words. */
function inWords({ outcome, message, received, note }: Exchange): string {
  if (message && outcome === 'answered')
    return `status ${message.status} ${message.reason}`.trimEnd();
  if (outcome === 'connection-closed' || outcome === 'connection-reset') {
    const how = outcome === 'connection-closed' ? 'closed' : 'reset';
    return `the connection was ${how} ${received.length > 0 ? 'before the answer was whole' : 'without an answer'}`;
  }
  return note ?? (outcome === 'no-answer' ? 'nothing; the connection is still open' : outcome);
}

/** Asks whether the program has survived what a client did in `guilty`; that is what a failure shows. */
async function expectSurvived(
  t: Trial,
  guilty: Exchange,
  diagnosis: string,
  message: string,
): Promise<void> {
  try {
    (await t.get('/', { causes: { crashed: { diagnosis, message } } })).expectStatus(200);
  } catch (error) {
    if (!(error instanceof StepFailure) || error.failure.diagnosis !== diagnosis) throw error;
    throw new StepFailure({ ...error.failure, message, exchange: guilty });
  }
}

/* ---- step 1 ---- */

const known = [
  'listening',
  'connection',
  'request',
  'response finish',
  'response close',
  'connection close',
  'close',
];

const eventsIn = (text: string): string[] =>
  linesOf(text)
    .map((line) => /^event: (.+)$/.exec(line)?.[1] ?? '')
    .filter((name) => known.includes(name));

/** A line that seems to be meant for one of these events, and is written otherwise. */
const nearly = (text: string, names: string[]): string | undefined =>
  linesOf(text).find((line) => {
    const [, name = line] = /^\W*event\W+(.*)$/i.exec(line) ?? [];
    const said = name.toLowerCase();
    return names.some(
      (one) =>
        `event: ${one}` !== line &&
        (said === one || (said.startsWith(`${one} `) && !known.includes(said))),
    );
  });

/** The event that such a line is meant for. */
const nameIn = (line: string): string =>
  known.findLast((name) => line.toLowerCase().includes(name)) ?? 'connection';

const shown = (events: string[]): string =>
  events.join('\n') || '(no line that begins with "event:")';

/* ---- step 2 ---- */

/** What becomes of a target that is decoded or parsed before it is logged. */
function rewritten(target: string): string[] {
  const url = new URL(target, 'http://localhost');
  const { pathname, search } = url;
  return [...new Set([decodeURIComponent(target), pathname, decodeURIComponent(pathname)])]
    .filter((text) => text.length > 1 && !target.includes(text))
    .concat(pathname + search === target ? [] : [pathname + search]);
}

/** Where a line differs from the right one, when one part does. */
function differs(line: string, method: string, target: string): string {
  if (!line.startsWith(`${method} ${target} `)) return '';
  const [status = '', ms = ''] = line.slice(`${method} ${target} `.length).split(' ');
  if (!/^(\d{3}|aborted)$/.test(status))
    return ` In the place of the status stands ${brief(status, 20)}: it is the number of the status, or the word aborted.`;
  if (!/^\d/.test(ms))
    return ` In the place of the time stands ${brief(ms, 20)}: it is the number of milliseconds since the request came.`;
  return ' Behind the time stands its unit, ms.';
}

/** Waits for the one log line of a request, whose target nothing else has. */
async function logLine(
  t: Trial,
  method: string,
  target: string,
  example: string,
  exchange: Exchange,
  left = '',
): Promise<LogLine> {
  const { program } = t;
  await program.when(() => logged(program, method, target).length > 0, 500);
  const [line, second] = logged(program, method, target);
  const expected = `${method} ${target} ${example}`;
  if (!line) {
    const path = target.split('?')[0] ?? target;
    const lines = linesOf(program.stdout).filter((text) => !text.startsWith('event:'));
    const near =
      lines.find((text) => text.includes(target)) ??
      lines.find((text) => text.includes(path) && !text.includes(`${path}?`)) ??
      lines.find((text) => rewritten(target).some((other) => text.includes(other)));
    if (program.stderr.includes(path)) {
      t.fail({
        diagnosis: 'log-on-stderr',
        message: 'The log line went to standard error. Print it on standard output: console.log.',
        expected,
        actual: brief(program.stderr.trim(), 200),
        exchange,
      });
    }
    if (near && !near.includes(target) && rewritten(target).some((other) => near.includes(other))) {
      t.fail({
        diagnosis: 'target-rewritten',
        message:
          'The log line holds another request target than the one that was sent: it was decoded, or tidied by new URL(). Log req.url as it came.',
        expected,
        actual: near,
        exchange,
      });
    }
    if (near?.includes(path) && path !== target && !near.includes(target)) {
      t.fail({
        diagnosis: 'log-without-query',
        message:
          'The log line holds the path, but not the query: the request target is logged as it was sent, req.url.',
        expected,
        actual: near,
        exchange,
      });
    }
    t.fail({
      diagnosis: near ? 'log-line-differs' : 'no-log-line',
      message: near
        ? `The program prints something for the request, but not the method, the request target, the status and the time with one blank between them.${differs(near, method, target)}`
        : `The program printed no line for ${method} ${brief(target, 40)}${left}.`,
      expected,
      actual: near ?? '(no such line)',
      exchange,
    });
  }
  t.check(!second, {
    diagnosis: 'logged-more-than-once',
    message:
      'One request was logged more than once. Is the listener added again and again, or to two events that both come?',
    expected: `one line for ${brief(target, 40)}`,
    actual: [line.text, second?.text].join('\n'),
    exchange,
  });
  return line;
}

/** Whether a request is logged although its answer is still on the way, and will be for long. */
async function loggedWhileOpen(t: Trial): Promise<boolean> {
  const target = `/slow?ms=60000&for=${t.word()}`;
  const connection = await beginSlow(t, target);
  const early = await t.program.when(() => logged(t.program, 'GET', target).length > 0, 300);
  const open = connection.state === 'open';
  connection.reset();
  return early && open;
}

/* ---- step 3 ---- */

interface Counts {
  open: number;
  connections: number;
  requests: number;
}

/** How often the counts were asked for on a connection. */
const asks = new WeakMap<Connection, number>();

async function countsOn(connection: Connection): Promise<Counts> {
  asks.set(connection, (asks.get(connection) ?? 0) + 1);
  const answer = await ask(connection, '/counts');
  answer.expectStatus(200);
  const counts = answer.json() as Counts | null;
  answer.expect([counts?.open, counts?.connections, counts?.requests].every(Number.isInteger), {
    diagnosis: 'counts-missing',
    message: 'GET /counts must answer with the three numbers open, connections and requests.',
    expected: '{"open":1,"connections":1,"requests":1}',
    actual: brief(answer.text),
  });
  return counts as Counts;
}

/** Waits until so many connections are open, as the program counts them on this one. */
async function untilOpen(
  t: Trial,
  connection: Connection,
  wanted: number,
  what: string,
): Promise<Counts> {
  let counts = await countsOn(connection);
  const there = await t.until(async () => {
    if (counts.open !== wanted) counts = await countsOn(connection);
    return counts.open === wanted;
  }, 600);
  if (!there) {
    t.check(counts.open + counts.connections + counts.requests > 0, {
      diagnosis: 'counts-never-move',
      message:
        'GET /counts shows three zeros, although it came on a connection and is a request itself. Is the object that you return the same one that you count in, and not a copy?',
      expected: `{"open":${wanted},…}`,
      actual: JSON.stringify(counts),
    });
    t.fail({
      diagnosis: counts.open > wanted ? 'open-not-given-back' : 'open-too-low',
      message:
        counts.open > wanted
          ? `open stays at ${counts.open} ${what}; ${wanted} is right. Every connection ends in the socket's 'close' event, however it ended: after 'end', after a reset, after a time-out.`
          : `open is ${counts.open} ${what}; ${wanted} is right. Something is taken off the count that was never added, or taken off twice; or it is not connections that are counted: one counts from the server's 'connection' until its socket's 'close'.`,
      expected: `open: ${wanted}`,
      actual: `open: ${counts.open}`,
    });
  }
  return counts;
}

/** Opens a connection that must be let in, and shows it with one answered request. */
async function letIn(
  t: Trial,
  causes: { diagnosis: string; message: string },
): Promise<Connection> {
  const connection = t.connect();
  await connection.write(request('/'));
  const exchange = await connection.attempt();
  if (exchange.outcome !== 'answered') {
    t.fail({ ...causes, expected: 'status 200', actual: inWords(exchange), exchange });
  }
  return connection;
}

/** Opens a connection that must be refused. */
async function refusedOne(t: Trial, before: string, held: Connection[] = []): Promise<void> {
  const connection = t.connect();
  await connection.write(request('/'));
  const exchange = await connection.attempt();
  const expected = 'the connection closed, without an answer';
  await Promise.all(held.map((one) => one.closed(1)));
  t.check(!held.some((one) => one.state !== 'open'), {
    diagnosis: 'others-cut',
    message:
      'A client holds three connections, as many as MAX_CONNECTIONS allows, and opened a fourth: one of the three was closed. The new one is refused; those that were let in stay.',
    expected: 'three open connections',
    actual: 'one of them was closed',
    exchange,
  });
  if (exchange.outcome === 'answered') {
    const status = exchange.message?.status ?? 0;
    t.fail(
      status < 400
        ? {
            diagnosis: 'limit-not-kept',
            message: `MAX_CONNECTIONS is 3 and this client holds three open connections, yet one more was let in and answered.${before}`,
            expected,
            actual: `status ${status}`,
            exchange,
          }
        : {
            diagnosis: 'refused-with-an-answer',
            message: `The connection that is one too many was answered with ${status}. Whoever opens too many gets no answer: close the socket.`,
            expected,
            actual: `status ${status}`,
            exchange,
          },
    );
  }
  if (connection.state === 'open') {
    t.fail({
      diagnosis: 'refused-but-left-open',
      message:
        'The connection that is one too many got no answer, but it stays open: it still costs what it was refused for. Destroy its socket.',
      expected,
      actual: 'nothing; the connection is still open',
      exchange,
    });
  }
}

/** Opens a connection that must be refused before it has asked for anything. */
async function refusedInSilence(t: Trial): Promise<void> {
  const connection = t.connect();
  await connection.opened();
  const state = await connection.closed();
  t.check(state !== 'open', {
    diagnosis: 'refused-on-request',
    message:
      "MAX_CONNECTIONS is 3 and this client holds three open connections. A fourth one, on which nothing was sent so far, stays open. It is one too many from the server's 'connection' on: do not wait for a request.",
    expected: 'the connection closed, without an answer',
    actual: 'the connection is still open',
    exchange: undefined,
  });
}

/* ---- step 4 ---- */

/** What was written by hand and is no response. */
const malformed = (exchange: Exchange, what: string) => ({
  diagnosis: 'raw-answer-malformed',
  message: `What was written for ${what} is no HTTP response: ${exchange.note?.replace('this is not an HTTP response: ', '') ?? 'its head has no end'}. Written by hand, every line ends in \\r\\n, and an empty line ends the head.`,
  actual: brief(exchange.received.toString(), 200),
  exchange,
});

/** What a malformed request must get, on its own connection. */
async function expectRefused(
  t: Trial,
  connection: Connection,
  status: number,
  what: string,
  causes: Cause[] = [],
): Promise<void> {
  const exchange = await connection.attempt({ method: 'GET', target: what });
  const reason = http.STATUS_CODES[status] ?? '';
  const expected = `HTTP/1.1 ${status} ${reason}, with "${reason}" as its body, and the connection closed`;
  if (exchange.outcome === 'not-http' || (exchange.received.length > 0 && !exchange.message)) {
    t.fail({ ...malformed(exchange, what), expected });
  }
  // Where the machine is busy a wait is extended, and the program's own limit for idle connections (5 s) ends it.
  const forgotten = exchange.received.length === 0 && exchange.times.over > 4000;
  if (exchange.outcome === 'no-answer' || forgotten) {
    t.fail({
      diagnosis: 'client-error-unanswered',
      message: `For ${what} a 'clientError' comes, and from then on the socket is yours: this one got no answer and was left open.`,
      expected,
      actual: `nothing within ${seconds(exchange.limitMs)} s`,
      exchange,
    });
  }
  if (await closedSilently(t, exchange)) {
    t.fail({
      diagnosis: 'client-error-closed-silently',
      message: `For ${what} the connection was closed without a word. Whoever wrote that client should read what was wrong: answer before you close.`,
      expected,
      actual: 'the connection closed, no bytes',
      exchange,
    });
  }
  if (exchange.outcome === 'response-never-ended') {
    t.fail({
      diagnosis: 'client-error-left-open',
      message: `The answer to ${what} has no end: it is not as long as its Content-Length says, or it has none and the connection stays open. End the socket.`,
      expected,
      actual: exchange.note,
      exchange,
    });
  }
  const answer = await answerOf(t, connection, exchange, {
    crashed: {
      diagnosis: 'client-error-stops-server',
      message: `One client sent ${what}, and the whole server died of it. The error in 'clientError' is that client's: answer it, and neither throw it on nor end the server for it.`,
    },
  });
  answer.expectStatus(status, [
    ...causes,
    {
      if: () => true,
      diagnosis: 'wrong-status',
      message: `The status is ${answer.status}; ${status} was expected for ${what}.`,
    },
  ]);
  answer.expect(answer.body.length > 0, {
    diagnosis: 'reason-missing',
    message: `The answer to ${what} has no body. That is also what Node answers by itself: is there a listener for 'clientError', and does it send the reason as text?`,
    expected,
    actual: 'an empty body',
  });
  answer.expect(answer.text.trim() === reason, {
    diagnosis: 'reason-differs',
    message: `The body of the answer to ${what} must be the status's own words.`,
    expected: reason,
    actual: brief(answer.text),
  });
  if ((await connection.closed(700)) === 'open') {
    answer.fail({
      diagnosis: 'client-error-left-open',
      message: `After its answer to ${what} the server left the connection open. After malformed bytes nobody knows where the next request begins: end the socket.`,
      expected,
      actual: 'the connection is still open',
    });
  }
}

/** Whether the program has ended; a moment is waited for, because a connection is closed before the exit is known. */
async function died({ program }: Trial): Promise<boolean> {
  await program.when(() => program.exit !== null, 300);
  return program.exit !== null;
}

const closedSilently = async (t: Trial, { outcome, received }: Exchange): Promise<boolean> =>
  (outcome === 'connection-closed' || outcome === 'connection-reset') &&
  received.length === 0 &&
  !(await died(t));

/** The answer in an exchange; where there is none, the step fails with the kernel's explanation. */
async function answerOf(
  t: Trial,
  connection: Connection,
  exchange: Exchange,
  causes: OutcomeCauses = {},
): Promise<Answer> {
  if (exchange.outcome === 'answered') return new Answer(exchange);
  if ((await died(t)) || exchange.outcome !== 'connection-closed') {
    try {
      return await connection.answer({
        limit: 1,
        method: exchange.method,
        target: exchange.target,
        causes,
      });
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      // The kernel has explained what became of the connection; what was sent on it stands in the exchange before.
      const { crashed } = causes;
      const known = crashed?.diagnosis === error.failure.diagnosis;
      throw new StepFailure({
        ...error.failure,
        ...(known && { message: crashed.message }),
        exchange,
      });
    }
  }
  t.fail({
    diagnosis: 'answer-cut',
    message:
      'The connection was closed before the answer was whole. socket.end(text) sends the text and then closes; destroy() does not wait.',
    expected: 'a whole answer',
    actual: exchange.note,
    exchange,
  });
}

/** What a program that cannot listen says, and how it ends. */
async function expectPortTaken(t: Trial): Promise<void> {
  const taken = t.program.port;
  const second = await t.start({ env: { PORT: String(taken) }, expectListening: false });
  await second.when(() => second.exit !== null || second.stdout.includes('Server listening'), 3000);
  const expected = `one sentence with ${taken} on standard error, and exit status 1`;
  const actual = `${second.exit ? `exit status ${second.exit.code}` : 'it still runs'}; standard error: ${brief(second.stderr.trim(), 300) || '(nothing)'}`;
  const failure = { expected, actual, exchange: undefined };
  t.check(!/^\s+at .+:\d+/m.test(second.stderr), {
    diagnosis: 'port-taken-crash',
    message: second.stderr.trimStart().startsWith('node:')
      ? `On the taken port a second copy prints a stack trace. Whoever started it should read one sentence: listen for the server's 'error' event, and say what it means.`
      : `On the taken port a second copy prints a stack trace. Whoever started it should read one sentence: say what the error means, and neither print it whole nor throw it again.`,
    ...failure,
  });
  t.check(second.exit || !second.stdout.includes('Server listening'), {
    diagnosis: 'port-taken-runs-on',
    message:
      'A second copy on the taken port took another port and goes on there, where nobody looks for it. End it with status 1, so that whoever started it notices.',
    ...failure,
  });
  t.check(second.exit, {
    diagnosis: 'port-taken-runs-on',
    message:
      'A second copy on the taken port runs on although it listens nowhere. End it with status 1, so that whoever started it notices.',
    ...failure,
  });
  const { code } = second.exit as { code: number | null };
  t.check(code === 1, {
    diagnosis: code === 0 ? 'port-taken-exit-zero' : 'wrong-exit-code',
    message:
      code === 0
        ? 'A second copy on the taken port ends with status 0, which says that all went well. The error was swallowed; status 1 says that it failed.'
        : `A second copy on the taken port ends with status ${code}; it must be 1.`,
    ...failure,
  });
  t.check(second.stderr.includes(String(taken)), {
    diagnosis: second.stdout.includes(String(taken))
      ? 'complaint-on-stdout'
      : 'complaint-without-port',
    message: second.stdout.includes(String(taken))
      ? 'The sentence about the taken port went to standard output. Complaints belong on standard error: console.error.'
      : 'A second copy on the taken port ends, but its standard error does not name the port.',
    ...failure,
  });
  // What every copy prints on standard error, taken port or not, is not about the port.
  const usual = new Set(linesOf(t.program.stderr));
  t.check(linesOf(second.stderr).filter((line) => line && !usual.has(line)).length === 1, {
    diagnosis: 'more-than-a-sentence',
    message:
      'For the taken port more than one line came on standard error. One sentence is what a reader needs.',
    ...failure,
  });
}

/** An address that is not this machine's (RFC 5737): nothing is sent there, for the system refuses to listen on it. */
const foreignAddress = '192.0.2.1';

async function expectOtherErrorsThrown(t: Trial): Promise<void> {
  const program = await t.start({ env: { HOST: foreignAddress }, expectListening: false });
  await program.when(
    () => program.exit !== null || program.stdout.includes('Server listening'),
    3000,
  );
  const expected = 'an exit status other than 0, and EADDRNOTAVAIL on standard error';
  const actual = `${program.exit ? `exit status ${program.exit.code}` : 'it still runs'}; standard error: ${brief(program.stderr.trim(), 300) || '(nothing)'}`;
  const failure = { expected, actual, exchange: undefined };
  t.check(!program.stdout.includes('Server listening'), {
    diagnosis: 'host-ignored',
    message: `With HOST=${foreignAddress}, which is not this machine, the program says that it listens. HOST chooses the address.`,
    ...failure,
  });
  t.check(program.exit && program.exit.code !== 0, {
    diagnosis: 'error-swallowed',
    message: `With HOST=${foreignAddress} the server cannot listen (EADDRNOTAVAIL), and the program ${program.exit ? 'ends as if all were well' : 'goes on as if nothing had happened'}. An 'error' listener that does not throw swallows every error but the one it knows.`,
    ...failure,
  });
  t.check(program.stderr.includes('EADDRNOTAVAIL'), {
    diagnosis: 'wrong-error-blamed',
    message:
      'The server could not listen for another reason (EADDRNOTAVAIL), and standard error does not say so. Only EADDRINUSE means that the port is taken.',
    ...failure,
  });
  // Node shows where a thrown error came from, and its own version; who prints the error itself shows the first of them.
  t.check(/^\s+at .+|^Node\.js v\d/m.test(program.stderr), {
    diagnosis: 'error-not-thrown',
    message: `With HOST=${foreignAddress} the server cannot listen (EADDRNOTAVAIL), and the program prints a sentence and ends, as it should for a taken port alone. Nobody expected this error: throw it, so that Node shows where it came from.`,
    ...failure,
  });
}

/* ---- step 5 ---- */

/**
 * Asks on a connection of its own, perhaps for something else before. A limit of 100 ms counts from the connection on:
 * where this process was held up, the server was right to hang up or to answer 408, and it is asked again.
 */
async function hurried(t: Trial, target: string, ...before: string[]): Promise<Exchange> {
  for (let tries = 1; ; tries++) {
    const connection = t.connect();
    let exchange: Exchange | undefined;
    for (const each of [...before, target]) {
      await connection.write(request(each));
      exchange = await connection.attempt({ method: 'GET', target: each });
      if (exchange.outcome !== 'answered' || exchange.message?.status === 408) break;
    }
    if (!exchange) throw new Error('nothing was asked');
    const silently = /^connection-/.test(exchange.outcome) && exchange.received.length === 0;
    if ((!silently && exchange.message?.status !== 408) || tries === 5) return exchange;
    if (silently && (await died(t))) return exchange;
  }
}

async function inTime(t: Trial, target: string): Promise<Answer> {
  const exchange = await hurried(t, target);
  return exchange.outcome === 'answered' ? new Answer(exchange) : t.get(target);
}

async function expectLimits(
  t: Trial,
  env: string,
  wanted: Record<'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout', number>,
): Promise<void> {
  const answer = await inTime(t, '/limits');
  answer.expectStatus(200);
  const limits = answer.json() as Record<string, unknown>;
  for (const [name, ms] of Object.entries(wanted)) {
    answer.expect(limits[name] === ms, {
      diagnosis: 'limit-not-set',
      message: `The program was started with ${env}, and ${name} is ${brief(String(limits[name]), 20)}; ${ms} was expected. It is a property of the server, in milliseconds.`,
      expected: `${name}: ${ms}`,
      actual: `${name}: ${brief(String(limits[name]), 20)}`,
    });
  }
}

/** Sends the beginning of a request, and waits for the 408. */
async function expectTimedOut(
  t: Trial,
  bytes: string,
  limit: 'headersTimeout' | 'requestTimeout',
): Promise<void> {
  const connection = t.connect();
  await connection.write(bytes);
  const exchange = await connection.attempt({ limit: 1500 });
  const what = limit === 'headersTimeout' ? 'half of a head' : 'a head and half of a body';
  const expected = 'status 408 when the limit has passed, and the connection closed';
  if (exchange.outcome === 'no-answer') {
    t.fail({
      diagnosis: limit === 'headersTimeout' ? 'half-head-waits' : 'half-body-waits',
      message: `A client that sends ${what} and then nothing is still waited for long after ${limit} should have ended it.`,
      expected,
      actual: 'nothing; the connection is still open',
      exchange,
    });
  }
  if (await closedSilently(t, exchange)) {
    t.fail({
      diagnosis: 'time-out-without-408',
      message: `A client that sends ${what} and then nothing is cut off without a word. When ${limit} has passed, 'clientError' comes with the code ERR_HTTP_REQUEST_TIMEOUT: answer 408. Or does another limit cut it off before? IDLE_MS is 60000 here.`,
      expected,
      actual: 'the connection closed, no bytes',
      exchange,
    });
  }
  const answer = await answerOf(t, connection, exchange);
  answer.expectStatus(408, [
    {
      if: (a) => a.status === 400,
      diagnosis: 'time-out-answered-400',
      message: `A client that was too slow got 400, as if its request were malformed. The error in 'clientError' has the code ERR_HTTP_REQUEST_TIMEOUT then: that is a 408.`,
    },
  ]);
  if ((await connection.closed(700)) === 'open') {
    answer.fail({
      diagnosis: 'timed-out-left-open',
      message: 'After its 408 the server left the connection open.',
      expected,
      actual: 'the connection is still open',
    });
  }
}

/* ---- steps 6 and 7 ---- */

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const sha1 = (data: string | Buffer, encoding: 'base64' | 'hex' = 'base64'): string =>
  createHash('sha1').update(data).digest(encoding);

interface Handshake {
  target?: string;
  method?: string;
  key?: string | undefined;
  version?: string | undefined;
  upgrade?: string;
  connection?: string;
}

function handshake(t: Trial, options: Handshake = {}): string {
  const {
    target = '/echo',
    method = 'GET',
    upgrade = 'websocket',
    connection = 'Upgrade',
    ...rest
  } = options;
  const key = 'key' in rest ? rest.key : plainKey(t);
  const version = 'version' in rest ? rest.version : '13';
  return request(
    target,
    method,
    `Connection: ${connection}`,
    `Upgrade: ${upgrade}`,
    ...(key === undefined ? [] : [`Sec-WebSocket-Key: ${key}`]),
    ...(version === undefined ? [] : [`Sec-WebSocket-Version: ${version}`]),
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
    ...(method === 'GET' ? [] : ['Content-Length: 0']),
  );
}

/** A masked text frame, as a client sends it (RFC 6455, 5.2). */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  return Buffer.concat([
    Buffer.from([0x81, 0x80 | payload.length]),
    mask,
    payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)),
  ]);
}

/** The same text as the server sends it: not masked. */
const echoed = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, Buffer.byteLength(text)]), Buffer.from(text)]);

/** How a WebSocket was let in, to be shown with whatever goes wrong on it later. */
const handshakes = new WeakMap<Connection, Exchange>();

function handshakeOf(connection: Connection): Exchange {
  const exchange = handshakes.get(connection);
  if (!exchange) throw new Error('there was no handshake on this connection');
  return exchange;
}

/** A key of 16 bytes in base64 in which only letters and digits stand before the padding. */
const plainKey = (t: Trial): string => `${bytes(t, 11).toString('hex').slice(1)}A==`;

/** Random bytes, the same with the same seed. */
const bytes = (t: Trial, count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, () => t.int(0, 255)));

/**
 * Sends a handshake, and more in the same packet, and expects to be let in.
 * @param refused why another status came, where that is known
 */
async function shakeHands(
  t: Trial,
  options: Handshake = {},
  first: Buffer = Buffer.alloc(0),
  refused?: { diagnosis: string; message: string },
): Promise<Connection> {
  const key = options.key ?? plainKey(t);
  const connection = t.connect();
  await connection.write(Buffer.concat([Buffer.from(handshake(t, { ...options, key })), first]));
  const exchange = await connection.attempt();
  const expected = `101 with Upgrade: websocket, Connection: Upgrade and Sec-WebSocket-Accept: ${sha1(key + guid)}`;
  if (exchange.outcome === 'not-http' || (exchange.received.length > 0 && !exchange.message)) {
    t.fail({ ...malformed(exchange, 'the handshake'), expected });
  }
  if (exchange.outcome === 'no-answer') {
    t.fail({
      diagnosis: 'upgrade-left-hanging',
      message:
        "The handshake got no answer and the connection stays open. Once you listen for 'upgrade', the socket is yours: nobody else answers on it.",
      expected,
      actual: 'nothing; the connection is still open',
      exchange,
    });
  }
  const answer = exchange.message ? new Answer(exchange) : await answerOf(t, connection, exchange);
  handshakes.set(connection, exchange);
  answer.expectStatus(101, [
    ...(refused ? [{ if: () => true, ...refused }] : []),
    {
      if: (a) => a.status === 404,
      diagnosis: 'upgrade-not-heard',
      message:
        "The handshake was answered as an ordinary request, or its path was not recognised. Is there a listener for 'upgrade', and does it know /echo?",
    },
  ]);
  answer.expectHeader('Upgrade', /^websocket$/i);
  const agreed = answer.header('Connection');
  answer.expect(agreed !== undefined && /(^|,)\s*upgrade\s*(,|$)/i.test(agreed), {
    diagnosis: agreed === undefined ? 'missing-header' : 'wrong-header',
    message:
      'The 101 does not say Connection: Upgrade. With this field the server agrees to change the protocol of this connection; without it the client hangs up.',
    expected: 'Connection: Upgrade',
    actual: agreed === undefined ? 'no Connection' : `Connection: ${brief(agreed)}`,
  });
  for (const field of ['Content-Length', 'Transfer-Encoding']) {
    answer.expectNoHeader(field, [
      {
        if: () => true,
        diagnosis: 'length-in-101',
        message: `The 101 has a ${field}, and a 1xx response never has one (RFC 9110): it has no body, and what follows it is WebSocket.`,
      },
    ]);
  }
  const accept = answer.header('Sec-WebSocket-Accept');
  if (accept !== sha1(key + guid)) {
    const slips: [string, string, string][] = [
      [
        sha1(key + guid, 'hex'),
        'accept-in-hex',
        'The hash is right and written in hexadecimal; Sec-WebSocket-Accept is base64.',
      ],
      [
        sha1(key),
        'accept-without-guid',
        'Sec-WebSocket-Accept is the hash of the key alone: the fixed text of RFC 6455 belongs behind the key.',
      ],
      [
        key,
        'key-sent-back',
        'Sec-WebSocket-Accept is the key itself. It is the SHA-1 of the key and the fixed text, in base64.',
      ],
      [
        sha1(Buffer.concat([Buffer.from(key, 'base64'), Buffer.from(guid)])),
        'key-was-decoded',
        'The key was decoded before it was hashed. It is hashed as the text that came.',
      ],
      [
        sha1(guid + key),
        'accept-in-wrong-order',
        'The fixed text stands before the key; it belongs behind it.',
      ],
      [
        sha1(sha1(key + guid, 'hex')),
        'accept-in-hex',
        'The hash was written in hexadecimal before it became base64: digest("base64") makes it from the bytes.',
      ],
      [
        Buffer.from(sha1(key + guid, 'hex')).toString('base64'),
        'accept-in-hex',
        'The hash was written in hexadecimal before it became base64: digest("base64") makes it from the bytes.',
      ],
      [
        createHash('sha256')
          .update(key + guid)
          .digest('base64'),
        'accept-not-sha1',
        'Sec-WebSocket-Accept was made with SHA-256; RFC 6455 says SHA-1.',
      ],
      [
        createHash('md5')
          .update(key + guid)
          .digest('base64'),
        'accept-not-sha1',
        'Sec-WebSocket-Accept was made with MD5; RFC 6455 says SHA-1.',
      ],
      [
        createHash('sha1')
          .update(key + guid)
          .digest('base64url'),
        'accept-in-base64url',
        'Sec-WebSocket-Accept was written in base64url, which has other letters than base64 and no = at the end.',
      ],
      [
        sha1(key + guid.toLowerCase()),
        'wrong-accept',
        'The fixed text was written in small letters. It is hashed as it stands in RFC 6455, in capitals.',
      ],
    ];
    const slip = slips.find(([value]) => value === accept);
    answer.fail({
      diagnosis: slip?.[1] ?? (accept === undefined ? 'accept-missing' : 'wrong-accept'),
      message:
        slip?.[2] ??
        (accept === undefined
          ? 'The 101 has no Sec-WebSocket-Accept, so the client hangs up.'
          : 'Sec-WebSocket-Accept is not the one for this key. It is base64(SHA-1(key + the fixed text of RFC 6455)), for the key of this very request.'),
      expected: sha1(key + guid),
      actual: accept ?? '(none)',
    });
  }
  answer.expectNoHeader('Sec-WebSocket-Protocol', [
    {
      if: () => true,
      diagnosis: 'protocol-promised',
      message:
        'The 101 chooses a subprotocol (Sec-WebSocket-Protocol), and the client had offered none: a browser hangs up then (RFC 6455, 4.1). Leave the field out.',
    },
  ]);
  answer.expectNoHeader('Sec-WebSocket-Extensions', [
    {
      if: () => true,
      diagnosis: 'extensions-promised',
      message:
        'The client offered extensions, as every browser does, and the 101 accepts one. Its frames would have to be compressed then, and nobody here does that: leave the field out.',
    },
  ]);
  // What follows is no HTTP: it stays on the connection.
  return connection;
}

const occurrences = (bytes: Buffer, part: Buffer): number =>
  bytes.toString('latin1').split(part.toString('latin1')).length - 1;

/** Waits for a text that the server sends back in a frame. */
async function expectEcho(
  t: Trial,
  connection: Connection,
  text: string,
  failure: { diagnosis: string; message: string },
): Promise<void> {
  if (await connection.until((bytes) => bytes.includes(echoed(text)))) return;
  await t.settle();
  if (connection.state !== 'open' && failure.diagnosis === 'socket-not-passed-on') {
    t.fail({
      diagnosis: 'closed-after-101',
      message:
        'The 101 came, and then the server closed the connection. socket.end() is for a last word; here the conversation only begins.',
      expected: `a text frame with ${text}`,
      actual: brief(connection.received.toString('latin1')) || 'nothing; the connection is closed',
      exchange: handshakeOf(connection),
    });
  }
  const came = brief(connection.received.toString('latin1'));
  t.fail({
    ...failure,
    expected: `a text frame with ${text}`,
    actual: came
      ? `only what was sent back before: ${came}`
      : `nothing; the connection is ${connection.state === 'open' ? 'still open' : 'closed'}`,
    exchange: handshakeOf(connection),
  });
}

/** A client as a browser has it, where Node has it too: since 22. Gives what came back, or why nothing did. */
async function talkAsBrowser(port: number, text: string): Promise<string | undefined> {
  const { WebSocket } = globalThis as {
    WebSocket?: new (url: string) => EventTarget & { send(data: string): void; close(): void };
  };
  if (!WebSocket) return undefined;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  return new Promise((resolve) => {
    const timer = setTimeout(() => over('nothing within 2 s'), 2000);
    const over = (result: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    socket.addEventListener('open', () => socket.send(text));
    socket.addEventListener('message', (event) =>
      over(String((event as Event & { data: unknown }).data)),
    );
    socket.addEventListener('error', () => over('the client gave up'));
  });
}

interface Refusal {
  options: Handshake;
  statuses: number[];
  /** The request, as the subject of a sentence. */
  what: string;
  diagnosis: string;
  why: string;
  /** The status that the request has without its Upgrade, where that is right as well. */
  ordinary?: number;
  /** Whether the answer must name the version that would do. */
  offers?: boolean;
}

/** Refused means: this status, whole, and the connection closed. */
async function expectTurnedAway(
  t: Trial,
  { options, statuses, what, diagnosis, why, ordinary, offers }: Refusal,
): Promise<void> {
  const connection = t.connect();
  await connection.write(handshake(t, options));
  const exchange = await connection.attempt({
    method: options.method ?? 'GET',
    target: options.target ?? '/echo',
  });
  const expected = `status ${statuses.join(' or ')}, and the connection closed${ordinary ? `; or the ordinary ${ordinary}` : ''}`;
  if (exchange.outcome === 'not-http' || (exchange.received.length > 0 && !exchange.message)) {
    t.fail({ ...malformed(exchange, what.replace(/^A/, 'a')), expected });
  }
  if (exchange.outcome === 'no-answer' || exchange.outcome === 'response-never-ended') {
    t.fail({
      diagnosis: 'upgrade-left-hanging',
      message: `${what} ${exchange.outcome === 'no-answer' ? 'got no answer' : 'got an answer without an end'} and was left open. Whatever asks for an upgrade gets an answer, or at least a closed socket.`,
      expected,
      actual: exchange.note ?? 'nothing; the connection is still open',
      exchange,
    });
  }
  if (await closedSilently(t, exchange)) {
    t.fail({
      diagnosis: 'refused-without-a-word',
      message: `${what} was cut off without an answer. ${why}`,
      expected,
      actual: 'the connection closed, no bytes',
      exchange,
    });
  }
  const answer = await answerOf(t, connection, exchange);
  if (answer.status === ordinary) return;
  answer.expect(statuses.includes(answer.status), {
    diagnosis,
    message: `${what} got ${answer.status}. ${why}`,
    expected,
    actual: `status ${answer.status} ${answer.reason}`,
  });
  if ((await connection.closed(700)) === 'open') {
    answer.fail({
      diagnosis: 'refused-left-open',
      message: `${what} was refused, but its socket was left open. Nobody reads it any more: end it.`,
      expected,
      actual: 'the connection is still open',
    });
  }
  const named = (field: string): string => {
    const value = answer.header(field);
    return value === undefined ? `no ${field}` : `${field}: ${brief(value)}`;
  };
  if (ordinary !== undefined) {
    answer.expect(/^websocket$/i.test(answer.header('Upgrade') ?? ''), {
      diagnosis: 'no-upgrade-offered',
      message:
        'A 426 says in its header field Upgrade which protocol the server does speak (RFC 9110, 15.5.22).',
      expected: 'Upgrade: websocket',
      actual: named('Upgrade'),
    });
  }
  if (offers) {
    answer.expect(/(^|[\s,])13($|[\s,])/.test(answer.header('Sec-WebSocket-Version') ?? ''), {
      diagnosis: 'no-version-offered',
      message:
        'The refusal does not say which version would do: Sec-WebSocket-Version: 13 (RFC 6455, 4.4).',
      expected: 'Sec-WebSocket-Version: 13',
      actual: named('Sec-WebSocket-Version'),
    });
  }
}

/** After an upgrade, and a reset. */
const expectNobodyDied = (t: Trial, guilty: Exchange, what: string): Promise<void> =>
  expectSurvived(
    t,
    guilty,
    'reset-stops-server',
    `${what}, and then its client reset the connection: the whole server died of it. Node has taken its own listeners off that socket, refused or not: listen for 'error' on it, before anything else.`,
  );

export default suite(
  '10-server-events',
  {
    async 'Print the order of events'(t) {
      const program = await t.start();
      const own = t.on(program);
      // Asked as soon as it listens: by then it has said so.
      const early = own.connect();
      await early.write(request('/', 'GET', 'Connection: close'));
      await early.closed();
      const events = (): string[] => eventsIn(program.stdout);
      const count = (name: string): number => events().filter((event) => event === name).length;
      // Whether a program without a witness listens was found out by a connection: that one has to be gone.
      const probes = program.options.trusted ? 1 : 2;
      const each = ['request', 'response finish', 'response close'];
      // In whatever order they are printed, nothing of what is over comes later.
      const allPrinted = (): boolean =>
        count('connection') === count('connection close') &&
        each.every((name) => count(name) > 0 && count(name) === count('request'));
      await program.when(
        () => count('listening') > 0 && count('connection') >= probes && allPrinted(),
        300,
      );
      const before = events().length;

      const connection = own.connect();
      (await ask(connection, `/?${t.word()}`)).expectStatus(200);
      const second = await ask(connection, `/${t.word()}`, 'Connection: close');
      await connection.closed();
      const expected = ['connection', ...each, ...each, 'connection close'];
      // When one more request has come, everything about the two before it has been printed.
      await own.get('/');
      const third = (): number => {
        const requests = events().flatMap((event, index) =>
          event === 'request' && index >= before ? [index] : [],
        );
        return requests[2] ?? -1;
      };
      await program.when(() => third() >= 0, 400);
      const seen = events().slice(before, third() < 0 ? undefined : third());
      if (third() >= 0 && seen.at(-1) === 'connection') seen.pop();
      await program.when(allPrinted, 300);
      const all = events().length - before;
      const both = {
        expected: expected.join('\n'),
        actual: shown(seen),
        exchange: second.exchange,
      };
      const times = (name: string): number => seen.filter((event) => event === name).length;
      const missing = ['listening', ...expected].find((name) => !events().includes(name));
      const near = missing && nearly(program.stdout, events().length === 0 ? known : [missing]);
      if (near) {
        t.fail({
          diagnosis: 'event-line-differs',
          message:
            'The program prints a line that is nearly right. Each line is "event:", one blank and the name, in small letters and with nothing behind it.',
          ...both,
          expected: `event: ${nameIn(near)}`,
          actual: near,
        });
      }
      if (events().length === 0) {
        t.fail({
          diagnosis: eventsIn(program.stderr).length > 0 ? 'events-on-stderr' : 'no-events',
          message:
            eventsIn(program.stderr).length > 0
              ? 'The events went to standard error. Print them on standard output: console.log.'
              : 'Two requests came on one connection, and the program printed no line "event: NAME".',
          ...both,
        });
      }
      if (missing !== undefined) {
        t.fail({
          diagnosis: 'event-missing',
          message: `Two requests were answered on one connection, which was then closed, and "event: ${missing}" was never printed.`,
          ...both,
          expected: `event: ${missing}`,
          actual: shown(events()),
        });
      }
      const asked = count('request');
      t.check(third() >= 0 || asked >= 4, {
        diagnosis: 'event-missing',
        message: `Four requests were answered, and "event: request" was printed ${asked === 1 ? 'once' : `${asked} times`}. It comes for every request; a listener added with once hears only the first.`,
        ...both,
        expected: 'event: request, for each request',
        actual: shown(events()),
      });
      const disorder = {
        diagnosis: 'events-out-of-order',
        message:
          'The events were printed in another order than they happen in. Print each one in its own listener, at once.',
        ...both,
      };
      // As many lines as three requests on two connections make, and yet in the wrong places.
      t.check(
        seen.length === expected.length || all !== expected.length + each.length + 2,
        disorder,
      );
      // No connection closes before its first request.
      const closed = seen.indexOf('connection close');
      t.check(closed < 0 || closed > seen.indexOf('request'), disorder);
      t.check(times('connection') > 0, {
        diagnosis: 'event-missing',
        message:
          'A connection carried two requests, and no "event: connection" was printed for it, but for another one before it. It comes for every connection; a listener added with once hears only the first.',
        ...both,
      });
      t.check(times('connection') === 1, {
        diagnosis: 'connection-for-each-request',
        message: `"event: connection" was printed ${times('connection')} times for one connection that carried two requests. 'connection' is an event of the server, and comes once.`,
        ...both,
      });
      t.check(
        times('connection close') === 1 &&
          times('response close') === 2 &&
          times('response finish') === 2 &&
          times('request') === 2,
        {
          diagnosis: 'listener-added-again',
          message:
            'One connection carried two requests: each request, answer and close happens once. Is a listener added to the socket with every request, or to the response twice?',
          ...both,
        },
      );
      t.check(times('close') === 0, {
        diagnosis: 'close-too-early',
        message:
          '"event: close" was printed although the server still listens: it stands for the close event of the server, not of a response or a connection.',
        ...both,
      });
      t.check(seen.join() === expected.join(), disorder);

      const [finished, closes] = [count('response finish'), count('response close')];
      const cut = { exchange: await leave(await beginSlow(own, '/slow?ms=60000')) };
      await program.when(() => count('response close') > closes || program.exit !== null, 500);
      await own.settle();
      t.check(count('response close') > closes, {
        diagnosis: 'event-missing',
        message:
          'A client left in the middle of its answer, and no "event: response close" was printed: it comes for every response, whole or not.',
        expected: 'event: response close',
        actual: shown(events().slice(-4)),
        ...cut,
      });
      await program.when(() => count('connection') === count('connection close'), 500);
      t.check(count('connection') === count('connection close'), {
        diagnosis: 'event-missing',
        message:
          "A client reset its connection, and no \"event: connection close\" was printed. A socket's 'close' always comes; 'end' comes only when the client says goodbye.",
        expected: 'event: connection close',
        actual: shown(events().slice(-4)),
        ...cut,
      });
      t.check(count('response finish') === finished, {
        diagnosis: 'finish-without-end',
        message:
          'A client left in the middle of its answer, and "event: response finish" was printed: it was never finished. Which event is that line printed for?',
        expected: 'no response finish for an answer that was cut',
        actual: shown(events().slice(-4)),
        ...cut,
      });

      // A client that never asks for anything has a connection all the same.
      const opened = count('connection');
      const silent = own.connect();
      await silent.opened();
      silent.end();
      await program.when(() => count('connection') > opened, 500);
      const unasked = {
        diagnosis: 'event-missing',
        actual: shown(events().slice(-4)),
        exchange: undefined,
      };
      t.check(count('connection') > opened, {
        ...unasked,
        message:
          'A client opened a connection and closed it without a request, and no "event: connection" was printed. \'connection\' is an event of the server: it comes before the first request, and also where none comes.',
        expected: 'event: connection',
      });
      await program.when(() => count('connection') === count('connection close'), 500);
      t.check(count('connection') === count('connection close'), {
        ...unasked,
        message:
          'A client opened a connection and closed it without a request, and no "event: connection close" was printed. Every socket has its \'close\', also where no request came on it.',
        expected: 'event: connection close',
        actual: shown(events().slice(-4)),
      });

      // The server closes while an answer is on the way: its connection is the last one.
      const last = await beginSlow(own, '/slow?ms=60000');
      (await own.send({ method: 'POST', target: '/close' })).expectStatus(200);
      await own.settle();
      t.check(count('close') === 0, {
        diagnosis: 'close-too-early',
        message:
          '"event: close" was printed while a connection was still open. The close event of the server comes when server.close() was called and the last connection has ended.',
        expected: 'no event: close yet',
        actual: shown(events().slice(-4)),
      });
      last.reset();
      await program.when(() => program.exit !== null, 1500);
      await program.when(() => count('close') > 0, 100);
      t.check(count('close') === 1, {
        diagnosis: count('close') === 0 ? 'event-missing' : 'listener-added-again',
        message: `POST /close closes the server, and "event: close" was printed ${count('close')} times. It comes once, when the server no longer listens and the last connection has ended.`,
        expected: 'event: close, once',
        actual: shown(events().slice(-6)),
      });
      t.check(count('listening') === 1, {
        diagnosis: 'listener-added-again',
        message: `"event: listening" was printed ${count('listening')} times. A server begins to listen once.`,
        expected: 'event: listening, once',
        actual: shown(events()),
      });

      const asSoon = events();
      t.check(asSoon[0] === 'listening', {
        diagnosis: 'events-out-of-order',
        message: `A client connected as soon as the server listened, and "event: ${asSoon[0]}" stands before "event: listening". Print each line in its own listener, at once: not from a timer, and not later.`,
        expected: 'event: listening, before all others',
        actual: shown(asSoon.slice(0, 3)),
        exchange: undefined,
      });

      const copy = await t.start({ env: { HOST: foreignAddress }, expectListening: false });
      const elsewhere = (): boolean => copy.stdout.includes('Server listening'); // Step 4 has that.
      await copy.when(() => copy.exit !== null || elsewhere(), 1500);
      const heard = eventsIn(copy.stdout);
      for (const name of ['listening', 'close']) {
        t.check(!heard.includes(name) || elsewhere(), {
          diagnosis: `${name}-not-heard`,
          message: `A second copy was started with HOST=${foreignAddress}, which is not this machine. It cannot listen there, and it printed "event: ${name}" all the same. Print that line in a listener for this event of the server${name === 'listening' ? ', not when your function is called' : '; that the program ends is another event'}.`,
          expected: `no event: ${name} where the server never listens`,
          actual: shown(heard),
          exchange: undefined,
        });
      }
    },

    async 'Log a request when it is over'(t) {
      const { program } = t;
      const missing = `/${t.word()}/%41/../b?x=${t.int(10, 99)}%20`;
      const notFound = await t.get(missing);
      const first = await logLine(t, 'GET', missing, '404 1 ms', notFound.exchange);
      t.check(first.status === '404', {
        diagnosis: first.status === '200' ? 'status-too-early' : 'wrong-status-logged',
        message:
          first.status === '200'
            ? 'The line says 200, and the answer was 404: res.statusCode was read before the handler had set it. Read it when the response is over.'
            : `The line says ${first.status}, and the answer was 404.`,
        expected: `GET ${missing} 404 1 ms`,
        actual: first.text,
      });

      // A slow one, and a few quick ones on other connections meanwhile.
      const target = `/slow?ms=80&for=${t.word()}`;
      const began = performance.now();
      const slow = await beginSlow(t, target);
      const answered = slow.answer({ method: 'GET', target });
      let over = false;
      void answered.then(
        () => (over = true),
        () => (over = true),
      );
      let askedSince = 0; // Quick ones that were answered after the line was there and before the slow one was over.
      for (let n = 0; n < 40 && !over; n++) {
        const there = logged(program, 'GET', target).length > 0;
        await t.get(`/?${n}`);
        if (there && !over) askedSince += 1;
        await program.when(() => over, 15);
      }
      const slowAnswer = await answered;
      slowAnswer.expectStatus(200);
      const { exchange } = slowAnswer;
      const line = await logLine(t, 'GET', target, '200 81 ms', exchange);
      // However late the program came to print it, no time in it is longer than this.
      const took = performance.now() - began;
      const expected = `GET ${target} 200 ${Math.round(took)} ms`;
      t.check(line.status === '200', {
        diagnosis: 'wrong-status-logged',
        message: `The line says ${line.status}, and the answer was 200, whole.`,
        expected,
        actual: line.text,
        exchange,
      });
      if (line.ms < 70 || line.ms > took + 200) {
        const seconds = line.ms >= 0.07 && line.ms * 1000 <= took + 200;
        const quick = line.ms < 70;
        const early = quick && (askedSince > 1 || (await loggedWhileOpen(t)));
        const nothing = line.ms < 1; // Which of several slips it was, can't be seen.
        t.fail({
          diagnosis: seconds
            ? 'time-in-seconds'
            : early
              ? 'logged-too-early'
              : nothing
                ? 'time-too-short'
                : quick
                  ? 'start-time-shared'
                  : 'wrong-time-logged',
          message: seconds
            ? 'The time is in seconds; it must be in milliseconds.'
            : early
              ? 'The line was printed while the answer was still on the way. The response tells when it is over.'
              : nothing
                ? `The answer took more than 80 ms and the line says ${line.ms}. Is the line printed before the answer is over, is the time in seconds, or is the start kept in a variable that all requests share?`
                : quick
                  ? 'The answer took more than 80 ms and the line says less. Other requests came meanwhile: is the time of the start kept in a variable that all requests share?'
                  : line.ms > 1e12
                    ? 'The time in the line is the time of day. It must be what has passed since the request came.'
                    : line.ms >= 70_000 && line.ms <= (took + 200) * 1000
                      ? 'The time in the line is about a thousand times what the request took: it looks like microseconds. It must be in milliseconds.'
                      : 'The time in the line is longer than the request took.',
          expected,
          actual: line.text,
          exchange,
        });
      }

      const abandoned = `/slow?ms=60000&for=${t.word()}`;
      const cut = await leave(await beginSlow(t, abandoned));
      await program.when(() => logged(program, 'GET', abandoned).length > 0, 500);
      t.check(program.stdout.includes(abandoned), {
        diagnosis: 'aborted-not-logged',
        message:
          "A client left in the middle of its answer, and no line was printed for it. 'finish' comes only for an answer that was sent to its end; 'close' always comes.",
        expected: `GET ${abandoned} aborted 3 ms`,
        actual: '(no such line)',
        exchange: cut,
      });
      const aborted = await logLine(
        t,
        'GET',
        abandoned,
        'aborted 3 ms',
        cut,
        ', whose client left in the middle of its answer',
      );
      t.check(aborted.status === 'aborted', {
        diagnosis: 'aborted-logged-as-answered',
        message:
          'A client got the first line of its answer and left before the last one came. The log line shows a status, as if the whole answer had been sent. res.writableFinished says whether it was.',
        expected: `GET ${abandoned} aborted 3 ms`,
        actual: aborted.text,
        exchange: cut,
      });

      // Another one leaves before its answer has begun.
      const halfSent = `/upload?for=${t.word()}`;
      const half = t.connect();
      await half.write(`${request(halfSent, 'POST', 'Content-Length: 9')}abc`);
      await t.get('/');
      await t.get('/');
      const gone = await leave(half);
      const early = await logLine(
        t,
        'POST',
        halfSent,
        'aborted 3 ms',
        gone,
        ', whose client left before its answer had begun',
      );
      t.check(early.status === 'aborted', {
        diagnosis: 'aborted-logged-as-answered',
        message:
          'A client sent a part of its body and left, before any answer had begun. The log line shows a status, as if an answer had been sent.',
        expected: `POST ${halfSent} aborted 3 ms`,
        actual: early.text,
        exchange: gone,
      });

      // Two on one connection, of another method.
      const connection = t.connect();
      for (const path of [`/${t.word()}`, '/upload']) {
        const sent = `${path}?y=${t.word()}`;
        await connection.write(`${request(sent, 'POST', 'Content-Length: 3')}abc`);
        const answer = await connection.answer({ method: 'POST', target: sent });
        const status = path === '/upload' ? '200' : '404';
        answer.expectStatus(Number(status));
        const post = await logLine(t, 'POST', sent, `${status} 1 ms`, answer.exchange);
        t.check(post.status === status, {
          diagnosis: 'wrong-status-logged',
          message: `The line says ${post.status}, and the answer was ${status}.`,
          expected: `POST ${sent} ${status} 1 ms`,
          actual: post.text,
        });
      }

      // A quick one behind a slow one, on the same connection.
      (await ask(connection, `/slow?ms=120&for=${t.word()}`)).expectStatus(200);
      const sent = performance.now();
      const behind = `/${t.word()}?z=1`;
      const quick = await ask(connection, behind);
      const short = await logLine(t, 'GET', behind, '404 1 ms', quick.exchange);
      const since = Math.round(performance.now() - sent);
      t.check(short.ms <= since + 20, {
        diagnosis: 'start-time-shared',
        message:
          'A second request came on a connection whose first had taken long, and its line says more than the time since it was sent. Is the time of the start kept with the connection? It belongs to the request.',
        expected: `GET ${behind} 404 ${since} ms, or less`,
        actual: short.text,
      });
    },

    async 'Count and limit connections'(t) {
      await inOrder(countsThem(t), limitsThem(t));
    },

    async 'Handle both kinds of error'(t) {
      const word = t.word();
      const garbage: [what: string, bytes: string][] = [
        ['a line that is no request', `${word}\r\n\r\n`],
        ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
        ['a header field with a blank in its name', request('/', 'GET', `${word} x: 1`)],
        [
          'a chunked body with a bad chunk size',
          `${request('/upload', 'POST', 'Transfer-Encoding: chunked')}zz\r\n`,
        ],
      ];
      await inOrder(
        refusesGarbage(t, garbage, word),
        expectPortTaken(t),
        expectOtherErrorsThrown(t),
      );
    },

    async 'Limit the time of silence'(t) {
      const [idle, halves] = await Promise.all([
        t.start({ env: { IDLE_MS: '100' } }),
        t.start({ env: { IDLE_MS: '60000', HEADERS_MS: '120', REQUEST_MS: '150' } }),
      ]);
      const [onIdle, onHalves] = [t.on(idle), t.on(halves)];

      const silent = async (): Promise<void> => {
        const connection = onIdle.connect();
        await connection.opened();
        if ((await connection.closed(1500)) !== 'open') return;
        t.fail({
          diagnosis: 'silent-left-open',
          message:
            'IDLE_MS is 100, and a connection that has never sent a byte is still open after 1.5 s. Browsers open such spare connections, and so do those who want to wear a server out.',
          expected: 'closed after 100 ms',
          actual: 'open',
          exchange: undefined,
        });
      };

      /** A slow answer, to the first request on a connection or to the second. */
      const busy = async (...before: string[]): Promise<void> => {
        const exchange = await hurried(onIdle, '/slow?ms=150', ...before);
        if (exchange.outcome === 'answered' || (await died(onIdle))) return;
        t.fail({
          diagnosis: 'busy-connection-cut',
          message:
            'IDLE_MS is 100, and an answer that takes 150 ms was cut in the middle. Nothing moved on the wire, but the connection was not idle: its answer was on the way.',
          expected: 'first\nlast\n',
          actual: exchange.message?.body.toString() || inWords(exchange),
          exchange,
        });
      };

      /** After an answer: announced, or else shown. */
      const kept = async (): Promise<void> => {
        const answer = await inTime(onHalves, '/');
        if (/\btimeout=60\b/.test(answer.header('Keep-Alive') ?? '')) return;
        const connection = onIdle.connect();
        await connection.write(request('/'));
        await connection.attempt({ method: 'GET', target: '/' });
        if ((await connection.closed(2500)) !== 'open') return;
        answer.fail({
          diagnosis: 'kept-alive-too-long',
          message:
            'IDLE_MS is 100, and a connection is still open 2.5 s after its last answer. keepAliveTimeout is the limit for that.',
          expected: 'closed within IDLE_MS and the second that Node adds',
          actual: `open; Keep-Alive: ${answer.header('Keep-Alive') ?? '(none)'}`,
        });
      };

      await inOrder(
        expectLimits(onIdle, 'IDLE_MS=100', {
          headersTimeout: 60_000,
          requestTimeout: 300_000,
          keepAliveTimeout: 100,
        }),
        expectLimits(onHalves, 'HEADERS_MS=120, REQUEST_MS=150 and IDLE_MS=60000', {
          headersTimeout: 120,
          requestTimeout: 150,
          keepAliveTimeout: 60_000,
        }),
        expectTimedOut(onHalves, 'GET / HTTP/1.1\r\nHost: localhost\r\nX-', 'headersTimeout'),
        expectTimedOut(
          onHalves,
          `${request('/upload', 'POST', 'Content-Length: 9')}abc`,
          'requestTimeout',
        ),
        silent(),
        busy(),
        busy('/'),
        kept(),
      );
    },

    async 'Shake hands with a WebSocket'(t) {
      await inOrder(speaksWebSocket(t), staysOpenInSilence(t));
    },

    async 'Refuse every other upgrade'(t) {
      const [ordinary, ordinaryEcho] = [await t.get('/'), await t.get('/echo')];
      const word = t.word();
      const otherProtocol =
        'Look at the whole value of the header field Upgrade: not every upgrade is a WebSocket.';
      const badKey = 'Without a key of 16 bytes in base64 there is no handshake: 400.';
      const otherVersion = 'Only version 13 is spoken: 426, with Sec-WebSocket-Version: 13.';
      const cases: Refusal[] = [
        {
          options: {
            target: '/',
            upgrade: 'h2c',
            connection: 'Upgrade, HTTP2-Settings',
            key: undefined,
            version: undefined,
          },
          statuses: [426],
          what: 'A request with Upgrade: h2c, as curl --http2 sends it,',
          diagnosis: 'other-protocol-accepted',
          why: 'It asks for a protocol that you do not speak: 426, or the answer that it would get without its Upgrade.',
          ordinary: ordinary.status,
        },
        ...[`${word}/1`, 'not-websocket', 'websockets'].map((upgrade) => ({
          options: { upgrade },
          statuses: [426],
          what: `A request with Upgrade: ${upgrade}`,
          diagnosis: 'other-protocol-accepted',
          why: otherProtocol,
          ordinary: ordinaryEcho.status,
        })),
        ...[`/${word}`, '/echo/', '/', `/echo${word}`, `/${word}/echo`, '/ECHO', '//'].map(
          (target) => ({
            options: { target },
            statuses: target === '//' ? [400, 404] : [404],
            what: `A WebSocket handshake for ${target}`,
            diagnosis: 'path-not-checked',
            why: 'Only /echo takes WebSockets; another path is 404.',
          }),
        ),
        {
          options: { key: undefined },
          statuses: [400],
          what: 'A handshake without Sec-WebSocket-Key',
          diagnosis: 'key-not-checked',
          why: badKey,
        },
        ...[
          word,
          bytes(t, 20).toString('base64'),
          `${'*'.repeat(22)}==`,
          bytes(t, 15).toString('base64'),
        ].map((key) => ({
          options: { key },
          statuses: [400],
          what: `A handshake with the key ${key}`,
          diagnosis: 'key-not-checked',
          why: badKey,
        })),
        {
          options: { method: 'POST' },
          statuses: [400],
          what: 'A handshake with the method POST',
          diagnosis: 'method-not-checked',
          why: 'A handshake is a GET (RFC 6455, 4.1): 400.',
        },
        ...['8', '14', '113', '130', '13x'].map((version) => ({
          options: { version },
          statuses: [426],
          what: `A handshake with Sec-WebSocket-Version: ${version}`,
          diagnosis: 'version-not-checked',
          why: otherVersion,
          offers: true,
        })),
        {
          options: { version: undefined },
          statuses: [426],
          what: 'A handshake without Sec-WebSocket-Version',
          diagnosis: 'version-not-checked',
          why: otherVersion,
          offers: true,
        },
      ];
      // Two things wrong at once: the first in the order of the list decides.
      const inThatOrder: Refusal[] = (
        [
          [
            { target: `/${word}`, version: '8' },
            404,
            `for /${word} with Sec-WebSocket-Version: 8`,
            'The path is looked at before the version: 404.',
          ],
          [
            { target: `/${word}`, key: undefined },
            404,
            `for /${word} without a key`,
            'The path is looked at before the key: 404.',
          ],
          [
            { method: 'POST', version: '8' },
            400,
            'with the method POST and Sec-WebSocket-Version: 8',
            'The method is looked at before the version: 400.',
          ],
          [
            { key: word, version: '8' },
            400,
            `with the key ${word} and Sec-WebSocket-Version: 8`,
            'The key is looked at before the version: 400.',
          ],
        ] as const
      ).map(([options, status, what, why]) => ({
        options,
        statuses: [status],
        what: `A WebSocket handshake ${what}`,
        diagnosis: 'refused-in-another-order',
        why,
      }));
      await t.each([...cases, ...inThatOrder], expectTurnedAway);

      // Refused, and then a reset: nobody may die of that either.
      const refusedAlso: [Handshake, string][] = [
        [{ target: `/${word}` }, `A WebSocket handshake for /${word} was refused`],
        [{ upgrade: 'h2c' }, 'A request with Upgrade: h2c was refused'],
        [{ key: undefined }, 'A handshake without Sec-WebSocket-Key was refused'],
      ];
      let last: [Exchange, string] | undefined;
      for (const [options, what] of refusedAlso) {
        const connection = t.connect();
        await connection.write(handshake(t, options));
        const exchange = await connection.attempt();
        connection.reset();
        const hasty = t.connect();
        await hasty.write(handshake(t, options));
        hasty.reset();
        last = [exchange, what];
        await expectNobodyDied(t, ...last);
      }
      // What the last reset did may only come to light after that answer.
      if (last) await expectNobodyDied(t, ...last);

      // Those who ask properly are let in, in upper or lower case.
      const proper: [Handshake, string][] = [
        [
          { upgrade: 'WebSocket', connection: 'keep-alive, Upgrade' },
          'In the value of Upgrade upper and lower case make no difference: "WebSocket" is the same.',
        ],
        [{ target: `/echo?${word}=1` }, 'The query string is not part of the path.'],
        [
          { key: `${'+/'.repeat(10)}+w==` },
          'Its key holds + and /, which are letters of base64 like others.',
        ],
      ];
      for (const [options, why] of proper) {
        await shakeHands(t, options, textFrame(word), {
          diagnosis: 'right-handshake-refused',
          message: `A right handshake was refused. ${why}`,
        });
      }
    },
  },
  { copies: 8 },
);

/* ---- step 3, its two halves ---- */

async function countsThem(t: Trial): Promise<void> {
  const connection = t.connect();
  const base = await untilOpen(t, connection, 1, 'although this is the only connection');
  const requests = t.int(11, 14); // More than the ten listeners that Node takes without a warning.
  for (let n = 0; n < requests; n++) await ask(connection, '/');
  const after = await countsOn(connection);
  const actual = `${after.requests - base.requests} requests and ${after.connections - base.connections} connections more`;
  const expected = `${requests + 1} requests and 0 connections more`;
  t.check(after.connections === base.connections, {
    diagnosis: 'connections-counted-per-request',
    message: `${requests + 1} requests came on a connection that was open already, and connections went up. One connection carries many requests.`,
    expected,
    actual,
  });
  t.check(after.requests === base.requests + requests + 1, {
    diagnosis:
      after.requests === base.requests ? 'requests-counted-as-connections' : 'requests-miscounted',
    message:
      after.requests === base.requests
        ? `${requests + 1} requests came on a connection that was open already, and requests did not go up. 'connection' comes once for a connection; 'request' comes for each request.`
        : `${requests + 1} requests came on one connection, and requests went up by ${after.requests - base.requests}.`,
    expected,
    actual,
  });
  const [warning] = /\d+ \w+ listeners added to \[Socket\].*/.exec(t.program.stderr) ?? [];
  t.check(warning === undefined, {
    diagnosis: 'socket-listener-added-again',
    message: `${requests + 1} requests came on one connection, and Node warns that its socket has more and more listeners: with each request one is added, and none ever goes. A socket lives longer than a request: listen to it once, in 'connection', or to the response.`,
    expected: 'no warning on standard error',
    actual: brief(warning ?? '', 200),
    exchange: undefined,
  });
  const [second, third] = [t.connect(), t.connect()];
  await ask(second, '/');
  await third.opened(); // It counts before it has asked for anything.
  const three = await untilOpen(
    t,
    connection,
    3,
    'with three connections open, one of them without a request so far',
  );
  t.check(three.connections === base.connections + 2, {
    diagnosis: 'connections-miscounted',
    message: `Two further connections were opened, and connections went up by ${three.connections - base.connections}. It counts all that were let in, and never goes down.`,
    expected: `connections: ${base.connections + 2}`,
    actual: `connections: ${three.connections}`,
  });
  second.reset();
  third.end();
  const one = await untilOpen(
    t,
    connection,
    1,
    'after one of three connections was reset and one ended',
  );
  t.check(one.connections === base.connections + 2, {
    diagnosis: 'connections-miscounted',
    message:
      'connections went down when connections were closed. It counts all that were let in since the start; open is what goes down.',
    expected: `connections: ${base.connections + 2}`,
    actual: `connections: ${one.connections}`,
  });
}

/** A copy that lets three connections of one client in. */
async function limitsThem(t: Trial): Promise<void> {
  const program = await t.start({ env: { MAX_CONNECTIONS: '3', IDLE_MS: '60000' } });
  const limited = t.on(program);
  const refusedTooEarly = (nth: string) => ({
    diagnosis: 'limit-too-low',
    message: `MAX_CONNECTIONS is 3, and a client was refused its ${nth} connection. Three are allowed; the fourth is not.`,
  });
  const mine = limited.connect();
  const fresh = await countsOn(mine);
  // A program without a witness has been tried with a connection.
  const probes = program.options.trusted ? 0 : 1;
  t.check(fresh.requests !== 0 || fresh.connections === 0, {
    diagnosis: 'requests-miscounted',
    message:
      'The very first request asked for the counts, and requests is 0: the one that asks counts too. Count a request when it comes, not when its answer is over.',
    expected: '{"open":1,"connections":1,"requests":1}',
    actual: JSON.stringify(fresh),
  });
  t.check(fresh.requests <= 1 && fresh.connections <= 1 + probes, {
    diagnosis: 'count-begins-wrong',
    message:
      'The very first request asked for the counts, and they are higher than one connection and one request. The counts begin at 0.',
    expected: '{"open":1,"connections":1,"requests":1}',
    actual: JSON.stringify(fresh),
  });
  await untilOpen(limited, mine, 1, 'although this is the only connection');
  const second = await letIn(limited, refusedTooEarly('second'));
  const last = await letIn(limited, refusedTooEarly('third'));
  for (let n = 0; n < 5; n++) {
    await mine.write(request('/'));
    const exchange = await mine.attempt();
    if (exchange.outcome !== 'answered') {
      t.fail({
        diagnosis: 'limit-counts-requests',
        message:
          'A client holds three connections, as many as MAX_CONNECTIONS allows, and goes on asking on the first of them: there it was cut off. The limit is for connections; one of them may carry any number of requests.',
        expected: 'status 200',
        actual: inWords(exchange),
        exchange,
      });
    }
  }
  const { connections, requests } = await countsOn(mine);
  const asked = asks.get(mine) ?? 0;
  await refusedOne(limited, '', [mine, second, last]);
  for (let n = 0; n < 2; n++) {
    await refusedOne(
      limited,
      ' Another one before it was refused, as it should be. Does a refused connection give back a place that it never had?',
    );
  }
  await refusedInSilence(limited);
  const full = await untilOpen(
    limited,
    mine,
    3,
    'while three connections are open and four more were refused',
  );
  t.check(full.connections === connections, {
    diagnosis: 'refused-counted',
    message: `Four connections were refused, and connections went up by ${full.connections - connections}. It counts those that were let in; socket.destroy() ends the socket, not your function.`,
    expected: `connections: ${connections}`,
    actual: `connections: ${full.connections}`,
  });
  const more = (asks.get(mine) ?? 0) - asked;
  t.check(full.requests === requests + more, {
    diagnosis: 'refused-counted',
    message: `Four connections were refused, and what they asked was counted in requests. A socket that is only ended is still read: destroy it.`,
    expected: `requests: ${requests + more}`,
    actual: `requests: ${full.requests}`,
  });
  const notGivenBack = {
    diagnosis: 'place-not-given-back',
    message:
      'A client held three connections and was refused more. Then some of the three were closed and others opened, and one of those was refused as well. Either a connection that closes does not give its place back, or the refused ones have taken places.',
  };
  if (process.platform === 'linux') {
    // Only there has a machine a second address on the loopback without being told to.
    const other = limited.connect('127.0.0.2');
    await other.write(request('/'));
    const exchange = await other.attempt();
    if (exchange.outcome !== 'answered') {
      // Or is it all that ever came that is limited?
      last.reset();
      await untilOpen(limited, mine, 2, 'after one of three connections was reset');
      await letIn(limited, notGivenBack);
    }
    t.check(exchange.outcome === 'answered', {
      diagnosis: 'limit-for-all-clients',
      message:
        'One client holds three connections, and now another client, with another address, is refused as well. The limit is for each client address: socket.remoteAddress.',
      expected: 'status 200 for a client at 127.0.0.2',
      actual: inWords(exchange),
      exchange,
    });
    other.reset();
    await untilOpen(limited, mine, 3, 'after the other client has left');
  }
  last.reset();
  await untilOpen(limited, mine, 2, 'after one of three connections was reset');
  const again = await letIn(limited, notGivenBack);
  // All but one of them go: that one still counts.
  for (const connection of [again, second]) connection.end();
  await untilOpen(limited, mine, 1, 'after two of three connections were ended');
  await letIn(limited, notGivenBack);
  await letIn(limited, notGivenBack);
  await refusedOne(
    limited,
    ' Before that two of three were closed, and two others opened: the one that had stayed open counts as well.',
  );
}

/* ---- step 4, what comes over the wire ---- */

async function refusesGarbage(
  t: Trial,
  garbage: [what: string, bytes: string][],
  word: string,
): Promise<void> {
  await t.each(garbage, async (part, [what, bytes]) => {
    const connection = part.connect();
    await connection.write(bytes);
    await expectRefused(part, connection, 400, what);
  });
  const large = t.connect();
  await large.write(request('/', 'GET', `X-Large: ${word.repeat(3000)}`));
  await expectRefused(t, large, 431, 'a head that is too large', [
    {
      if: (a) => a.status === 400,
      diagnosis: 'overflow-answered-400',
      message:
        'A head that is too large got 400. The error has the code HPE_HEADER_OVERFLOW then: that is a 431.',
    },
  ]);

  const mixed = t.connect();
  (await ask(mixed, '/')).expectStatus(200);
  await mixed.write(`${word} ${word}\r\n\r\n`);
  await expectRefused(t, mixed, 400, 'garbage behind a good request');

  // Clients that send half of something, or nonsense, and are gone: there is nobody left to answer.
  for (const bytes of ['GET / HTTP/1.1\r\nHo', `${word}\r\n\r\n`, '']) {
    const connection = t.connect();
    await connection.opened();
    await connection.write(bytes);
    connection.reset();
    const exchange = await connection.attempt({ limit: 1 });
    await expectSurvived(
      t,
      exchange,
      'reset-stops-server',
      "A client reset its connection, and the whole server died of it. In 'clientError' the socket may be gone already: look whether it can still be written to.",
    );
  }
}

/* ---- step 6, its two halves ---- */

async function speaksWebSocket(t: Trial): Promise<void> {
  const [first, later] = [t.word(), t.word()];
  const connection = await shakeHands(t, { key: 'dGhlIHNhbXBsZSBub25jZQ==' });
  await connection.write(textFrame(first));
  await expectEcho(t, connection, first, {
    diagnosis: 'socket-not-passed-on',
    message:
      'The handshake is right, but what the client sends after it gets no answer: pass the socket on to talk(socket, head).',
  });

  const hasty = await shakeHands(t, {}, textFrame(first));
  await expectEcho(t, hasty, first, {
    diagnosis: 'head-lost',
    message:
      "A client sent its first message together with the handshake, and it was lost. What came along is in head, the third argument of 'upgrade'.",
  });
  await hasty.write(textFrame(later));
  await expectEcho(t, hasty, later, {
    diagnosis: 'socket-not-passed-on',
    message: 'After the first message the socket fell silent.',
  });
  const both = Buffer.concat([echoed(first), echoed(later)]);
  t.check(hasty.received.equals(both) || occurrences(hasty.received, echoed(first)) > 1, {
    diagnosis: 'bytes-after-101',
    message:
      'Between the 101 and the first frame came bytes that belong to neither. One empty line ends the head; what follows it is WebSocket.',
    expected: `two frames, ${both.length} bytes`,
    actual: `${hasty.received.length} bytes: ${brief(hasty.received.toString('latin1'))}`,
    exchange: handshakeOf(hasty),
  });
  t.check(hasty.received.equals(both), {
    diagnosis: 'head-twice',
    message:
      'What came along with the handshake was answered more than once: pass head on in one way, not in two.',
    expected: `two frames, ${both.length} bytes`,
    actual: `${hasty.received.length} bytes: ${brief(hasty.received.toString('latin1'))}`,
    exchange: handshakeOf(hasty),
  });
  await connection.write(textFrame(later));
  await expectEcho(t, connection, later, {
    diagnosis: 'one-socket-for-all',
    message:
      'With two WebSockets open, the first one no longer gets its answers. Is the socket kept in a variable that all of them share?',
  });

  const said = await talkAsBrowser(t.program.port, first);
  t.check(said === undefined || said === first, {
    diagnosis: 'real-client-refuses',
    message:
      "The bytes look right, but a real client (Node's own WebSocket, which is the browser's) did not get its message back.",
    expected: first,
    actual: said,
    exchange: undefined,
  });

  const letInWith = 'A WebSocket handshake was accepted with 101';
  connection.reset();
  await expectNobodyDied(t, handshakeOf(connection), letInWith);
  const another = await shakeHands(t);
  another.reset();
  await expectNobodyDied(t, handshakeOf(another), letInWith);
  const gone = t.connect();
  await gone.write(handshake(t));
  await t.get('/');
  const exchange = await leave(gone);
  await expectNobodyDied(t, exchange, 'A client sent a WebSocket handshake');
  // What a reset did may only come to light after that answer.
  await expectNobodyDied(t, exchange, 'A client sent a WebSocket handshake');

  // Node warns when something has more than ten listeners for one event.
  for (const each of await Promise.all(Array.from({ length: 8 }, () => shakeHands(t))))
    each.reset();
  await t.settle();
  const [warning] =
    /\d+ (uncaughtException|unhandledRejection) listeners added.*/.exec(t.program.stderr) ?? [];
  t.check(warning === undefined, {
    diagnosis: 'process-listener-added-again',
    message:
      "With each handshake a listener is added to the process, and none ever goes. It also hides every other mistake of the program. An error of one socket is that socket's: listen for 'error' there.",
    expected: 'no warning on standard error',
    actual: brief(warning ?? '', 200),
    exchange: undefined,
  });
}

/** Where a limit of about 100 ms has passed because this process was held up, the handshake is tried again. */
async function shakeHandsInTime(t: Trial): Promise<Connection> {
  for (let tries = 1; ; tries++) {
    try {
      return await shakeHands(t);
    } catch (error) {
      if (!(error instanceof StepFailure) || tries === 3 || (await died(t))) throw error;
    }
  }
}

/** Once it has been upgraded, a socket may be silent for as long as it likes. */
async function staysOpenInSilence(t: Trial): Promise<void> {
  const idle = t.on(await t.start({ env: { IDLE_MS: '100' } }));
  const quiet = await shakeHandsInTime(idle);
  const witness = idle.connect();
  await witness.opened();
  await witness.closed(1000);
  const word = t.word();
  await quiet.write(textFrame(word));
  await expectEcho(idle, quiet, word, {
    diagnosis: 'idle-cuts-websocket',
    message:
      'IDLE_MS is 100, and a WebSocket that was silent for longer was cut. That limit is for connections without a request: take it off when the socket is upgraded.',
  });
}
