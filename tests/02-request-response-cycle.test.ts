import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import type { Exchange } from '../scripts/kernel/exchange.ts';
import { readMessage, type Message } from '../scripts/kernel/message.ts';
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
    const waiters = [await hold(t), await hold(t)];
    expectWhole(await t.get('/whole'));
    // Whatever the program means to do by itself, it has done when this comes back.
    await t.settle();
    for (const waiter of waiters) {
      if (isOpen(waiter)) continue;
      t.fail({ ...endedEarly, exchange: await waiter.attempt({ target: '/wait' }) });
    }
  },

  async 'End each one once'(t) {
    // Those of the step before have hung up; the ring may or may not count them.
    (await ring(t)).expectText(/^rang \d+\n$/);

    const count = t.int(3, 5);
    const waiters = await holdAll(t, count);
    const first = await ring(t);
    await expectRung(t, waiters);
    first.expectText(`rang ${count}\n`, [
      {
        if: (answer) => /^rang \d+\n$/.test(answer.text),
        diagnosis: 'wrong-count',
        message: `${count} responses waited, and each got its ding; the ring gives another number.`,
      },
    ]);
    (await ring(t)).expectText('rang 0\n', rangTwice);

    // Two rings at once: the second finds nobody, for the first has had them all.
    const late = await holdAll(t, 2);
    const bell = t.connect();
    await bell.write(ask('/ring') + ask('/ring'));
    const rings: Answer[] = [
      await bell.answer({ target: '/ring' }),
      await bell.answer({ target: '/ring' }),
    ];
    await t.settle();
    await expectRung(t, late);
    rings[0]?.expectText('rang 2\n');
    rings[1]?.expectText('rang 0\n', rangTwice);
  },

  async 'Tell finished from left'(t) {
    await ring(t);
    const { finished, left } = await tally(t);
    const [reset, gone, ...stay] = await holdAll(t, 4);
    await expectTally(t, { waiting: 4, finished, left }, whileWaiting);

    // One client crashes, one hangs up; both have left.
    reset?.reset();
    gone?.destroy();
    await expectTally(t, { waiting: 2, finished, left: left + 2 }, afterLeaving);

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
    await expectTally(t, over, afterRing);

    // Their connections close only now, long after their responses.
    for (const waiter of stay) waiter.reset();
    await get(t, '/whole');
    await expectTally(t, over, afterClosing);
  },

  async 'Pause without blocking'(t) {
    // Only a longer pause tells a slow program from a slow machine.
    for (const ms of [t.int(12, 18), t.int(200, 280), t.int(700, 780)]) {
      if (await letsOthersPass(t, ms, ms > 600)) break;
    }

    // On one connection the quick ones come after the slow one, each with its own answer.
    const pauses = [t.int(4, 6), t.int(1, 3)];
    const answers = await inOrder(t, [...pauses.map((ms) => `/pause/${ms}`), '/whole']);
    for (const [i, answer] of answers.entries()) {
      answer.expectStatus(200);
      answer.expectText(i in pauses ? `paused ${pauses[i]} ms\n` : numbers, [stateOnConnection]);
    }
  },

  async 'End on every path'(t) {
    expectFound(await get(t, '/find/apple'), 'apple');
    expectFound(await get(t, '/find/plum'), 'plum');
    for (const path of [
      `/find/${t.word()}`,
      `/find/apple${t.word()}`,
      `/${t.word()}`,
      `/whole${t.word()}`,
    ]) {
      await expectMissing(t, path);
    }
    await expectBroken(t);
    expectFound(await get(t, '/find/apple'), 'apple');

    // Several at the same time, each on a connection of its own.
    const names = ['apple', 'plum', 'worm', t.word(), 'plum', 'apple'];
    const answers = await Promise.all(names.map((name) => t.get(`/find/${name}`)));
    for (const [i, answer] of answers.entries()) expectFound(answer, names[i], [sharedState]);

    // Several on one connection, which a server may close after an error; then one by one.
    const [row, end] = [['apple', 'plum', 'apple', t.word()], 'worm'];
    const piped = await inOrder(
      t,
      row.map((name) => `/find/${name}`),
      [`/find/${end}`],
    );
    for (const [i, answer] of piped.entries()) {
      expectFound(answer, [...row, end][i], [stateOnConnection]);
    }
    const connection = t.connect();
    for (const name of ['apple', 'plum']) {
      await connection.write(ask(`/find/${name}`));
      const answer = await connection.answer({ target: `/find/${name}` });
      expectFound(answer, name, [stateOnConnection]);
    }
  },

  async 'Cut what you cannot finish'(t) {
    const list = await t.attempt({ target: '/list' });
    await t.settle();
    expectCut(t, list);
    expectFound(await get(t, '/find/apple'), 'apple');

    // The same where the connection was to be kept.
    const connection = t.connect();
    await connection.write(ask('/list'));
    expectCut(t, await connection.attempt({ target: '/list' }));
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
    if: (answer) => numbers.startsWith(answer.text),
    diagnosis: 'body-stops-early',
    message:
      'The body stops too early. Every line has its line end, the last one too; a Content-Length counts every byte; and what is written after the end is lost.',
  },
];

function expectWhole(answer: Answer): void {
  answer.expectStatus(200);
  answer.expectText(numbers, numberCauses);
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
  answer.expectStatus(200);
  answer.expectText(numbers, numberCauses);
  answer.expect(answer.framing === 'chunked' && answer.header('Content-Length') === undefined, {
    diagnosis: 'pieces-not-chunked',
    message:
      'The body of /pieces did not come chunked. Send the first lines with res.write(), before the length is known, and name no Content-Length.',
    expected: 'Transfer-Encoding: chunked, and no Content-Length',
    actual: answer.rawHeaders.map((field) => field.join(': ')).join('\n'),
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
    'The response to /wait is over, although nobody has rung: it was ended, or its Content-Length has come. Send the line with res.write(), and leave it at that.',
};

const heldBack: Blame = {
  diagnosis: 'first-line-held-back',
  message:
    'The line "waiting" did not come. It is to leave at once, while the response stays open: res.write() sends without ending.',
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

/** Asks for /wait and gives back the connection, with its first line received and the response open. */
async function hold(t: Trial): Promise<Connection> {
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
  if (right && open !== lengthPromised && isOpen(waiter)) return waiter;

  const causes = { 'no-answer': heldBack, 'response-never-ended': open };
  const answer: Answer = await waiter.answer({ target: '/wait', limit: 50, causes });
  answer.expectStatus(200);
  return answer.fail(endedEarly);
}

/** So many clients that wait. They come one after the other. */
async function holdAll(t: Trial, count: number): Promise<Connection[]> {
  const waiters: Connection[] = [];
  while (waiters.length < count) waiters.push(await hold(t));
  return waiters;
}

async function ring(t: Trial): Promise<Answer> {
  const answer = await get(t, '/ring');
  answer.expectStatus(200);
  return answer;
}

const textOf = (exchange: Exchange): string => exchange.message?.body.toString() ?? '';

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
    expected: `${JSON.stringify(rung)} and the end, for ${waiters.length} of ${waiters.length}`,
    actual: `${waiters.length - bad.length} of ${waiters.length} got it`,
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
    const one = bad.length === waiters.length - 1;
    t.fail({
      ...facts,
      diagnosis: one ? 'one-rung-only' : 'some-not-rung',
      message: one
        ? `${waiters.length} clients waited, and only one got its ding; the others are still held. Several wait at once, so one variable, or one place for each address, is not enough.`
        : `${waiters.length} clients waited, and ${bad.length} of them are still held. A list that gets shorter while a loop walks over it makes the loop skip.`,
    });
  }
  if (all('response-never-ended', rung)) {
    t.fail({
      ...facts,
      diagnosis: 'ding-without-end',
      message:
        'The ding came, but the response did not end: the client waits for more. write() sends, end() ends.',
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
  t.fail({
    ...facts,
    diagnosis:
      all('answered', '') && textOf(exchange) === firstLine ? 'end-without-ding' : 'wrong-ding',
    message: 'A waiting response did not get its ding, a line of its own, before its end.',
    actual: `${JSON.stringify(textOf(exchange))}, ${exchange.note ?? 'and the end'}`,
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
    message: 'The tally is to be an object with three numbers: waiting, finished and left.',
    expected: '{"waiting":0,"finished":2,"left":1}',
    actual: answer.text,
  });
}

/** Waits until the tally says this; when it never does, one of the causes is named. */
async function expectTally(t: Trial, wanted: Tally, causes: TallyCause[]): Promise<void> {
  let now = wanted;
  const agrees = async (): Promise<boolean> => {
    now = await tally(t);
    return (
      now.waiting === wanted.waiting && now.finished === wanted.finished && now.left === wanted.left
    );
  };
  if (await t.until(agrees, 600)) return;
  const over = {
    waiting: now.waiting - wanted.waiting,
    finished: now.finished - wanted.finished,
    left: now.left - wanted.left,
  };
  const { diagnosis, message } = causes.find((cause) => cause.if(now, over)) ?? {
    diagnosis: 'wrong-tally',
    message: 'The tally does not say what became of the responses to /wait.',
  };
  t.fail({ diagnosis, message, expected: JSON.stringify(wanted), actual: JSON.stringify(now) });
}

const whileWaiting: TallyCause[] = [
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
    message: 'Four clients wait, and the tally counts fewer.',
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

const pauseTooLong: Blame = {
  diagnosis: 'pause-too-long',
  message:
    'There was no answer, long after it was due. Is the number of milliseconds taken for seconds, or is there a path that never ends its response?',
};

/** Whether others are answered during a pause of `ms`. Where they are not, the step fails on the `last` try. */
async function letsOthersPass(t: Trial, ms: number, last: boolean): Promise<boolean> {
  const slow = t.connect();
  // The server knows this connection before the others come.
  await slow.write(ask('/whole'));
  expectWhole(await slow.answer({ target: '/whole' }));
  const began = performance.now();
  await slow.write(ask(`/pause/${ms}`));
  const over = slow
    .until((received) => received.length > 0, ms + 1000)
    .then(() => performance.now() - began);
  const during = new Set<string>();
  const other = async (target: string): Promise<Answer> => {
    const answer = await t.get(target, { causes: { 'no-answer': pauseTooLong } });
    if (slow.received.length === 0) during.add(target);
    return answer;
  };
  const [whole, short] = await Promise.all([other('/whole'), other('/pause/2')]);
  const took = await over;
  const causes = { 'no-answer': pauseTooLong };
  const answer: Answer = await slow.answer({ target: `/pause/${ms}`, limit: 100, causes });
  answer.expectStatus(200);
  answer.expectText(`paused ${ms} ms\n`, [
    { ...sharedState, if: (a) => a.text === 'paused 2 ms\n' },
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
    { ...sharedState, if: (a) => a.text === `paused ${ms} ms\n` },
  ]);
  if (during.size === 2) return true;
  if (!last) return false;
  whole.expect(during.has('/whole'), {
    diagnosis: 'event-loop-blocked',
    message: `While /pause/${ms} paused, GET /whole on another connection got no answer; it came when the pause was over. This pause blocks the event loop. A timer lets go of it; a loop, or a call that waits, does not.`,
    expected: 'an answer to GET /whole during the pause',
    actual: 'an answer after the pause',
  });
  return short.fail({
    diagnosis: 'one-pause-at-a-time',
    message: `GET /pause/2 was answered only after /pause/${ms} on another connection. The pauses stand in a queue, although each client waits for its own.`,
    expected: 'the short pause over before the long one',
    actual: 'the short pause after the long one',
  });
}

// Steps 5 and 6

/**
 * The answers to requests on one connection for each list, behind one to /wait. None of them can leave before the ring,
 * so a response that is ended twice, even if the second end comes late, shows now.
 */
async function inOrder(t: Trial, ...lists: string[][]): Promise<Answer[]> {
  const connections: Connection[] = [];
  for (const targets of lists) {
    const connection = t.connect();
    connections.push(connection);
    await connection.write(['/wait', ...targets].map(ask).join(''));
    await connection.until((received) => begun(received)?.body.length === firstLine.length);
  }
  await get(t, '/pause/10');
  await ring(t);
  const answers: Answer[] = [];
  for (const [i, connection] of connections.entries()) {
    (await connection.answer({ target: '/wait' })).expectText(rung);
    for (const target of lists[i] ?? []) answers.push(await connection.answer({ target }));
  }
  return answers;
}

const sharedState: Cause = {
  if: () => true,
  diagnosis: 'shared-state',
  message:
    'Asked at the same time as others, this request got something else than when it is asked alone. What belongs to one request lives inside one call of the handler; a variable outside is shared by all that are in flight.',
};

const stateOnConnection: Cause = {
  if: (answer) => answer.status === 200 && /^(red|blue|paused \d+ ms)\n$/.test(answer.text),
  diagnosis: 'state-on-connection',
  message:
    'Of several requests on one connection, one got the answer that belongs to another. A connection carries many requests: what belongs to one of them can be kept neither on its socket nor in a variable outside the handler.',
};

/** What a name gets: its colour, a 500 for the worm, a 404 for everything else. */
function expectFound(answer: Answer, name = '', causes: Cause[] = []): void {
  const colour = new Map([
    ['apple', 'red\n'],
    ['plum', 'blue\n'],
  ]).get(name);
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
      'GET /find/worm got a closed connection in place of an answer. No byte of an answer had been sent, so there was room for a 500.',
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

function expectCut(t: Trial, exchange: Exchange): void {
  const { outcome, message } = exchange;
  const lines = 'apple red\nplum blue\n';
  const expected = `status 200, ${JSON.stringify(lines)}, and then a connection that closes without the end of the response`;
  if (outcome === 'answered') {
    const answer: Answer = new Answer(exchange);
    answer.expectStatus(200, [
      {
        if: (a) => a.status === 500,
        diagnosis: 'list-held-back',
        message:
          'GET /list was answered with 500 and nothing else: no line had left when the worm came. Send each line as soon as it is found.',
      },
    ]);
    answer.fail({
      diagnosis: 'ended-as-if-whole',
      message:
        'The list broke half way, and its response ended in the ordinary way, so that the client takes what it got for the whole list. After the first byte only the connection can still say that something went wrong.',
      expected,
      actual: `a whole response, ${JSON.stringify(answer.text)}`,
    });
  }
  const facts = {
    expected,
    actual: message
      ? `status ${message.status}, ${JSON.stringify(textOf(exchange))}, ${exchange.note ?? ''}`
      : outcome,
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
      'The list was cut before the two lines that were found had left. Look the fruits up in order, and send each line before the next look-up.',
  });
  t.check(message?.status === 200 && textOf(exchange) === lines, {
    ...facts,
    diagnosis: 'wrong-list',
    message:
      'The list was cut, but before that came something else than status 200 and the two lines that were found.',
  });
}
