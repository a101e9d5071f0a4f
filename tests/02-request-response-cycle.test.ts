import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import type { Exchange } from '../scripts/kernel/exchange.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import { readMessage, type Message } from '../scripts/kernel/message.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { OutcomeCauses, Trial } from '../scripts/kernel/trial.ts';

type Connection = ReturnType<Trial['connect']>;

interface Blame {
  diagnosis: string;
  message: string;
}

/** A request that leaves the connection open, as HTTP/1.1 does unless it is told otherwise. */
const ask = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** One request, and a look whether the program survives its own answer: many mistakes answer well and die of it. */
async function get(t: Trial, target: string, causes: OutcomeCauses = {}): Promise<Answer> {
  const answer = await t.get(target, { causes });
  await t.settle();
  return answer;
}

/**
 * Checks that do not depend on each other, a few at a time. Where the program dies of an answer that was good, they
 * are made again one by one, so that the one at fault is named.
 */
async function eachAlive(t: Trial, checks: ((part: Trial) => Promise<void>)[]): Promise<void> {
  const run = (part: Trial, check: (part: Trial) => Promise<void>): Promise<void> => check(part);
  await t.each(checks, run);
  try {
    await t.settle();
  } catch (death) {
    await t.restart();
    for (const check of checks) await t.each([check], run);
    throw death;
  }
}

export default suite('02-request-response-cycle', {
  async 'Answer whole and in pieces'(t) {
    // A request whose blank line has yet to come.
    const connection = t.connect();
    await connection.write('GET /whole HTTP/1.1\r\nHost: localhost\r\n');
    expectWhole(await get(t, '/whole'));
    expectPieces(await get(t, '/pieces'));
    t.check(connection.received.length === 0, {
      diagnosis: 'answered-too-early',
      message:
        'A response came before the request was whole: the blank line after its header fields was still missing. Only the blank line says that they are complete.',
      expected: 'nothing before the blank line',
      actual: connection.received.toString('latin1', 0, 200),
    });

    // Three requests on one connection.
    await connection.write('\r\n');
    expectWhole(await connection.answer({ target: '/whole' }));
    for (const [target, expectIt] of [
      ['/pieces', expectPieces],
      ['/whole', expectWhole],
    ] as const) {
      await connection.write(ask(target));
      const causes = {
        'connection-closed': connectionNotKept,
        'connection-reset': connectionNotKept,
      };
      expectIt(await connection.answer({ target, causes }));
    }
  },

  async 'Hold a response open'(t) {
    const waiters = [await hold(t), await hold(t, 1)];
    expectWhole(await t.get('/whole'));
    // Whatever the program means to do by itself, it has done when this comes back.
    await t.settle();
    for (const waiter of waiters) {
      if (isOpen(waiter)) continue;
      const exchange = await waiter.attempt({ target: '/wait' });
      t.fail({
        ...endedEarly,
        expected: staysOpen,
        actual: whatCame(exchange),
        exchange,
      });
    }
  },

  async 'End each one once'(t) {
    // Those of the step before have hung up; the ring may or may not count them.
    (await ring(t)).expectText(/^rang \d+\n$/);

    const count = t.int(3, 5);
    const waiters = await holdAll(t, count);
    const first = await ring(t);
    await expectRung(t, waiters);
    const rang = (answer: Answer): number => Number(/^rang (\d+)\n$/.exec(answer.text)?.[1]);
    first.expectText(`rang ${count}\n`, [
      {
        if: (answer) => rang(answer) > count,
        diagnosis: 'wrong-count',
        message: `${count} clients waited, and each got its ding; but the answer to GET /ring counts ${rang(first)}. Are responses still counted that were rung before, or whose client has left, or does something else go into the number?`,
      },
      {
        if: (answer) => rang(answer) < count,
        diagnosis: 'wrong-count',
        message: `${count} clients waited, and each got its ding; but the answer to GET /ring counts ${rang(first)}. When is the number taken: while they are all still there?`,
      },
    ]);
    (await ring(t)).expectText('rang 0\n', rangTwice);

    // Two rings at once: the second finds nobody, for the first has had them all.
    const late = await holdAll(t, 2);
    const bell = t.connect();
    await bell.write(ask('/ring') + ask('/ring'));
    const firstRing: Answer = await bell.answer({ target: '/ring' });
    const nextRing: Answer = firstRing.announcesClose
      ? await ring(t)
      : await bell.answer({ target: '/ring' });
    const rings = [firstRing, nextRing];
    await t.settle();
    await expectRung(t, late);
    rings[0]?.expectText('rang 2\n');
    rings[1]?.expectText('rang 0\n', rangTwice);
  },

  async 'Tell finished from left'(t) {
    await ring(t);
    const { finished, left } = await tally(t);
    const start = `When this check began, the tally said finished ${finished} and left ${left}.`;
    const [reset, gone, ...stay] = await holdAll(t, 4);
    const all = { waiting: 4, finished, left };
    await expectTally(t, all, whileWaiting, `${start} Then four clients asked for GET /wait.`);

    // One client crashes, one hangs up; both have left.
    reset?.reset();
    gone?.destroy();
    const two = { waiting: 2, finished, left: left + 2 };
    await expectTally(
      t,
      two,
      afterLeaving,
      `${start} Then four clients asked for GET /wait, and two of them hung up.`,
    );

    const rest = await ring(t);
    await expectRung(t, stay);
    rest.expectText('rang 2\n', [
      {
        if: (answer) => answer.text === 'rang 4\n',
        diagnosis: 'rang-for-the-gone',
        message:
          'Of four clients two had left, and the ring still counts all four. Who has left is no longer waiting.',
      },
    ]);
    const over = { waiting: 0, finished: finished + 2, left: left + 2 };
    const story = `${start} Then four clients asked for GET /wait: two of them hung up, and two were rung.`;
    try {
      await expectTally(t, over, afterRing, story);
    } catch (error) {
      if (!(error instanceof StepFailure) || error.failure.diagnosis !== 'finished-not-counted')
        throw error;
      // Are they counted when their connections close?
      for (const waiter of stay) waiter.reset();
      await get(t, '/whole');
      const now = await tally(t);
      if (now.finished + now.left <= finished + left + 2) throw error;
      throw new StepFailure({
        ...error.failure,
        diagnosis: 'connection-counted',
        message: `Two responses were sent to their end, and the tally counted them only when their connections closed. A connection outlives its responses: listen to the response, not to the socket. ${story}`,
      });
    }

    // Their connections close only now, long after their responses.
    for (const waiter of stay) waiter.reset();
    await get(t, '/whole');
    await expectTally(t, over, afterClosing, story);

    // Every client of this program has been rung or has left by now.
    const count = held.get(t.program) ?? 0;
    const sum = over.finished + over.left;
    t.check(sum === count || Number.isNaN(count), {
      diagnosis: 'tally-not-from-zero',
      message: `Since the program started, ${count} clients have asked for GET /wait, and by now each of them has been rung or has left. finished and left make ${sum} together. Do both begin at 0?`,
      expected: `finished and left make ${count} together`,
      actual: `finished ${over.finished}, left ${over.left}: ${sum} together`,
    });
  },

  async 'Pause without blocking'(t) {
    // Only a longer pause tells a slow program from a slow machine.
    for (const ms of [t.int(12, 18), t.int(200, 280), t.int(700, 780)]) {
      if (await letsOthersPass(t, ms, ms > 600)) break;
    }

    // On one connection the quick ones come after the slow one, each with its own answer.
    const pauses = [t.int(4, 6), t.int(1, 3), 0];
    const targets = [...pauses.map((ms) => `/pause/${ms}`), '/whole'];
    const longest = t.connect();
    await longest.write(ask(`/pause/${longestPause}`));
    t.leavesPending();
    const answers = await inOrder(t, targets);
    for (const [i, answer] of answers.entries()) {
      answer.expectStatus(200);
      const causes = [stateOnConnection(answer, targets)];
      answer.expectText(i in pauses ? `paused ${pauses[i]} ms\n` : numbers, causes);
    }
    await expectStillPaused(longest);
  },

  async 'End on every path'(t) {
    await eachAlive(t, [
      async (part) => expectFound(await get(part, '/find/apple'), 'apple'),
      ...[
        `/find/${t.word()}`,
        `/find/apple${t.word()}`,
        `/find/worm${t.word()}`,
        '/find/apple/plum',
        '/find/',
        '/find/APPLE',
        '/find/constructor',
        `/${t.word()}`,
        `/whole${t.word()}`,
      ].map((path) => (part: Trial) => expectMissing(part, path)),
      expectBroken,
      async (part) => expectFound(await get(part, '/find/plum'), 'plum'),
    ]);

    // Several at the same time, each on a connection of its own.
    const names = ['apple', 'plum', 'worm', t.word(), 'plum', 'apple'];
    const together = `These look-ups were asked for at the same time: ${names.join(', ')}.`;
    const answers = await Promise.all(
      names.map((name) => {
        const message = `${together} GET /find/${name} got no answer; asked for alone, it had got one. What belongs to one request lives inside one call of the handler; a variable outside is shared by all that are in flight.`;
        const causes = { 'no-answer': { diagnosis: 'no-answer', message } };
        return t.get(`/find/${name}`, { causes });
      }),
    );
    for (const [i, answer] of answers.entries()) {
      const mixed = `${together} GET /find/${names[i]} got something else than when it is asked for alone.`;
      try {
        expectFound(answer, names[i], [sharedState(mixed)]);
      } catch (error) {
        // Whoever remembers what was asked for before answers no better alone.
        expectFound(await t.get(`/find/${names[i]}`), names[i]);
        throw error;
      }
    }

    // Several on one connection, which a server may close after an error; then one by one.
    const row = ['apple', 'plum', 'apple', t.word()];
    const targets = row.map((name) => `/find/${name}`);
    const piped = await inOrder(t, targets, ['/find/worm']);
    for (const [i, answer] of piped.entries()) {
      const name = row[i];
      if (name === undefined) expectFound(answer, 'worm');
      else expectFound(answer, name, [stateOnConnection(answer, targets)]);
    }
    let connection = t.connect();
    const pair = ['apple', 'plum'];
    for (const name of pair) {
      await connection.write(ask(`/find/${name}`));
      const answer: Answer = await connection.answer({ target: `/find/${name}` });
      if (answer.announcesClose) connection = t.connect();
      const before = pair.map((one) => `/find/${one}`);
      expectFound(answer, name, [stateOnConnection(answer, before)]);
    }
  },

  async 'Cut what you cannot finish'(t) {
    // Somebody else is in the middle of a request.
    const other = t.connect();
    await other.write('GET /find/apple HTTP/1.1\r\nHost: localhost\r\n');
    await other.opened();
    const list = await t.attempt({ target: '/list' });
    await t.settle();
    expectCut(t, list);
    await other.write('\r\n');
    const cutToo = {
      diagnosis: 'others-cut',
      message:
        'While GET /list was asked for, another client was sending GET /find/apple on a connection of its own, and lost that connection when the list was cut. Close the connection of this one response.',
    };
    const causes = { 'connection-closed': cutToo, 'connection-reset': cutToo };
    expectFound(await other.answer({ target: '/find/apple', causes }), 'apple');
    await t.settle();

    // The same where the connection was to be kept.
    const connection = t.connect();
    await connection.write(ask('/list'));
    const again = await connection.attempt({ target: '/list' });
    try {
      expectCut(t, again);
    } catch (error) {
      // Is it the connection, or every list after the first? Where nobody listens any more, this says so.
      const third = await t.attempt({ target: '/list' });
      if (third.outcome === 'refused') await t.get('/list');
      try {
        expectCut(t, third);
      } catch {
        t.fail({
          diagnosis: 'shared-state',
          message:
            'GET /list was answered well, and not so when it was asked for again. What belongs to one request lives inside one call of the handler; a variable outside is shared by all.',
          expected: cutList,
          actual: listCame(again),
          exchange: again,
        });
      }
      throw error;
    }
    await expectBroken(t);
  },
});

// Step 1

const numbers = 'one\ntwo\nthree\n';

const numberCauses: Cause[] = [
  {
    if: (answer) => answer.text === '',
    diagnosis: 'ended-before-body',
    message:
      'The body is empty: the response ended before anything was written to it. Code in a callback runs later than the lines below it.',
  },
  {
    if: (answer) => answer.text === numbers.trimEnd(),
    diagnosis: 'body-stops-early',
    message:
      'Only the last line end is missing. Either it was not written, or a Content-Length counts one byte too few: a line end is a byte as well.',
  },
  {
    if: (answer) => numbers.startsWith(answer.text),
    diagnosis: 'body-stops-early',
    message:
      'The body stops too early. Every line has its line end, the last one too; a Content-Length counts every byte; and what is written after the end is lost.',
  },
];

function expectNumbers(answer: Answer): void {
  answer.expectStatus(200);
  if (answer.text === numbers) return;
  const { diagnosis, message } = numberCauses.find((cause) => cause.if(answer)) ?? {
    diagnosis: 'wrong-body',
    message: `The body of the response to ${answer.exchange.method} ${answer.exchange.target} is to be three lines, one, two and three, and it is something else.`,
  };
  answer.fail({
    diagnosis,
    message,
    expected: JSON.stringify(numbers),
    actual: JSON.stringify(answer.text),
  });
}

function expectWhole(answer: Answer): void {
  expectNumbers(answer);
  answer.expect(answer.framing !== 'chunked', {
    diagnosis: 'whole-came-chunked',
    message:
      'The body of /whole came chunked: its header section was sealed before Node knew the length, by write() or by writeHead(). Give the whole body to one res.end(); where you call writeHead(), name the Content-Length there.',
    expected: 'Content-Length: 14',
    actual: 'Transfer-Encoding: chunked',
  });
  answer.expectHeader('Content-Length', '14');
}

function expectPieces(answer: Answer): void {
  expectNumbers(answer);
  answer.expect(answer.framing === 'chunked' && answer.header('Content-Length') === undefined, {
    diagnosis: 'pieces-not-chunked',
    message:
      'The body of /pieces did not come chunked. Send the first lines with res.write(), before the length is known, and leave Content-Length and Transfer-Encoding to Node.',
    expected: 'Transfer-Encoding: chunked, and no Content-Length',
    actual:
      answer.header('Content-Length') === undefined
        ? 'neither of them'
        : `Content-Length: ${answer.header('Content-Length')}`,
  });
}

const connectionNotKept: Blame = {
  diagnosis: 'connection-not-kept',
  message:
    'After an answer the server closed the connection, although the client meant to send its next request there. The framing says where a response ends; leave the connection alone.',
};

// Steps 2 and 3

const firstLine = 'waiting\n';
const rung = `${firstLine}ding\n`;

/** The response that has begun on a connection, as far as it has come. */
function begun(received: Buffer): Message | undefined {
  const reading = readMessage(received, { method: 'GET', ended: false });
  return 'message' in reading ? reading.message : undefined;
}

/** Whether the response on a connection has begun and goes on. */
const isOpen = ({ received, state }: Connection): boolean =>
  state === 'open' && readMessage(received, { method: 'GET', ended: false }).state === 'body';

const endedEarly: Blame = {
  diagnosis: 'ended-too-early',
  message:
    'The response to /wait is over, although nobody has rung. Send the line with res.write() and leave it at that, without an end and without a Content-Length.',
};

const heldBack: Blame = {
  diagnosis: 'first-line-held-back',
  message:
    'The line "waiting" did not come. It must be sent at once, while the response stays open: res.write() sends without ending.',
};

const lengthPromised: Blame = {
  diagnosis: 'length-promised',
  message:
    'The response to /wait names a Content-Length, but nobody can know what is still to come, and when. Without one the response goes out chunked, and is as long as it gets.',
};

const wrongBeginning: Blame = {
  diagnosis: 'wrong-beginning',
  message:
    'The response to /wait stays open, but does not begin with status 200 and the line "waiting".',
};

const staysOpen = `${JSON.stringify(firstLine)}, and then a response that stays open`;

/** How many clients of a program have been held; NaN once one of them has not. */
const held = new WeakMap<Program, number>();

/**
 * Asks for /wait and gives back the connection, with its first line received and the response open.
 * @param others how many clients wait already
 */
async function hold(t: Trial, others = 0): Promise<Connection> {
  const { program } = t;
  const before = held.get(program) ?? 0;
  held.set(program, NaN);
  const waiter = t.connect();
  await waiter.write(ask('/wait'));
  await waiter.until((received) => {
    const response = begun(received);
    return response !== undefined && (!isOpen(waiter) || response.body.length >= firstLine.length);
  });
  const response = begun(waiter.received);
  const open =
    response?.framing === 'content-length'
      ? lengthPromised
      : response && response.body.length > 0
        ? wrongBeginning
        : heldBack;
  const right = response?.status === 200 && response.body.toString() === firstLine;
  if (right && open !== lengthPromised && isOpen(waiter)) {
    held.set(program, before + 1);
    return waiter;
  }

  const causes = { 'no-answer': heldBack, 'response-never-ended': open };
  const answer = await waiter
    .answer({ target: '/wait', limit: 50, causes })
    .catch((error: unknown) => {
      if (!(error instanceof StepFailure) || error.failure.diagnosis !== open.diagnosis)
        throw error;
      const { framing, status = 0, body } = response ?? {};
      const length = framing === 'content-length' ? ', and a Content-Length' : '';
      throw new StepFailure({
        ...error.failure,
        expected: `status 200 without a Content-Length, and ${JSON.stringify(firstLine)} at once`,
        actual: response
          ? `status ${status}${length}, and ${body?.length ? JSON.stringify(body.toString()) : 'no line'}`
          : 'nothing yet',
      });
    });
  answer.expectStatus(200, [
    {
      if: () => others > 0,
      diagnosis: 'wrong-status',
      message: `${others === 1 ? 'One client was' : `${others} clients were`} waiting already when the next one asked for GET /wait, and that one got status ${answer.status} and no place to wait. Any number of clients may wait at the same time.`,
    },
  ]);
  return answer.fail({
    ...endedEarly,
    expected: staysOpen,
    actual: `${JSON.stringify(answer.text)}, and then the end`,
  });
}

/** So many clients that wait. They come one after the other. */
async function holdAll(t: Trial, count: number): Promise<Connection[]> {
  const waiters: Connection[] = [];
  while (waiters.length < count) waiters.push(await hold(t, waiters.length));
  const over = waiters.findIndex((waiter) => !isOpen(waiter));
  const exchange = await waiters[over]?.attempt({ target: '/wait' });
  t.check(!exchange, {
    diagnosis: 'ended-too-early',
    message: `${count} clients asked for GET /wait, one after the other, and number ${over + 1} was over while others came, although nobody has rung. Any number of clients may wait at the same time.`,
    expected: staysOpen,
    actual: exchange && whatCame(exchange),
    exchange,
  });
  return waiters;
}

async function ring(t: Trial): Promise<Answer> {
  const answer = await get(t, '/ring');
  answer.expectStatus(200);
  return answer;
}

const textOf = (exchange: Exchange): string => exchange.message?.body.toString() ?? '';

/** How an exchange ended, in words. */
const endingOf = ({ outcome }: Exchange): string => {
  if (outcome === 'answered') return 'the end';
  return outcome.startsWith('connection') ? 'a closed connection' : 'nothing: it stays open';
};

const whatCame = (exchange: Exchange): string =>
  `${JSON.stringify(textOf(exchange))}, and then ${endingOf(exchange)}`;

/** What became of several waiting clients: how many got what. */
function summary(exchanges: Exchange[]): string {
  const count = new Map<string, number>();
  for (const exchange of exchanges) {
    const line = whatCame(exchange);
    count.set(line, (count.get(line) ?? 0) + 1);
  }
  return [...count].map(([line, n]) => `${n} of ${exchanges.length} got ${line}`).join('\n');
}

const rangTwice: Cause[] = [
  {
    if: (answer) => /^rang \d+\n$/.test(answer.text),
    diagnosis: 'rang-twice',
    message:
      'A second ring, when nobody waits any more, still counts responses that the first one has ended. Forget a response when you end it.',
  },
];

/** Every one of these has been rung: "ding", and the end. */
async function expectRung(t: Trial, waiters: Connection[]): Promise<void> {
  const exchanges = await Promise.all(
    waiters.map((waiter) => waiter.attempt({ target: '/wait', limit: 400 })),
  );
  const bad = exchanges.filter(
    (exchange) => exchange.outcome !== 'answered' || textOf(exchange) !== rung,
  );
  const [exchange] = bad;
  if (!exchange) return;
  await t.settle();

  const all = (outcome: string, text: string): boolean =>
    bad.every((one) => one.outcome.startsWith(outcome) && textOf(one).startsWith(text));
  const forgotten = bad.every(
    (one) => one.outcome === 'response-never-ended' && textOf(one) === firstLine,
  );
  const facts = {
    exchange,
    expected: `${waiters.length} of ${waiters.length} got ${JSON.stringify(rung)}, and then the end`,
    actual: summary(exchanges),
  };
  if (forgotten && bad.length === waiters.length) {
    t.fail({
      ...facts,
      diagnosis: 'nobody-rung',
      message:
        'GET /ring was answered, but no waiting response got its ding. Does each response of /wait stay, until the ring, where /ring finds it?',
    });
  }
  if (forgotten) {
    const one = bad.length === waiters.length - 1 && bad.length > 1;
    t.fail({
      ...facts,
      diagnosis: one ? 'one-rung-only' : 'some-not-rung',
      message: one
        ? `${waiters.length} clients waited, and only one got its ding; the others are still held. Several wait at once, so one variable, or one place for each address, is not enough.`
        : `${waiters.length} clients waited, and ${bad.length} of them ${bad.length === 1 ? 'is' : 'are'} still held. Does the loop reach the first and the last of them? And where a list gets shorter while a loop walks over it, the loop skips.`,
    });
  }
  if (all('response-never-ended', rung)) {
    t.fail({
      ...facts,
      diagnosis: 'ding-without-end',
      message:
        'The ding came, but the response did not end, so the client still waits for more. write() sends, end() ends.',
    });
  }
  if (all('connection', '')) {
    t.fail({
      ...facts,
      diagnosis: 'cut-instead-of-ended',
      message:
        'The ring closed the connection of a waiting client before its response had ended. To the client that is a failure.',
    });
  }
  if (bad.length === waiters.length && all('answered', `${rung}ding\n`)) {
    t.fail({
      ...facts,
      diagnosis: 'ding-twice',
      message:
        'Each waiting response got its ding more than once. end(text) sends the text and ends: a write() of the same text before it is one too many.',
    });
  }
  t.fail({
    ...facts,
    diagnosis:
      all('answered', '') && textOf(exchange) === firstLine ? 'end-without-ding' : 'wrong-ding',
    message: 'A waiting response did not get its ding, a line of its own, before its end.',
  });
}

// Step 4

interface Tally {
  waiting: number;
  finished: number;
  left: number;
}

/** A cause, and how the tally shows it. Of finished and left: how many there are too many. */
type TallyCause = Blame & { if: (now: Tally, over: Tally) => boolean };

async function tally(t: Trial): Promise<Tally> {
  const answer: Answer = await t.get('/tally');
  answer.expectStatus(200);
  const { waiting, finished, left } = (answer.json() ?? {}) as Record<string, unknown>;
  if (typeof waiting === 'number' && typeof finished === 'number' && typeof left === 'number')
    return { waiting, finished, left };
  return answer.fail({
    diagnosis: 'wrong-tally-form',
    message:
      'The tally is to be an object with three numbers, without quotation marks: waiting, finished and left.',
    expected: '{"waiting":0,"finished":2,"left":1}',
    actual: answer.text,
  });
}

/**
 * Waits until the tally says this; when it never does, one of the causes is named.
 * @param story what this check has done so far, for the learner
 */
async function expectTally(
  t: Trial,
  wanted: Tally,
  causes: TallyCause[],
  story: string,
): Promise<void> {
  let now = wanted;
  const agrees = (): boolean =>
    now.waiting === wanted.waiting && now.finished === wanted.finished && now.left === wanted.left;
  // These two only grow.
  const tooMany = (): boolean => now.finished > wanted.finished || now.left > wanted.left;
  await t.until(async () => {
    now = await tally(t);
    return agrees() || tooMany();
  }, 600);
  if (agrees()) return;
  if (tooMany()) {
    await t.settle();
    now = await tally(t);
  }
  const over = {
    waiting: now.waiting - wanted.waiting,
    finished: now.finished - wanted.finished,
    left: now.left - wanted.left,
  };
  const { diagnosis, message } = causes.find((cause) => cause.if(now, over)) ?? {
    diagnosis: 'wrong-tally',
    message: 'The tally does not say what became of the responses to /wait.',
  };
  t.fail({
    diagnosis,
    message: `${message} ${story}`,
    expected: JSON.stringify(wanted),
    actual: JSON.stringify(now),
  });
}

const whileWaiting: TallyCause[] = [
  {
    if: (now, over) => over.finished < 0 || over.left < 0,
    diagnosis: 'tally-begins-anew',
    message:
      'Asked again, the tally names fewer finished or left responses than before. Both count since the start of the program and only grow: what is asked for stays.',
  },
  {
    if: (now, over) => over.left === 4,
    diagnosis: 'waiting-taken-for-left',
    message:
      "Four clients wait, and the tally says that four have left. The request's 'close' comes when the request has been read; the client is still there.",
  },
  {
    if: (now, over) => over.finished > 0 || over.left > 0,
    diagnosis: 'others-counted',
    message:
      'Nobody rang and nobody hung up, and yet finished or left went up. Only responses to /wait count, not those to /tally and the like.',
  },
  {
    if: (now, over) => over.waiting > 0,
    diagnosis: 'too-many-waiting',
    message:
      'Four clients wait, and the tally counts more. Not every connection waits, and who was rung or has left waits no longer.',
  },
  {
    if: () => true,
    diagnosis: 'waiting-not-counted',
    message:
      'Four clients wait, and the tally counts fewer. "waiting" is how many responses are open at the moment when the tally is asked for.',
  },
];

const afterLeaving: TallyCause[] = [
  {
    if: (now, over) => over.finished > 0,
    diagnosis: 'left-counted-as-finished',
    message:
      "Two clients hung up before the end, and the tally calls a response of theirs finished. 'close' comes for every response, finished or not: ask res.writableFinished which it was.",
  },
  {
    if: (now, over) => over.left === -2 && now.waiting === 4,
    diagnosis: 'leaving-not-noticed',
    message:
      "Two of four clients have hung up, and the tally still has four waiting. 'finish' never comes for a client that leaves; which event of res does?",
  },
  {
    if: (now, over) => over.left === -2,
    diagnosis: 'left-not-counted',
    message: 'Two clients have hung up, and the tally does not count them as left.',
  },
  {
    if: (now, over) => over.left === -1,
    diagnosis: 'one-way-of-leaving-missed',
    message:
      "Two clients left, one with a reset and one with an orderly close, and only one was noticed. The 'close' of the response comes for both.",
  },
  {
    if: (now, over) => over.left > 0,
    diagnosis: 'left-counted-twice',
    message:
      'Two clients have left, and the tally counts more. Is the same leaving counted in two places?',
  },
  {
    if: (now, over) => over.waiting > 0,
    diagnosis: 'left-but-still-waiting',
    message: 'Two clients count as left, and still as waiting. Who has left is no longer waiting.',
  },
];

const afterRing: TallyCause[] = [
  {
    if: (now, over) => over.left > 0,
    diagnosis: 'finished-counted-as-left',
    message:
      "Two responses were sent to their end, and the tally calls them left. 'close' comes after 'finish' as well: ask res.writableFinished which it was.",
  },
  {
    if: (now, over) => over.finished < 0,
    diagnosis: 'finished-not-counted',
    message: 'Two responses were sent to their end, and the tally does not count them as finished.',
  },
  {
    if: (now, over) => over.finished > 0,
    diagnosis: 'finished-counted-twice',
    message:
      'Two responses were sent to their end, and the tally counts more. Is the same end counted in two places?',
  },
];

const afterClosing: TallyCause[] = [
  {
    if: () => true,
    diagnosis: 'connection-counted',
    message:
      'Two connections closed after their responses had been sent to the end, and the tally changed. A connection outlives its responses: listen to the response, not to the socket.',
  },
];

// Step 5

const pauseTooLong = (target: string): Blame => ({
  diagnosis: 'pause-too-long',
  message: `GET ${target} got no answer, long after it was due. Is the number of milliseconds taken for seconds, is there a path that never ends its response, or do two pauses at the same time share one timer or one variable?`,
});

/** Whether others are answered during a pause of `ms`. Where they are not, the step fails on the `last` try. */
async function letsOthersPass(t: Trial, ms: number, last: boolean): Promise<boolean> {
  const slow = t.connect();
  // The server knows this connection before the others come.
  await slow.write(ask('/whole'));
  expectWhole(await slow.answer({ target: '/whole' }));
  const began = performance.now();
  await slow.write(ask(`/pause/${ms}`));
  // A head may go out before the pause; the line is what it is about.
  const over = slow
    .until((received) => received.includes('paused'), ms + 1000)
    .then(() => performance.now() - began);
  const during = new Set<string>();
  const other = async (target: string): Promise<Answer> => {
    const answer = await t.get(target, { causes: { 'no-answer': pauseTooLong(target) } });
    if (!slow.received.includes('paused')) during.add(target);
    return answer;
  };
  const [whole, short] = await Promise.all([other('/whole'), other('/pause/2')]);
  const took = await over;
  const causes = { 'no-answer': pauseTooLong(`/pause/${ms}`) };
  const answer: Answer = await slow.answer({ target: `/pause/${ms}`, limit: ms + 100, causes });
  const both = `GET /pause/${ms} and GET /pause/2 were asked for at the same time, and one of them got the answer of the other.`;
  answer.expectStatus(200);
  answer.expectText(`paused ${ms} ms\n`, [
    { ...sharedState(both), if: (a) => a.text === 'paused 2 ms\n' },
  ]);
  // A timer may be a millisecond early.
  answer.expect(took >= ms - 2, {
    diagnosis: 'not-paused',
    message: `The answer to /pause/${ms} came before ${ms} milliseconds had passed. Code that is to run after the pause stands behind its await, or in its callback.`,
    expected: `an answer after at least ${ms} ms`,
    actual: `an answer after ${Math.floor(took)} ms`,
  });
  expectWhole(whole);
  short.expectStatus(200);
  short.expectText('paused 2 ms\n', [
    { ...sharedState(both), if: (a) => a.text === `paused ${ms} ms\n` },
  ]);
  if (during.size === 2) return true;
  if (!last) return false;
  answer.expect(during.has('/whole'), {
    diagnosis: 'event-loop-blocked',
    message: `While GET /pause/${ms} paused, GET /whole was sent on another connection, and got its answer only when the pause was over. This pause blocks the event loop: nothing else can run. A timer leaves the event loop free until it fires; a loop, or a call that waits, keeps it busy.`,
    expected: 'the answer to GET /whole during the pause',
    actual: 'the answer to GET /whole after the pause',
  });
  return short.fail({
    diagnosis: 'one-pause-at-a-time',
    message: `GET /pause/2 was sent while GET /pause/${ms} paused on another connection, and was answered only after that one. The pauses stand in a queue, although each client waits for its own.`,
    expected: 'the short pause over before the long one',
    actual: 'the short pause after the long one',
  });
}

/** In ms: the longest that a timer can wait. */
const longestPause = 2 ** 31 - 1;

/** Nothing may have come on the connection that asked for the longest pause but a head, perhaps. */
async function expectStillPaused(connection: Connection): Promise<void> {
  const early = begun(connection.received);
  if (connection.state === 'open' && (!early || (early.status === 200 && early.body.length === 0)))
    return;
  const target = `/pause/${longestPause}`;
  const answer: Answer = await connection.answer({ target });
  const facts = {
    expected: 'a pause that goes on',
    actual: `status ${answer.status} and ${JSON.stringify(answer.text)}, a moment later`,
  };
  answer.expect(answer.status === 200, {
    ...facts,
    diagnosis: 'long-pause-refused',
    message: `GET ${target} asks for a pause of nearly 25 days, and was answered at once with status ${answer.status}. Any whole number up to ${longestPause} will do, however many digits it has.`,
  });
  answer.fail({
    ...facts,
    diagnosis: 'not-paused',
    message: `GET ${target} asks for a pause of nearly 25 days, and its answer came a moment later. A timer that is asked for more than ${longestPause} ms does not wait at all: is anything added to the number?`,
  });
}

// Steps 5 and 6

/**
 * The answers to requests on one connection for each list, behind one to /wait. None of them can leave before the ring,
 * so a response that is ended twice, even if the second end comes late, shows now. Whether /wait and /ring do what they
 * are to do is for other steps to say: where they don't, the requests are sent again without them.
 */
async function inOrder(t: Trial, ...lists: string[][]): Promise<Answer[]> {
  const connections: Connection[] = [];
  for (const targets of lists) {
    const connection = t.connect();
    connections.push(connection);
    await connection.write(['/wait', ...targets].map(ask).join(''));
    await connection.until((received) => begun(received)?.body.length === firstLine.length);
  }
  // This one is innocent when the program dies meanwhile.
  await get(t, '/pause/10').catch(async (error: unknown) => {
    if (!(error instanceof StepFailure) || !t.program.exit) throw error;
    const all = lists.map((targets) => ['/wait', ...targets].map((one) => `GET ${one}`).join(', '));
    throw new StepFailure({
      ...error.failure,
      message: error.failure.message.replace(
        /^.*?(?=: the program|, the program)/,
        `One of these requests, sent on one connection without waiting in between, stopped the whole server (${all.join('; on another connection: ')})`,
      ),
      exchange: await connections[0]?.attempt({ target: '/wait' }),
    });
  });
  await t.attempt({ target: '/ring' });
  await t.settle();
  const answers: Answer[] = [];
  for (const [i, targets] of lists.entries()) {
    let connection = connections[i] ?? t.connect();
    const first = await connection.attempt({ target: '/wait' });
    let last = first.outcome === 'answered' ? new Answer(first) : undefined;
    if (!last) {
      await t.settle();
      connection = t.connect();
      await connection.write(targets.map(ask).join(''));
    }
    for (const target of targets) {
      last = last?.announcesClose ? await t.get(target) : await connection.answer({ target });
      answers.push(last);
    }
  }
  return answers;
}

const colours = new Map([
  ['apple', 'red\n'],
  ['plum', 'blue\n'],
]);

/** @param what which requests came together, and what happened, in words */
const sharedState = (what: string): Cause => ({
  if: () => true,
  diagnosis: 'shared-state',
  message: `${what} What belongs to one request lives inside one call of the handler; a variable outside is shared by all that are in flight.`,
});

/** The answer that belongs to another of the requests on its connection. */
function stateOnConnection(answer: Answer, targets: string[]): Cause {
  const { target } = answer.exchange;
  const pause = /^paused (\d+) ms\n$/.exec(answer.text)?.[1];
  const name = [...colours].find(([, colour]) => colour === answer.text)?.[0];
  const owner = pause !== undefined ? `/pause/${pause}` : name && `/find/${name}`;
  return {
    if: ({ status }) => status === 200 && owner !== undefined,
    diagnosis: 'state-on-connection',
    message: `These requests were sent on one connection: ${targets.map((one) => `GET ${one}`).join(', ')}. GET ${target} got the answer to GET ${owner}. A connection carries many requests: what belongs to one of them can be kept neither on its socket nor in a variable outside the handler.`,
  };
}

/** What a name gets: its colour, a 500 for the worm, a 404 for everything else. */
function expectFound(answer: Answer, name = '', causes: Cause[] = []): void {
  const colour = colours.get(name);
  answer.expectStatus(colour ? 200 : name === 'worm' ? 500 : 404, causes);
  if (colour) answer.expectText(colour, causes);
}

/** What isn't there is a 404. */
async function expectMissing(t: Trial, path: string): Promise<void> {
  const unanswered = {
    diagnosis: 'not-found-unanswered',
    message: `GET ${path} asks for what is not there, and got no answer. Which line of yours ends the response when nothing was found? None of Node's time limits does.`,
  };
  const answer = await get(t, path, { 'no-answer': unanswered });
  answer.expectStatus(404, [
    {
      if: (a) => a.status === 200 && path.endsWith('/constructor'),
      diagnosis: 'found-what-is-missing',
      message: `GET ${path} asks for what is not there, and was answered with status 200. Every ordinary object has a "constructor" already; a Map holds only what was put into it.`,
    },
    {
      if: (a) => a.status === 200,
      diagnosis: 'found-what-is-missing',
      message: `GET ${path} asks for what is not there, and was answered with status 200. A program, unlike a person, goes by the status.`,
    },
    {
      if: (a) => a.status === 500,
      diagnosis: 'missing-taken-for-failure',
      message: `GET ${path} asks for what is not there: a 404. A 500 says that the server has failed.`,
    },
  ]);
}

/** A look-up that fails is a 500. */
async function expectBroken(t: Trial): Promise<void> {
  const unanswered = {
    diagnosis: 'failure-unanswered',
    message:
      'GET /find/worm got no answer: the look-up failed, and nothing ended the response. The log tells you of the error; the client still waits.',
  };
  const cut = {
    diagnosis: 'failure-cut',
    message:
      'GET /find/worm got a closed connection in place of a whole answer. Before its look-up is over nothing need be sent, so there is room for a 500.',
  };
  const answer = await get(t, '/find/worm', {
    'no-answer': unanswered,
    'connection-closed': cut,
    'connection-reset': cut,
  });
  answer.expectStatus(500, [
    {
      if: (a) => a.status === 404,
      diagnosis: 'failure-taken-for-missing',
      message:
        'GET /find/worm was answered with 404, but its look-up did not come back empty: it failed. That is a 500.',
    },
    {
      if: (a) => a.status === 200,
      diagnosis: 'failure-hidden',
      message:
        'GET /find/worm was answered with 200, although its look-up failed. The status says so: 500.',
    },
  ]);
}

// Step 7

const lines = 'apple red\nplum blue\n';
const cutList = `status 200, ${JSON.stringify(lines)}, and then a closed connection, without the end of the response`;

/** What came of a list, in words. */
const listCame = (exchange: Exchange): string =>
  exchange.message
    ? `status ${exchange.message.status}, ${whatCame(exchange)}`
    : `nothing, not even a status, and then ${endingOf(exchange)}`;

function expectCut(t: Trial, exchange: Exchange): void {
  const { outcome, message } = exchange;
  if (outcome === 'answered') {
    const answer: Answer = new Answer(exchange);
    answer.expectStatus(200, [
      {
        if: (a) => a.status === 500,
        diagnosis: 'list-held-back',
        message:
          'GET /list was answered with 500 and nothing else: no line had been sent when the worm came. Send each line as soon as it is found.',
      },
    ]);
    answer.fail({
      diagnosis: 'ended-as-if-whole',
      message:
        'The list broke half way, and its response ended in the ordinary way, so that the client takes what it got for the whole list. After the first byte only the connection can still say that something went wrong.',
      expected: cutList,
      actual: `status 200, ${JSON.stringify(answer.text)}, and then the end of the response`,
    });
  }
  const facts = {
    expected: cutList,
    actual: listCame(exchange),
    exchange,
  };
  t.check(outcome === 'connection-closed' || outcome === 'connection-reset', {
    ...facts,
    diagnosis: outcome === 'response-never-ended' ? 'list-left-open' : outcome,
    message:
      outcome === 'response-never-ended'
        ? 'The list stopped at the worm, and its response was left open: the client waits for lines that never come.'
        : 'GET /list got no response that can be read.',
  });
  const tooSoon = lines.startsWith(textOf(exchange)) && textOf(exchange) !== lines;
  t.check(!tooSoon, {
    ...facts,
    diagnosis: 'list-cut-too-soon',
    message:
      'The connection was closed before the two lines that were found had been sent. Look the fruits up in order, and send each line before the next look-up.',
  });
  t.check(message?.status === 200 && textOf(exchange) === lines, {
    ...facts,
    diagnosis: 'wrong-list',
    message:
      'The list was cut, but before that came something else than status 200 and the two lines that were found.',
  });
}
