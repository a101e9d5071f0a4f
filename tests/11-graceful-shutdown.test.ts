import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Answer } from '../scripts/kernel/answer.ts';
import { brief, type Exchange } from '../scripts/kernel/exchange.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { Trial } from '../scripts/kernel/trial.ts';
import { drainingLines } from './support/draining.ts';
import { inOrder } from './support/in-order.ts';
import { underLoad as keepBusy, type Load, type LoadResult } from './support/load.ts';
import { request } from './support/request.ts';

type Connection = ReturnType<Trial['connect']>;

/** In ms: how soon a process must be gone when nothing holds it any more. Node's own patience with an idle connection is 5 s and more. */
const promptly = 2000;
/** In ms: how long a shutdown may take where SHUTDOWN_TIMEOUT_MS is not set. */
const defaultTimeoutMs = 10_000;
/** Where the machine is busy a wait may be extended; from here on it was not the machine. */
const muchTooLate = 4500;

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const lastChunk = '0\r\n\r\n';

async function ask(connection: Connection, target: string): Promise<Answer> {
  await connection.write(request(target));
  return connection.answer({ method: 'GET', target });
}

/** What became of a request, in words. */
function inWords({ outcome, message, received, note }: Exchange): string {
  if (message && outcome === 'answered')
    return `status ${message.status} ${message.reason}`.trimEnd();
  if (outcome === 'connection-closed' || outcome === 'connection-reset') {
    const how = outcome === 'connection-closed' ? 'closed' : 'reset';
    return `the connection was let in and then ${how} ${received.length > 0 ? 'before the answer was whole' : 'without an answer'}`;
  }
  return note ?? (outcome === 'no-answer' ? 'nothing; the connection is still open' : outcome);
}

/* ---- a copy of the program that will be shut down ---- */

/** Windows ends a process that is sent a signal; there, and where this is set, a connection to a pipe stands for SIGTERM. */
const withoutSignals =
  process.platform === 'win32' || process.env['WORKBOOK_WITHOUT_SIGNALS'] === '1';

function pipeName(): string {
  const name = `workbook-${process.pid}-${randomBytes(4).toString('hex')}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** The error that the program died of, where it printed a stack. */
function crashLine({ stderr }: Program): string | undefined {
  if (!/^\s+at .+:\d+/m.test(stderr)) return undefined;
  return brief(/^\w*Error.*$/m.exec(stderr)?.[0] ?? 'an error that nothing caught', 160);
}

/** One process of the program: in flight, signalled, gone. */
export class Copy {
  readonly program: Program;
  readonly t: Trial;
  readonly #pipe: string | undefined;
  readonly #timeoutMs: number;
  #signalled = 0;

  private constructor(t: Trial, program: Program, pipe: string | undefined, timeoutMs: number) {
    this.program = program;
    this.t = t.on(program);
    this.#pipe = pipe;
    this.#timeoutMs = timeoutMs;
  }

  static async start(t: Trial, env: Record<string, string> = {}): Promise<Copy> {
    const pipe = withoutSignals ? pipeName() : undefined;
    const program = await t.start({
      env: { ...env, ...(pipe !== undefined && { SHUTDOWN_PIPE: pipe }) },
    });
    return new Copy(t, program, pipe, Number(env['SHUTDOWN_TIMEOUT_MS'] ?? defaultTimeoutMs));
  }

  /** The program under test itself, which the step then ends: for the last one. Where a pipe stands for the signal, a copy. */
  static async last(t: Trial): Promise<Copy> {
    return withoutSignals ? Copy.start(t) : new Copy(t, t.program, undefined, defaultTimeoutMs);
  }

  /** Ms since the (first) signal. */
  get since(): number {
    return performance.now() - this.#signalled;
  }

  signal(name: NodeJS.Signals): void {
    this.#signalled ||= performance.now();
    if (this.#pipe === undefined) return this.program.signal(name);
    this.program.ended = true;
    net.connect(this.#pipe).on('error', () => {});
  }

  get drainingLines(): number {
    return drainingLines(this.program);
  }

  get ending(): string {
    const { exit, stderr } = this.program;
    const how = !exit
      ? 'it still runs'
      : exit.signal
        ? `ended by ${exit.signal}`
        : `exit status ${exit.code}`;
    return stderr.trim() ? `${how}; standard error: ${brief(stderr.trim(), 200)}` : how;
  }

  fail(failure: {
    diagnosis: string;
    message: string;
    expected?: string;
    actual?: string;
    exchange?: Exchange;
  }): never {
    this.t.fail({ actual: this.ending, exchange: undefined, ...failure });
  }

  /** Sends the signal and waits until the program has taken it: it says so, and lets nobody in any more. */
  async drain(name: NodeJS.Signals = 'SIGTERM', inFlight = true): Promise<void> {
    const { program, t } = this;
    this.signal(name);
    await program.when(() => this.drainingLines > 0, 1500);
    const expected = `a line that begins with Draining, and no new connections`;
    if (this.drainingLines === 0) {
      await program.when(() => program.exit !== null, 0);
      if (program.exit?.signal) {
        this.fail({
          diagnosis: 'signal-not-handled',
          message: `${name} ended the process on the spot: nothing listens for it. Ctrl+C is SIGINT; Docker, systemd and kill send SIGTERM.`,
          expected,
        });
      }
      const atDeadline = program.exit?.code === 1 && this.since > this.#timeoutMs;
      if (program.exit && !atDeadline && (inFlight || program.exit.code !== 0))
        this.#exitedAtOnce(expected);
      const near = /^.*draining.*$/im.exec(`${program.stdout}\n${program.stderr}`)?.[0].trimEnd();
      if (near !== undefined) {
        const onStderr = program.stderr.includes(near);
        this.fail({
          diagnosis: 'draining-line-differs',
          message: `After ${name} the program printed "${brief(near, 60)}"${onStderr ? ' on standard error' : ''}. The line goes to standard output and begins with Draining, with exactly these letters and nothing before them.`,
          expected,
          actual: near,
        });
      }
      const refused =
        program.exit !== null || (await t.attempt({ limit: 500 })).outcome === 'refused';
      this.fail({
        diagnosis: refused ? 'draining-not-printed' : 'signal-ignored',
        message: refused
          ? `After ${name} the program accepts nobody any more, but it printed no line that begins with Draining.`
          : `After ${name} the program goes on as if nothing had happened: it printed no line that begins with Draining, and it still lets clients in.`,
        expected,
        actual: brief(program.stdout.trim(), 200) || '(nothing printed)',
      });
    }
    let seen: Exchange | undefined;
    const end = performance.now() + 400;
    await t.until(async () => {
      const begun = performance.now();
      seen = await t.attempt({ limit: 300 });
      // Who still answers so late was not held up: there is nothing more to wait for.
      return seen.outcome === 'refused' || (seen.outcome === 'answered' && begun > end);
    }, 1000);
    if (seen?.outcome === 'refused') return;
    this.fail({
      diagnosis: 'still-accepting',
      message:
        'The program says that it is draining, and still lets new clients in. Draining means that nobody new comes: close the server.',
      expected: 'connection refused',
      actual: seen ? inWords(seen) : '(not asked)',
      ...(seen && { exchange: seen }),
    });
  }

  #exitedAtOnce(expected: string, exchange?: Exchange): never {
    const crash = crashLine(this.program);
    if (crash)
      this.fail({
        diagnosis: 'shutdown-crashed',
        message: `After the signal the program crashed: ${crash}`,
        expected,
      });
    // A process that ended because nothing was left to do has cut its connections itself.
    if (this.program.drained) this.#cut(expected, exchange);
    this.fail({
      diagnosis: 'exit-at-once',
      message:
        'The signal came, and the program ended with requests in flight. process.exit() does not wait for anything; a process ends by itself when nothing is left to do.',
      expected,
      ...(exchange && { exchange }),
    });
  }

  /** Fails where an exchange came to nothing because the process is gone. */
  async notExited(exchange: Exchange, expected: string): Promise<void> {
    const { outcome } = exchange;
    if (outcome !== 'connection-closed' && outcome !== 'connection-reset') return;
    await this.program.when(() => this.program.exit !== null, 300);
    if (this.program.exit) this.#exitedAtOnce(expected, exchange);
  }

  #cut(expected: string, exchange?: Exchange): never {
    this.fail({
      diagnosis: 'in-flight-cut',
      message:
        'Requests in flight when the signal came lost their connection. Only idle connections may be closed; closeAllConnections() and destroy() cut the busy ones too.',
      expected,
      ...(exchange && { exchange }),
    });
  }

  /** The answer to a request that was in flight. Where it is not whole, says who cut it. */
  async wholeAnswer(connection: Connection, method: string, target: string): Promise<Answer> {
    const exchange = await connection.attempt({ method, target, limit: promptly });
    if (exchange.outcome === 'answered') return new Answer(exchange);
    const expected = `the whole answer to ${method} ${target}`;
    await this.notExited(exchange, expected);
    if (exchange.outcome === 'connection-closed' || exchange.outcome === 'connection-reset')
      this.#cut(expected, exchange);
    this.fail({
      diagnosis: 'in-flight-stuck',
      message: `${method} ${target} was in flight when the signal came, and got no whole answer although the process goes on.`,
      expected,
      actual: `${exchange.note ?? exchange.outcome}; ${this.ending}`,
      exchange,
    });
  }

  /** Waits until the server hangs up, and says goodbye as a client does. */
  async hungUp(
    connection: Connection,
    still: { diagnosis: string; message: string },
  ): Promise<void> {
    const began = performance.now();
    const state = await connection.closed(promptly);
    const took = performance.now() - began;
    if (state === 'open' || took > muchTooLate) {
      this.fail({
        ...still,
        expected: 'the connection closed',
        actual: `open ${(took / 1000).toFixed(1)} s later`,
      });
    }
    connection.end();
  }

  /** Waits for the end of the process, which must be at hand, with status 0. */
  async gone(
    still: { diagnosis: string; message: string },
    limit = promptly,
    crashed = 'shutdown-crashed',
  ): Promise<void> {
    const began = performance.now();
    await this.program.when(() => this.program.exit !== null, limit);
    const took = performance.now() - began;
    const { exit } = this.program;
    const expected = 'exit status 0, soon after the last answer';
    if (!exit)
      this.fail({
        ...still,
        expected,
        actual: `it still runs, ${(this.since / 1000).toFixed(1)} s after the signal`,
      });
    const atDeadline = exit.code === 1 && this.since > this.#timeoutMs;
    if (atDeadline || took > muchTooLate)
      this.fail({
        ...still,
        expected,
        actual: `${(this.since / 1000).toFixed(1)} s after the signal: ${this.ending}`,
      });
    if (exit.code === 0) return;
    const crash = crashLine(this.program);
    this.fail({
      diagnosis: crash ? crashed : 'wrong-exit-code',
      message: exit.signal
        ? `Every answer was out, and then ${exit.signal} ended the process, so it has no status. A clean end is status 0: the process ends by itself, and sends itself no signal.`
        : crash
          ? `Every answer was out, and then the program crashed: ${crash}`
          : `Every answer was out, and the program ended with status ${exit.code}: that says that something went wrong. A clean end is status 0.`,
      expected,
    });
  }
}

/** Waits for the line with which the program says that it has begun a request. */
async function started(copy: Copy, method: string, target: string): Promise<void> {
  const line = `started ${method} ${target}`;
  if (await copy.program.when(() => copy.program.stdout.includes(line), 1500)) return;
  const exchange = copy.t.exchanges.at(-1);
  copy.fail({
    diagnosis: 'request-never-began',
    message: `The program did not print "${line}" for a request that had been sent. server.ts does that; does something answer before it?`,
    expected: line,
    actual: brief(copy.program.stdout.trim(), 200),
    ...(exchange && { exchange }),
  });
}

/** A GET whose answer takes a minute, and has begun. */
async function beginMinute(copy: Copy): Promise<Connection> {
  const connection = copy.t.connect();
  await connection.write(request('/slow?ms=60000'));
  await beforeAnswer(copy, connection, 'GET', '/slow?ms=60000');
  await connection.until((bytes) => bytes.includes('first\n'));
  return connection;
}

/** A POST /upload of six bytes of which three have come: it is in flight, and its answer has not begun. */
async function beginUpload(copy: Copy, target: string, ...fields: string[]): Promise<Connection> {
  const connection = copy.t.connect();
  await connection.write(`${request(target, 'POST', 'Content-Length: 6', ...fields)}abc`);
  await beforeAnswer(copy, connection, 'POST', target);
  return connection;
}

/** Waits until the request has begun; where it was answered instead, shows with what. */
async function beforeAnswer(
  copy: Copy,
  connection: Connection,
  method: string,
  target: string,
): Promise<void> {
  const { program } = copy;
  const begun = (): boolean => program.stdout.includes(`started ${method} ${target}`);
  await copy.t.until(
    () => begun() || connection.received.length > 0 || connection.state !== 'open',
    1500,
  );
  if (!begun() && connection.received.length > 0) {
    await program.when(begun, 100);
    if (!begun()) (await connection.answer({ method, target })).expectStatus(200);
  }
  await started(copy, method, target);
}

/** A POST /echo whose answer has begun: the first piece has come back. */
async function beginEcho(
  copy: Copy,
  target: string,
  piece: string,
  ...fields: string[]
): Promise<Connection> {
  const connection = copy.t.connect();
  await connection.write(
    request(target, 'POST', 'Transfer-Encoding: chunked', ...fields) + chunk(piece),
  );
  await beforeAnswer(copy, connection, 'POST', target);
  if (await connection.until((bytes) => bytes.includes(piece))) return connection;
  const exchange = await connection.attempt({ method: 'POST', target, limit: 1 });
  copy.fail({
    diagnosis: 'echo-never-began',
    message: 'POST /echo did not send its first piece back. server.ts does that.',
    expected: piece,
    actual: brief(connection.received.toString()),
    exchange,
  });
}

/** Sends one more piece to an echo and waits for it: the program has done what was to be done before. */
async function roundTrip(connection: Connection, piece: string): Promise<boolean> {
  await connection.write(chunk(piece));
  return connection.until((bytes) => bytes.includes(piece), promptly);
}

const stillRunning = {
  diagnosis: 'still-running',
  message:
    'Every answer was out and every client had gone, and the process still runs. Something keeps it alive: a server that was not closed, a timer, a connection that nobody closed.',
};

/** The answer to an upload of six bytes that was in flight. */
function expectUploaded(answer: Answer): void {
  answer.expectStatus(200, [
    {
      if: (a) => a.status === 503,
      diagnosis: 'in-flight-refused',
      message:
        'A request that was in flight when the signal came was answered with 503. It gets the answer that it would have had; only what begins later may be turned away.',
    },
  ]);
  answer.expectText(/^6 bytes\n?$/);
}

/** Step 1: two requests in flight, a signal, perhaps another one. */
async function finishesInFlight(
  t: Trial,
  first: NodeJS.Signals,
  ...more: NodeJS.Signals[]
): Promise<void> {
  const copy = await Copy.start(t);
  const { program } = copy;
  const [one, two] = [`${copy.t.word()}1`, `${copy.t.word()}2`];
  const [echoTarget, uploadTarget] = [`/echo?${copy.t.word()}`, `/upload?${copy.t.word()}`];
  const echo = await beginEcho(copy, echoTarget, one, 'Connection: close');
  const upload = await beginUpload(copy, uploadTarget, 'Connection: close');
  await copy.drain(first);
  const told = timesTold(copy);

  let sent = one;
  for (const signal of more) {
    copy.signal(signal);
    const pieces = [`${copy.t.word()}-${signal}`, `${copy.t.word()}+${signal}`];
    sent += pieces.join('');
    let alive = true;
    for (const piece of pieces) alive &&= await roundTrip(echo, piece);
    await program.when(() => program.exit !== null, alive ? 0 : 500);
    const { exit } = program;
    const expected =
      'the second signal is ignored, or ends the process at once with a status other than 0';
    const crash = crashLine(program);
    if (exit && crash) {
      copy.fail({
        diagnosis: 'second-signal-crash',
        message: `A second signal crashed the program: ${crash} The shutdown began again, and a server can't be closed twice. Remember that it has begun.`,
        expected,
      });
    }
    if (copy.drainingLines > 1) {
      copy.fail({
        diagnosis: 'second-shutdown',
        message:
          'A second signal began a second shutdown, with a second deadline. Remember that one has begun.',
        expected,
        actual: `${copy.drainingLines} lines that begin with Draining`,
      });
    }
    if (exit?.code === 0) {
      copy.fail({
        diagnosis: 'second-signal-cuts',
        message:
          'A second signal ended the process with requests in flight, as if all were well. Ignore it, or end with a status that says that answers were cut.',
        expected,
      });
    }
    // Ended at once, on purpose, or by the signal itself because the listener was for the first only: allowed.
    if (exit) return;
  }

  await echo.write(chunk(two) + lastChunk);
  const echoed = await copy.wholeAnswer(echo, 'POST', echoTarget);
  echoed.expectText(sent + two);
  await upload.write('def');
  const uploaded = await copy.wholeAnswer(upload, 'POST', uploadTarget);
  expectUploaded(uploaded);
  for (const connection of [echo, upload]) await copy.hungUp(connection, keptAlive);
  await copy.gone(
    stillRunning,
    promptly,
    more.length > 0 ? 'second-signal-crash' : 'shutdown-crashed',
  );
  if (more.length > 0 && told === 1 && timesTold(copy) > 1) {
    copy.fail({
      diagnosis: 'second-shutdown',
      message:
        'server.ts gave onDrain a function that prints "told to stop". The first signal called it, and a second one called it again. Remember that the draining has begun.',
      expected: 'one line "told to stop"',
      actual: `${timesTold(copy)} such lines`,
    });
  }
  if (copy.drainingLines > 1) {
    copy.fail({
      diagnosis: 'second-shutdown',
      message:
        more.length > 0
          ? 'A second signal began a second shutdown. Remember that one has begun.'
          : 'One signal began two shutdowns. Is the listener added twice?',
      expected: 'one line that begins with Draining',
      actual: `${copy.drainingLines} such lines`,
    });
  }
}

/** How often the function of server.ts that says so was called. */
const timesTold = ({ program }: Copy): number =>
  program.stdout.split(/\r?\n/).filter((line) => line === 'told to stop').length;

/** In ms: who takes longer than this over nothing has a clock, or a busy machine. */
const slow = 300;

/** Nothing is in flight: it is gone at once, long before the deadline. */
async function endsAtOnce(t: Trial): Promise<void> {
  const copy = await Copy.start(t, { SHUTDOWN_TIMEOUT_MS: '2000' });
  (await copy.t.get('/')).expectStatus(200);
  const { program } = copy;
  try {
    await copy.drain('SIGTERM', false);
    await program.when(() => program.exit !== null, 2800);
    if (program.exit && copy.since < 1000) await copy.gone(stillRunning, 1);
  } catch (failure) {
    // Whoever is gone at once may not have waited for anything: with requests in flight that can be told.
    if (program.exit) {
      await finishesInFlight(t, 'SIGTERM').catch((seen: unknown) => {
        if (/^(exit-at-once|shutdown-crashed)$/.test(diagnosisOf(seen))) throw seen;
      });
    }
    throw failure;
  }
  if (program.exit?.code === 1 && copy.since > 1990 && copy.since < 2000 + muchTooLate) {
    copy.fail({
      diagnosis: 'deadline-keeps-alive',
      message:
        'Nothing was in flight, and the process lived on until its deadline and ended with status 1. A pending timer keeps Node alive; unref() takes that away from it.',
      expected: 'exit status 0 at once',
      actual: `${Math.round(copy.since)} ms after the signal: ${copy.ending}`,
    });
  }
  await copy.gone(stillRunning, 1);
  // Whoever takes his time although nothing is in flight may be watching a clock instead of the requests.
  if (copy.since > slow) await outlasts(t, copy.since + 200);
}

const diagnosisOf = (error: unknown): string =>
  error instanceof StepFailure ? error.failure.diagnosis : '';

/** An upload of which the rest comes so late must still be answered. Who cuts it sooner than slowly is for other checks. */
async function outlasts(t: Trial, ms: number): Promise<void> {
  const copy = await Copy.start(t);
  const target = `/upload?${copy.t.word()}`;
  const upload = await beginUpload(copy, target, 'Connection: close');
  await copy.drain();
  await copy.program.when(() => copy.program.exit !== null, ms - copy.since);
  const { exit } = copy.program;
  const early = await upload.attempt({ method: 'POST', target, limit: 1 });
  if (early.outcome === 'answered') return expectUploaded(new Answer(early));
  if (exit && copy.since < slow) return;
  if (exit?.code === 0) {
    // Who cuts at once and is slow to end, as on a busy machine, fails that test as well; who watches a clock does not.
    await finishesInFlight(t, 'SIGTERM');
    const took = `${(copy.since / 1000).toFixed(1)} s`;
    copy.fail({
      diagnosis: 'exit-after-a-moment',
      message: `${took} after the signal the process ended with status 0, and a request was still in flight. A timer that waits long enough for one answer is too short for another: wait for the answers themselves.`,
      expected: `the whole answer to POST ${target}, however long its body takes to come`,
      exchange: early,
    });
  }
  await upload.write('def');
  expectUploaded(await copy.wholeAnswer(upload, 'POST', target));
}

/** The head of a GET of which the end is missing, so far in that the program has read it: others were answered after it. */
async function beginHead(copy: Copy, target: string): Promise<Connection> {
  const connection = copy.t.connect();
  await connection.write(
    `GET ${target} HTTP/1.1\r\nHost: localhost\r\nSent-Before: the signal\r\nSent-`,
  );
  for (let n = 0; n < 2; n++) await copy.t.get('/');
  return connection;
}

async function endHead(copy: Copy, connection: Connection, target: string): Promise<Answer> {
  await connection.write('After: the signal\r\n\r\n');
  const exchange = await connection.attempt({ method: 'GET', target, limit: promptly });
  if (exchange.outcome === 'answered') return new Answer(exchange);
  const expected = `the whole answer to GET ${target}`;
  // Where this was the last that it waited for, the process ends by itself.
  await copy.program.when(() => copy.program.exit !== null, 300);
  if (!copy.program.drained) await copy.notExited(exchange, expected);
  const some = exchange.received.length > 0;
  // Who is heard, and then gets no whole answer, was not taken for idle.
  if (some || copy.program.stdout.includes(`started GET ${target}`)) {
    const closed = exchange.outcome.startsWith('connection-');
    copy.fail({
      diagnosis: closed ? 'answer-cut' : some ? 'response-never-ended' : 'no-answer',
      message: `While it was draining, the program began with GET ${target}, and ${
        closed
          ? `hung up ${some ? 'in the middle of its answer' : 'instead of an answer'}`
          : `${some ? 'its answer has no end' : 'it got no answer'}, though the connection is still open`
      }. What is done for a request while draining must also end in res.end().`,
      expected,
      actual: `${inWords(exchange)}; ${copy.ending}`,
      exchange,
    });
  }
  copy.fail({
    diagnosis: 'half-request-dropped',
    message:
      'Half of a request had come when the signal did, and the other half soon after; it got no answer. A request of which a part has arrived counts as in flight.',
    expected: 'an answer',
    actual: `${inWords(exchange)}; ${copy.ending}`,
    exchange,
  });
}

function expectHungUp(answer: Answer): void {
  const value = answer.header('Connection');
  answer.expect(/(^|,)\s*close\s*(,|$)/i.test(value ?? ''), {
    diagnosis: 'no-connection-close',
    message: `The program was sent a signal, said that it is draining, and then answered ${answer.exchange.method} ${answer.exchange.target} without Connection: close. So the client keeps the connection for its next request, and the process cannot end until that connection is closed.`,
    expected: 'Connection: close',
    actual: value === undefined ? 'no Connection' : `Connection: ${brief(value)}`,
  });
}

/** An answer from before the signal. */
function expectKept(answer: Answer): void {
  answer.expect(!answer.announcesClose, {
    diagnosis: 'never-kept-alive',
    message: `GET ${answer.exchange.target} was answered with Connection: close long before any signal, so every such request needs a connection of its own. Say it only while draining.`,
    expected: 'an answer that leaves the connection open',
    actual: `Connection: ${answer.header('Connection')}`,
  });
}

const keptAlive = {
  diagnosis: 'kept-alive-too-long',
  message:
    'Every answer is out, and the process waits for connections on which nothing happens any more: Node closes them only 5 or 6 seconds after their last answer. Finishing an answer does not hang up.',
};

/* ---- under load ---- */

/** What the program printed, all of it or only what came before its draining began. */
const heard = ({ stdout }: Program, all: boolean): string =>
  all ? stdout : (stdout.split(/^Draining/m, 1)[0] ?? '');

/** Keep-alive clients that ask without a pause, and SIGTERM in the middle. */
export function underLoad(
  copy: Copy,
  { clients, answers }: Pick<Load, 'clients' | 'answers'>,
): Promise<LoadResult> {
  // Most are quick; two take so long that the signal finds them in the middle, however busy this process is.
  const pace = (n: number): number => (n < clients - 2 ? 3 * n : 75 * (n - clients + 3));
  const load: Load = {
    clients,
    answers,
    target: (id, client) => `/slow?ms=${pace(client)}&id=${id}.`,
    body: 'first\nlast\n',
    // What came later met a server that was hanging up: it may be turned away, even where the program heard of it.
    begun: ({ id, exchange }) =>
      heard(copy.program, exchange.outcome === 'no-answer').includes(`id=${id}.`),
  };
  return keepBusy(copy.t, load, () => copy.signal('SIGTERM'));
}

export default suite(
  '11-graceful-shutdown',
  {
    async 'Finish what is in flight'(t) {
      (await t.get('/')).expectStatus(200);
      await inOrder(
        endsAtOnce(t),
        finishesInFlight(t, 'SIGTERM'),
        finishesInFlight(t, 'SIGINT', 'SIGTERM', 'SIGINT'),
      );
    },

    async 'Hang up after the answer'(t) {
      const copy = await Copy.start(t);
      const idle = copy.t.connect();
      const before = await ask(idle, '/');
      expectKept(before);
      const [uploadTarget, halfTarget] = [`/upload?${t.word()}`, `/?${t.word()}`];
      const upload = await beginUpload(copy, uploadTarget);
      const half = await beginHead(copy, halfTarget);
      await copy.drain();
      await copy.hungUp(idle, {
        diagnosis: 'idle-left-open',
        message:
          'The signal came seconds ago, and a connection on which nothing is going on is still open. server.close() closes such connections since Node 19; server.closeIdleConnections() does it too.',
      });
      await upload.write('def');
      const uploaded = await copy.wholeAnswer(upload, 'POST', uploadTarget);
      uploaded.expectText(/^6 bytes\n?$/);
      expectHungUp(uploaded);
      await copy.hungUp(upload, keptAlive);
      // The last answer that had begun is out, and half of a request still waits for the other half.
      const late = await endHead(copy, half, halfTarget);
      // A server may also turn away what comes while it is draining.
      if (late.status !== 503) late.expectStatus(200);
      expectHungUp(late);
      await copy.hungUp(half, keptAlive);
      await copy.gone(stillRunning);
    },

    async 'Say that you are draining'(t) {
      const healthy = await ask(t.connect(), '/health');
      healthy.expectStatus(200);
      expectState(healthy, 'ok');
      expectKept(healthy);
      const copy = await Copy.start(t);
      const half = await beginHead(copy, '/health');
      await copy.drain();
      const answer = await endHead(copy, half, '/health');
      answer.expectStatus(503, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'healthy-while-draining',
          message:
            'While it was draining, the program still said that it is well. A load balancer that hears 200 goes on sending clients, who find the door closed.',
        },
      ]);
      expectState(answer, 'draining');
    },

    async 'Cut what is late'(t) {
      const deadline = 150;
      const env = { SHUTDOWN_TIMEOUT_MS: String(deadline) };
      const late = async (deadline: number, last = false): Promise<void> => {
        const copy = await Copy.start(t, { SHUTDOWN_TIMEOUT_MS: String(deadline) });
        const { program } = copy;
        const minute = await beginMinute(copy);
        // Program and request are older than the deadline, which counts from the signal.
        await program.when(() => program.exit !== null, deadline + 10);
        // Whoever gives a sign of life after that has no timer that was due before.
        await program.ping(1000);
        if (program.exit) {
          copy.fail({
            diagnosis: 'cut-too-early',
            message: `SHUTDOWN_TIMEOUT_MS is ${deadline}, and the process ended although no signal had come, with an answer on its way. The time is counted from the signal.`,
            expected: 'a process that serves until it is sent a signal',
          });
        }
        let cutAt: number | undefined;
        const cut = minute.closed(deadline + 650).then((state) => {
          if (state !== 'open') cutAt = copy.since;
        });
        await copy.drain();
        await program.when(() => program.exit !== null, deadline + 650);
        await cut;
        // The client learns that it was cut before the end of the process is heard of.
        const took = Math.min(cutAt ?? Infinity, copy.since);
        const { exit } = program;
        const expected = `${deadline} ms after the signal: exit status 1`;
        const actual = `${Math.round(took)} ms after the signal: ${copy.ending}`;
        if (!exit || took > deadline + muchTooLate) {
          return copy.fail({
            diagnosis: 'no-deadline',
            message: `SHUTDOWN_TIMEOUT_MS is ${deadline}, and an answer that takes a minute still holds the process ${Math.round(took)} ms after the signal. Whoever stops a process does not wait for ever: in the end SIGKILL cuts everything.`,
            expected,
            actual,
          });
        }
        // Where the end was heard of so late, it may have come too early all the same: once more, with more time.
        if (took > deadline + 20 && !last) return late(4 * deadline, true);
        if (took < deadline - 2) {
          copy.fail({
            diagnosis: 'cut-too-early',
            message: `SHUTDOWN_TIMEOUT_MS is ${deadline}, and an answer was cut ${Math.round(took)} ms after the signal. Whoever is in flight has that long, counted from the signal.`,
            expected,
            actual,
          });
        }
        if (exit.code !== 1) {
          copy.fail({
            diagnosis: exit.code === 0 ? 'late-exit-zero' : 'wrong-exit-code',
            message:
              exit.code === 0
                ? 'An answer was cut at the deadline, and the process ended with status 0, which says that all went well. Say 1.'
                : 'An answer was cut at the deadline; the status for that is 1.',
            expected,
            actual,
          });
        }
      };
      // Somebody who presses Ctrl+C again and again.
      const impatient = async (deadline: number): Promise<void> => {
        const copy = await Copy.start(t, { SHUTDOWN_TIMEOUT_MS: String(deadline) });
        const { program } = copy;
        await beginMinute(copy);
        await copy.drain();
        for (let n = 0; n < (deadline + 700) / 60 && !program.exit; n++) {
          copy.signal('SIGTERM');
          await copy.t.until(() => program.exit !== null, 60);
        }
        const took = Math.round(copy.since);
        // Who ends so late may have been held up, between two signals or all the while: once more, with more time.
        if (program.exit && took > deadline + 50 && deadline < 1000) return impatient(2 * deadline);
        if (program.exit) return;
        await program.when(() => program.exit !== null, deadline + 650);
        copy.fail({
          diagnosis: program.exit ? 'deadline-begins-anew' : 'no-deadline',
          message: `SHUTDOWN_TIMEOUT_MS is ${deadline}, and SIGTERM came every 60 ms: ${took} ms after the first one the process was not gone. ${program.exit ? 'It went when the signals stopped: d' : 'D'}oes each further signal start the deadline anew? It counts from the first.`,
          expected: `the end of the process ${deadline} ms after the first signal, or before`,
        });
      };
      const silent = async (): Promise<void> => {
        const copy = await Copy.start(t, env);
        const mute = copy.t.connect();
        await mute.opened();
        await beginHead(copy, '/');
        await copy.drain();
        await copy.program.when(() => copy.program.exit !== null, deadline + 1500);
        if (copy.program.exit && copy.since < deadline + muchTooLate) {
          if (copy.program.exit.code !== 0 || copy.since < deadline) return;
          copy.fail({
            diagnosis: 'late-exit-zero',
            message:
              'Half of a request had come when the signal did, and at the deadline the process ended with status 0, which says that all went well. Whatever is left then is cut, and the status for that is 1.',
            expected: `exit status 1, ${deadline} ms after the signal`,
            actual: `${Math.round(copy.since)} ms after the signal: ${copy.ending}`,
          });
        }
        copy.fail({
          diagnosis: 'held-by-silence',
          message: `SHUTDOWN_TIMEOUT_MS is ${deadline}, and a connection that never sent a byte, or half a request, still holds the process ${Math.round(copy.since)} ms after the signal. The deadline is for everybody.`,
          expected: 'the end of the process at the deadline, or before',
        });
      };
      await inOrder(late(deadline), impatient(deadline), silent());
    },

    async 'Close what http has forgotten'(t) {
      const polite = async (): Promise<void> => {
        const copy = await Copy.start(t);
        const sockets = [
          await upgradedSocket(copy),
          await upgradedSocket(copy),
          await upgradedSocket(copy),
        ];
        // The first has left before: it must not be in the way.
        sockets.shift()?.reset();
        const target = `/upload?${copy.t.word()}`;
        const upload = await beginUpload(copy, target, 'Connection: close');
        const { program } = copy;
        if (program.stdout.includes('told to stop')) {
          copy.fail({
            diagnosis: 'on-drain-too-early',
            message:
              'server.ts gave onDrain a function that prints "told to stop", and it was called although no signal had come. onDrain only keeps the function; it is called when the draining begins.',
            expected: 'no call before the signal',
            actual: brief(program.stdout.trim(), 200),
          });
        }
        await copy.drain();
        const told = (): boolean => program.stdout.includes('told to stop');
        if (!(await program.when(told, 1000))) {
          await upload.write('def');
          for (const socket of sockets) socket.end();
          await program.when(told, 500);
          const message = told()
            ? 'server.ts gave onDrain two functions. The draining began, and the one that prints "told to stop" was only called when the last answer was out. Call them when the draining begins: what they stop may be what keeps the answers waiting.'
            : 'server.ts gave onDrain two functions. The draining began, and the one that prints "told to stop" was not called. Keep all of them, and call each when the draining begins.';
          copy.fail({
            diagnosis: told() ? 'on-drain-too-late' : 'on-drain-not-called',
            message,
            expected: 'the line "told to stop", while requests are still in flight',
            actual: brief(program.stdout.trim(), 200),
          });
        }
        for (const socket of sockets) {
          await copy.hungUp(socket, {
            diagnosis: 'upgraded-left-open',
            message:
              'Seconds after the signal a socket that was upgraded is still open. http has handed it over: neither close() nor closeIdleConnections() nor closeAllConnections() knows of it. Keep all of them in a set, and end them yourself.',
          });
        }
        await upload.write('def');
        (await copy.wholeAnswer(upload, 'POST', target)).expectText(/^6 bytes\n?$/);
        await copy.hungUp(upload, keptAlive);
        await copy.gone({
          diagnosis: 'timer-left-running',
          message:
            'Every connection is closed, and the process still runs. server.ts has a timer, and gave onDrain the function that stops it, one of two: was each of them called? A deadline without unref() would keep the process alive as well.',
        });
        const times = timesTold(copy);
        if (times > 1) {
          copy.fail({
            diagnosis: 'on-drain-called-again',
            message: `server.ts gave onDrain a function that prints "told to stop", and it was called ${times} times. Each function is called once, when the draining begins.`,
            expected: 'one line "told to stop"',
            actual: `${times} such lines`,
          });
        }
      };
      // This client never says goodbye.
      const stubborn = async (): Promise<void> => {
        const copy = await Copy.start(t, { SHUTDOWN_TIMEOUT_MS: '180' });
        await upgradedSocket(copy);
        await copy.drain();
        await copy.program.when(() => copy.program.exit !== null, 1750);
        if (copy.program.exit && copy.since < 180 + muchTooLate) return;
        copy.fail({
          diagnosis: 'held-by-upgraded',
          message:
            'SHUTDOWN_TIMEOUT_MS is 180, and a client that does not close its end of an upgraded socket still holds the process. The deadline is for everybody, and closeAllConnections() does not know of this one.',
          expected: 'the end of the process at the deadline, or before',
        });
      };
      await inOrder(polite(), stubborn());
    },

    async 'Lose nothing under load'(t) {
      // The head of this answer promised to stay before the signal came.
      const promised = async (): Promise<void> => {
        const copy = await Copy.start(t);
        const [one, two] = [`${copy.t.word()}1`, `${copy.t.word()}2`];
        const target = `/echo?${copy.t.word()}`;
        const echo = await beginEcho(copy, target, one);
        const idle = copy.t.connect();
        await ask(idle, '/');
        await copy.drain();
        // What was idle at the signal is closed; from here on nobody looks for idle connections unless there is a reason.
        await idle.closed(promptly);
        idle.end();
        await echo.write(chunk(two) + lastChunk);
        (await copy.wholeAnswer(echo, 'POST', target)).expectText(one + two);
        const message = `The head of an answer had gone out before the signal and promised to keep the connection. ${keptAlive.message} When such an answer is over, close what is idle once more.`;
        await copy.hungUp(echo, { ...keptAlive, message });
        await copy.gone(stillRunning);
      };
      const left = async (): Promise<void> => {
        const copy = await Copy.start(t);
        // Before the signal nobody is hung up on.
        const patient = copy.t.connect();
        await ask(patient, '/');
        await copy.t.get('/slow?ms=150');
        await patient.write(request('/'));
        const still = await patient.attempt();
        if (still.outcome !== 'answered') {
          copy.fail({
            diagnosis: 'idle-closed-before-signal',
            message:
              'Long before any signal, a connection that had been idle for a moment was closed. Hang up on idle connections only while draining.',
            expected: 'another answer on the same connection',
            actual: inWords(still),
            exchange: still,
          });
        }
        const connection = await beginMinute(copy);
        await copy.drain();
        connection.reset();
        patient.end();
        await copy.gone({
          diagnosis: 'waits-for-who-left',
          message:
            "The only request in flight has lost its client, which reset the connection, and the process still waits for it. An answer that loses its client never has its 'finish'; 'close' always comes.",
        });
      };
      const load = async (): Promise<void> => {
        const copy = await Copy.last(t);
        const { answered, lost } = await underLoad(copy, { clients: 8, answers: t.int(40, 90) });
        const [first] = lost;
        if (first) {
          const cut = first.exchange.received.length > 0;
          copy.fail({
            diagnosis: cut ? 'answer-cut-under-load' : 'answer-lost-under-load',
            message: `Eight clients asked without a pause when the signal came. ${cut ? 'An answer had begun, and was cut in the middle' : 'The program had begun a request, and that never got an answer'}.`,
            expected: `a whole answer for each of the ${answered + lost.length} requests that were begun`,
            actual: `${lost.length} not answered whole; ${copy.ending}`,
            exchange: first.exchange,
          });
        }
        await copy.gone(stillRunning, 1);
      };
      await inOrder(promised(), left(), load());
    },
  },
  { copies: 12 },
);

function expectState(answer: Answer, wanted: string): void {
  const state = answer.json() as { status?: unknown } | null;
  answer.expect(state?.status === wanted, {
    diagnosis: 'wrong-health-body',
    message: `The body of GET /health must say in its status how the server is: "${wanted}".`,
    expected: JSON.stringify({ status: wanted }),
    actual: brief(answer.text.trim()),
  });
}

/** A connection that has been upgraded, and on which something came back. */
async function upgradedSocket(copy: Copy): Promise<Connection> {
  const connection = copy.t.connect();
  const word = copy.t.word();
  await connection.write(request('/', 'GET', 'Connection: Upgrade', 'Upgrade: echo'));
  (await connection.answer()).expectStatus(101);
  await connection.write(word);
  if (await connection.until((bytes) => bytes.includes(word))) return connection;
  copy.fail({
    diagnosis: 'upgraded-broken',
    message:
      'What was sent on an upgraded socket did not come back. server.ts does that; does something close it before?',
    expected: word,
    actual:
      brief(connection.received.toString()) || `nothing; the connection is ${connection.state}`,
  });
}
