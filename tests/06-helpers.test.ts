import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief } from '../scripts/kernel/exchange.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { OutcomeCauses, RequestOptions, Trial } from '../scripts/kernel/trial.ts';

/** The limit that the README states, in bytes. */
const limit = 65_536;
/** How long the end of something is waited for that a right program does at once, in ms. */
const patience = 1500;
const typed = { 'Content-Type': 'application/json' };

/** Sends a body that is declared as JSON, whatever it holds. */
const post = (t: Trial, body: string | Uint8Array, options: RequestOptions = {}): Promise<Answer> =>
  t.send({ method: 'POST', target: '/notes', headers: typed, body, ...options });

/** The head of a POST to /notes on a connection that may stay open. */
const head = (...fields: string[]): string =>
  [
    'POST /notes HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    ...fields,
    '',
    '',
  ].join('\r\n');

const chunk = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
const lastChunk = '0\r\n\r\n';

/** A JSON text of exactly so many bytes. */
const jsonOf = (bytes: number, letter = 'x'): string => {
  const letters = letter.repeat(Math.floor((bytes - 2) / Buffer.byteLength(letter)));
  return `"${letters}${'x'.repeat(bytes - 2 - Buffer.byteLength(letters))}"`;
};

/**
 * How many calls of readBodyJSON have not been settled, as the program says. It is asked on a new connection, so that
 * what came on earlier ones has been seen.
 */
async function reading(t: Trial, causes: OutcomeCauses = {}): Promise<number> {
  const answer = await t.get('/reading', { headers: { Connection: 'close' }, causes });
  answer.expectStatus(200);
  const count = (Object(answer.json()) as { reading: unknown }).reading;
  if (typeof count === 'number') return count;
  return answer.fail({
    diagnosis: 'wrong-json',
    message:
      'server.ts gave sendJSON an object with the number "reading", and something else came. What is given to sendJSON is sent as it is.',
    expected: '{"reading":0}',
    actual: brief(answer.text, 200),
  });
}

const notText = {
  diagnosis: 'body-not-text',
  message:
    'Only text and bytes can be written to a response; an object or another value was given to res.end() or res.write().',
};

/** What a program dies of that hands Node something else than Node takes, and what to look at. */
const mistaken: [error: RegExp, diagnosis: string, message: string][] = [
  [/"chunk" argument must be/, notText.diagnosis, notText.message],
  [
    /Invalid status code: (?!undefined)/,
    'status-code-refused',
    'What Node was given as the status is no status code. sendJSON is called with the response, the data and the status, in this order.',
  ],
  [
    /Invalid value "(undefined|NaN)" for header "Content-Length"/i,
    'length-of-nothing',
    'Content-Length was set to a value that is no number. The length is that of the JSON, in bytes: an object has none.',
  ],
  [
    /The "string" argument must be|Received an instance of Object/,
    'length-of-nothing',
    'Something that measures or makes bytes was given the data in place of text: an object has no bytes. JSON.stringify comes first, and the length is that of what it gives.',
  ],
];

/** A GET whose answer may promise more or fewer bytes than it has: on a connection of its own that shows at once. */
async function show(t: Trial, target: string): Promise<Answer> {
  const options = { target, headers: { Connection: 'close' } };
  const exchange = await t.attempt(options);
  if (exchange.outcome === 'answered') return new Answer(exchange);
  if (exchange.outcome === 'connection-closed' && exchange.message?.framing === 'content-length') {
    const bytes = exchange.message.body.length;
    t.fail({
      diagnosis: 'length-too-long',
      message:
        bytes === 0
          ? 'Content-Length promises a body, and not one byte of it came: was the JSON given to the response? A client waits for it until the connection is closed.'
          : 'Content-Length promises more bytes than the body has. A client waits for the rest until the connection is closed.',
      expected: 'as many bytes of body as Content-Length says',
      actual: bytes === 0 ? 'no body' : `${bytes} bytes; ${exchange.note}`,
      exchange,
    });
  }
  // Asked again only to hear why; it is the first that the program may have died of.
  try {
    return await t.send(options);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    const { stderr } = t.program;
    const [, diagnosis, message] = mistaken.find(([pattern]) => pattern.test(stderr)) ?? [];
    if (diagnosis === undefined || message === undefined) throw error;
    const line = stderr
      .split('\n')
      .find((text) => mistaken.some(([pattern]) => pattern.test(text)));
    return t.fail({
      ...error.failure,
      diagnosis,
      message,
      expected: diagnosis === notText.diagnosis ? 'text or bytes for res.end()' : 'an answer',
      actual: brief(line?.trim() ?? '', 200),
      exchange,
    });
  }
}

/** The whole JSON came two times, one behind the other. */
function expectSentOnce(answer: Answer): void {
  const sent = Buffer.concat([answer.body, answer.trailing]).toString();
  const half = sent.slice(0, sent.length / 2);
  answer.expect(half === '' || sent !== half + half, {
    diagnosis: 'sent-twice',
    message:
      'The body was sent twice, once behind the other. What write has sent is not given to end again: end(text) sends the text and then ends.',
    expected: half,
    actual: brief(sent, 200),
  });
}

function expectJSONType(answer: Answer): void {
  const value = answer.header('Content-Type');
  answer.expect(value !== undefined, {
    diagnosis: 'no-content-type',
    message:
      'The answer has no Content-Type, so the client has to guess what it got. Node never sets one by itself.',
    expected: 'Content-Type: application/json',
    actual: 'no Content-Type',
  });
  answer.expect(/^application\/json\s*(;|$)/i.test(value ?? ''), {
    diagnosis: 'wrong-content-type',
    message: 'The body is JSON, and the Content-Type calls it something else.',
    expected: 'Content-Type: application/json',
    actual: `Content-Type: ${brief(value ?? '')}`,
  });
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(answer.header('Content-Type') ?? '')?.[1];
  answer.expect(charset === undefined || charset.toLowerCase() === 'utf-8', {
    diagnosis: 'wrong-charset',
    message:
      'The Content-Type names a charset that JSON does not have. JSON is always UTF-8; the parameter may be left out.',
    expected: 'Content-Type: application/json; charset=utf-8',
    actual: `Content-Type: ${brief(value ?? '')}`,
  });
}

/** A Content-Length, and no other framing beside it. */
function expectLength(answer: Answer, which = ''): void {
  answer.expect(answer.header('Content-Length') !== undefined, {
    diagnosis: 'no-content-length',
    message: `The answer${which} has no Content-Length.${answer.framing === 'chunked' ? ` So Node sent it chunked: before each piece stands its size in hexadecimal (here ${answer.body.length.toString(16)}), and after the last one a 0.` : ''} When writeHead or write sends the header section, Node does not know the length of what follows: measure the JSON in bytes, and set the field yourself.`,
    expected: `Content-Length: ${answer.body.length}`,
    actual: answer.header('Transfer-Encoding') ? 'Transfer-Encoding: chunked' : 'no Content-Length',
  });
  answer.expect(answer.header('Transfer-Encoding') === undefined, {
    diagnosis: 'two-framings',
    message:
      'The answer has a Content-Length and a Transfer-Encoding. Each says in its own way where the body ends, and two clients may believe different ones: an answer has one of them.',
    expected: 'Content-Length alone',
    actual: `Content-Length: ${answer.header('Content-Length')} and Transfer-Encoding: ${answer.header('Transfer-Encoding')}`,
  });
}

/** What server.ts had set before it called sendJSON. */
function expectFieldsKept(answer: Answer): void {
  answer.expectHeader('Cache-Control', 'no-store', [
    {
      if: (a) => a.header('Cache-Control') !== undefined,
      diagnosis: 'header-replaced',
      message:
        'server.ts had set Cache-Control before it called sendJSON, and the answer has another value. Add your header fields and leave the others alone.',
    },
    {
      if: () => true,
      diagnosis: 'header-lost',
      message:
        'server.ts had set Cache-Control before it called sendJSON, and the answer lacks it. Add your header fields and leave the others alone.',
    },
  ]);
}

/** Errors tell the client why. */
function expectReason(answer: Answer): string {
  const { error } = Object(answer.json()) as { error?: unknown };
  answer.expect(typeof error === 'string' && error !== '', {
    diagnosis: 'no-reason',
    message: 'The error does not tell the client why: the message of the HttpError is empty.',
    expected: '{ "error": "…" }',
    actual: answer.text,
  });
  return String(error);
}

/** Why a good body, sent in one piece, was refused: a few more are sent to tell. */
async function whyNotRead(
  t: Trial,
  answer: Answer,
): Promise<{ diagnosis: string; message: string } | undefined> {
  if (answer.status === 415) return undefined;
  const { stderr } = t.program;
  const body = `${t.int(10, 99)}`;
  const number = await t.attempt({ method: 'POST', target: '/notes', headers: typed, body });
  if (number.message?.status === 201 && number.message.body.toString() === body) {
    return {
      diagnosis: 'objects-refused',
      message:
        "A good body that is an object was refused, and a number was taken. Is something asked of every object that no object passes? '__proto__' in data, and data.__proto__, are true of all of them: what they inherit counts there.",
    };
  }
  const notes = await t.attempt({ target: '/notes' });
  const stored = notes.message?.body.toString() ?? '';
  if (answer.status === 500 && /\[(null,)*null\]/.test(stored)) {
    return {
      diagnosis: 'resolved-with-nothing',
      message:
        'readBodyJSON resolved with undefined, and for that there is no JSON. What a listener returns goes to nobody: the data are handed over with the resolve of a promise that readBodyJSON returns. (And a function given to JSON.parse has to return each value.)',
    };
  }
  const early =
    /Unexpected end of JSON input|"undefined" is not valid JSON|Unexpected token u/.test(stderr);
  if (early || /empty/i.test(answer.text)) {
    return {
      diagnosis: 'parsed-too-early',
      message:
        'A whole body was sent, and the code found nothing there. Either it looked before any of it had come, or it kept nothing of what came. The body comes later, in events, and is whole at the end of the request: wait for that. (Node has no req.body.)',
    };
  }
  return {
    diagnosis: 'wrong-status',
    message: `A good JSON body was answered with status ${answer.status}.${answer.status === 500 ? ' The terminal shows the error.' : ''} Join all the bytes of the request, make them text, and give JSON.parse that text.`,
  };
}

export default suite(
  '06-helpers',
  {
    async 'Send JSON, measured in bytes'(t) {
      const word = t.word();
      const plain = await show(t, `/show?text=${word}`);
      plain.expectStatus(200, [
        {
          if: (a) => a.status === 500 && t.program.stderr.includes('ERR_HTTP_INVALID_STATUS_CODE'),
          diagnosis: 'no-default-status',
          message:
            'sendJSON was called without a status, and passed undefined on. Its third parameter is 200 by default.',
        },
      ]);
      expectJSONType(plain);
      expectSentOnce(plain);
      plain.expect(plain.trailing.length === 0, {
        diagnosis: 'length-too-short',
        message:
          'Content-Length is smaller than the body, so the client cuts the body short and takes the rest for the next response. Is it measured on the text that is sent?',
        expected: `Content-Length: ${plain.body.length + plain.trailing.length}`,
        actual: `Content-Length: ${plain.header('Content-Length')}, and a body of ${plain.body.length + plain.trailing.length} bytes`,
      });
      plain.expectJSON({ text: word }, [
        {
          if: (a) => a.text === '',
          diagnosis: 'empty-body',
          message:
            'The status and the header fields came, but the body is empty: the JSON was never given to the response.',
        },
        {
          if: (a) => a.text.includes('[object Object]'),
          diagnosis: 'not-stringified',
          message:
            'The body is what String() makes of an object. Only text and bytes travel: JSON.stringify makes text of data.',
        },
        {
          if: (a) => a.text.startsWith('"{'),
          diagnosis: 'stringified-twice',
          message:
            'The body is a JSON string that holds JSON: JSON.stringify was called on text that was JSON already.',
        },
      ]);
      expectLength(plain);
      expectFieldsKept(plain);

      // Two bytes, three bytes, and four bytes that are two UTF-16 units.
      const text = `${t.word()} ë € 😀`;
      const wide = await show(t, `/show?text=${encodeURIComponent(text)}`);
      const declared = Number(wide.header('Content-Length'));
      const sent = Buffer.concat([wide.body, wide.trailing]);
      wide.expect(declared === sent.length, {
        ...(declared === sent.toString().length
          ? {
              diagnosis: 'length-in-characters',
              message:
                "Content-Length counts characters: a string's length is in UTF-16 units, and the header field counts bytes. The client cuts the body short.",
            }
          : {
              diagnosis: 'length-too-short',
              message:
                'Content-Length is smaller than the body, so the client cuts the body short and takes the rest for the next response.',
            }),
        expected: `Content-Length: ${sent.length}`,
        actual: `Content-Length: ${declared}, and a body of ${sent.length} bytes`,
      });
      wide.expectJSON({ text }, [
        {
          if: () => true,
          diagnosis: 'letters-broken',
          message:
            'Letters beyond ASCII did not arrive as they were sent. JSON travels as UTF-8, which is what res.end(text) makes of text.',
        },
      ]);

      const status = t.pick([201, 202, 404, 418, 503]);
      const named = await show(t, `/show?text=${word}&status=${status}`);
      named.expectStatus(status, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'status-ignored',
          message: 'sendJSON was called with a third argument, and the status is 200 all the same.',
        },
      ]);
      named.expectJSON({ text: word });
      // One that tells of a failure where that was a success, and the other way round; without a text, which is null then.
      const other = status < 400 ? 404 : 201;
      const without = await show(t, `/show?status=${other}`);
      without.expectStatus(other, [
        {
          if: () => true,
          diagnosis: 'status-ignored',
          message: `sendJSON was called with the status ${other}, and the answer has another. With ${status} it was right: whatever the status is, it is sent as it came.`,
        },
      ]);
      without.expectJSON({ text: null });
      for (const answer of [named, without]) {
        expectJSONType(answer);
        expectLength(answer, ` with status ${answer.status}`);
        expectFieldsKept(answer);
      }

      const nothing = await t.get('/null');
      const falsy = {
        if: () => true,
        diagnosis: 'falsy-data',
        message:
          'sendJSON(res, null) must send the JSON text null with status 200. A test such as if (!data) takes good data for missing data.',
      };
      nothing.expectStatus(200, [falsy]);
      nothing.expectJSON(null, [falsy]);
      expectJSONType(nothing);
      expectLength(nothing, ' to GET /null');
    },

    async 'Answer once, whole or not at all'(t) {
      const broken = {
        '/cycle':
          'The data of GET /cycle holds itself. JSON.stringify throws for it, and the client was told that all went well: was the error caught inside sendJSON, or the cycle left out? Let the error out of sendJSON: server.ts answers 500.',
        '/bigint':
          'The data of GET /bigint holds a BigInt, which JSON does not have, and the client was told that all went well: did a replacer or a toJSON turn it into something else, or was the error caught inside sendJSON? Leave a BigInt as it is, and JSON.stringify throws; server.ts answers 500.',
        '/undefined':
          'The data of GET /undefined is undefined, for which there is no JSON. Something else was sent in its place, and the client was told that all went well. Throw an error instead: server.ts answers 500.',
      };
      for (const target of ['/cycle', '/bigint', '/undefined'] as const) {
        const answer = await t.get(target, {
          causes: {
            'connection-closed': {
              diagnosis: 'begun-before-json',
              message:
                'The connection was closed without an answer. Either the head was written before JSON.stringify threw, so that a 500 came too late, or the response was destroyed. Serialise first, and touch res after that.',
            },
          },
        });
        answer.expectStatus(500, [
          {
            if: (a) => a.status < 400 && a.text.includes('"Internal Server Error"'),
            diagnosis: 'error-without-500',
            message:
              'The body is the one that belongs to a 500, and the status says that all went well. Either sendJSON ignores its third argument, or it caught the error itself and answered: let the error out, and server.ts answers.',
          },
          {
            if: (a) => a.status < 400 && a.text === '',
            diagnosis: 'empty-success',
            message: `There is no JSON for the data of GET ${target}, and the client was told that all went well, with an empty body. JSON.stringify gives undefined, without throwing, for undefined.`,
          },
          {
            if: (a) => a.status < 400,
            diagnosis: 'broken-success',
            message: broken[target],
          },
          {
            if: (a) => a.status < 500,
            diagnosis: 'wrong-status',
            message: `GET ${target} was answered with ${answer.status}, as if the client had made a mistake. That there is no JSON for the data is yours: let the error out of sendJSON as it is, and server.ts answers 500.`,
          },
        ]);
        expectJSONType(answer);
        answer.expectJSON({ error: 'Internal Server Error' }, [
          {
            if: (a) =>
              /circular|cyclic|BigInt|serializ|serialis|undefined|\bat .*:\d+/i.test(a.text),
            diagnosis: 'error-leaked',
            message:
              'The 500 tells the client what went wrong inside. That belongs in your log; the client gets { "error": "Internal Server Error" }.',
          },
          {
            if: () => true,
            diagnosis: 'error-leaked',
            message:
              'The 500 has a text of its own. server.ts tells a client the message of an HttpError, and of any other error nothing: this one is your own mistake, and no HttpError.',
          },
        ]);
      }

      const connection = t.connect();
      await connection.write('GET /twice HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const first = await connection.answer();
      first.expectStatus(200);
      first.expectJSON({ answer: 'first' });
      await t.settle();
      const closes = /\bclose\b/i.test(first.header('Connection') ?? '');
      if (!closes) await connection.write('GET /null HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const next = closes
        ? await t.attempt({ target: '/null' })
        : await connection.attempt({ target: '/null' });
      t.check(next.outcome === 'answered', {
        diagnosis: 'ended-answer-destroyed',
        message:
          'The first answer of GET /twice had ended, and the second sendJSON closed the connection under it. An answer that has ended is left alone.',
        expected: 'a connection that takes the next request',
        actual: `the connection is ${next.closed === 'open' ? 'open, and nothing came' : 'closed'}`,
        exchange: first.exchange,
      });
      new Answer(next).expectJSON(null);

      const half = await t.attempt({ target: '/half' });
      await t.settle();
      t.check(half.outcome !== 'answered', {
        diagnosis: 'half-passed-off',
        message:
          'GET /half failed when half of its answer was out, and the answer was then ended as if it were whole. Only a connection that is cut tells the client that something is missing.',
        expected: 'a connection that is cut in the middle of the response',
        actual: 'a response that looks whole',
        exchange: half,
      });
      const more = half.message?.body.toString() ?? '';
      t.check('{"answer":'.startsWith(more) || half.outcome === 'response-never-ended', {
        diagnosis: 'half-appended',
        message:
          'GET /half failed when half of its answer was out, and more was sent behind that half before the connection was cut. Where an answer has begun, sendJSON sends nothing.',
        expected: '{"answer":',
        actual: brief(more, 200),
        exchange: half,
      });
      t.check(half.outcome === 'connection-closed' || half.outcome === 'connection-reset', {
        diagnosis: 'half-left-open',
        message:
          'GET /half failed when half of its answer was out, and the response was left open: the client waits for good. sendJSON has to cut off an answer that has begun and not ended.',
        expected: 'a connection that is cut in the middle of the response',
        actual: half.note ?? half.outcome,
        exchange: half,
      });
    },

    async 'Join the bytes, then decode'(t) {
      const never: OutcomeCauses = {
        'no-answer': {
          diagnosis: 'body-never-resolved',
          message:
            'The whole body had come, and no answer: readBodyJSON neither resolved nor rejected.',
        },
      };
      const note = {
        word: t.word(),
        gap: null,
        number: t.int(10, 10_000),
        list: [true, null, { deep: t.word() }],
      };
      const plain = await post(t, JSON.stringify(note), { causes: never });
      const why = plain.status >= 400 ? await whyNotRead(t, plain) : undefined;
      plain.expectStatus(201, [
        {
          if: (a) => a.status === 415,
          diagnosis: 'wrong-status',
          message:
            'The request says Content-Type: application/json, and it was refused as if it said something else. Other header fields may stand before this one; req.headers finds it by its name, in small letters.',
        },
        { if: () => why !== undefined, diagnosis: '', message: '', ...why },
      ]);
      plain.expectJSON(note, [
        {
          if: (a) => a.text.startsWith('{"type":"Buffer"'),
          diagnosis: 'not-parsed',
          message:
            'readBodyJSON resolved with the bytes of the body. It resolves with what JSON.parse makes of their text.',
        },
        {
          if: (a) => typeof a.json() === 'string',
          diagnosis: 'not-parsed',
          message:
            'readBodyJSON resolved with the text of the body. It resolves with what JSON.parse makes of it.',
        },
      ]);

      // Two bytes, three bytes, four bytes.
      const letters = { text: `ë € 😀 ${t.word()}` };
      const bytes = Buffer.from(JSON.stringify(letters));
      const unsplit = await post(t, bytes, { causes: never });
      unsplit.expectJSON(letters, [
        {
          if: () => true,
          diagnosis: 'wrong-encoding',
          message:
            'Letters beyond ASCII did not come through, although the body came in one piece. JSON is UTF-8: decode it as that.',
        },
      ]);

      const broken = [
        {
          if: (a: Answer) => a.status >= 400 && a.status !== 413,
          diagnosis: 'parsed-too-early',
          message:
            'The same JSON was fine in one piece; in several chunks it was refused. Either it was parsed before all of its bytes had come, or the chunks were not joined to the bytes that were sent, all of them and nothing between.',
        },
        {
          if: (a: Answer) => a.text.includes('\ufffd'),
          diagnosis: 'letters-broken',
          message:
            'A letter came back as \ufffd. Its bytes came in two chunks, and each chunk was made into text by itself. Join the bytes first, and decode once.',
        },
      ];
      const pieces = Buffer.concat([
        ...Array.from(bytes, (_, i) => chunk(bytes.subarray(i, i + 1))),
        Buffer.from(lastChunk),
      ]);
      const inChunks = { ...typed, 'Transfer-Encoding': 'chunked' };
      const withoutLength = {
        diagnosis: 'chunked-refused',
        message:
          'The same JSON was taken with a Content-Length; sent chunked, without that field, it was not, though it came in one piece. Whether a body comes, and how much, is known only when the request has ended: do not ask Content-Length.',
      };
      const chunked = await post(t, pieces, {
        headers: inChunks,
        causes: {
          'no-answer': {
            diagnosis: 'body-never-resolved',
            message:
              "A whole body had come in chunks, without a Content-Length, and no answer: readBodyJSON neither resolved nor rejected. The request's own end says that the body is whole.",
          },
        },
      });
      const whole =
        chunked.status === 201
          ? undefined
          : await t.attempt({
              method: 'POST',
              target: '/notes',
              headers: inChunks,
              body: Buffer.concat([
                chunk(Buffer.from(JSON.stringify(note))),
                Buffer.from(lastChunk),
              ]),
            });
      chunked.expectStatus(201, [
        { if: () => (whole?.message?.status ?? 201) !== 201, ...withoutLength },
        ...broken,
      ]);
      chunked.expectJSON(letters, broken);

      // Two bodies at the same time, each in two packets that part a letter.
      // Equally long, and different before the cut and behind it.
      const notes = [0, 1].map((n) => ({ n, text: letters.text, word: t.word().slice(0, 6) }));
      const bodies = notes.map((one) => Buffer.from(JSON.stringify(one)));
      const connections = bodies.map(() => t.connect());
      const cut = (bodies[0]?.indexOf('€') ?? 0) + 1;
      for (const [n, connection] of connections.entries()) {
        const body = bodies[n] ?? Buffer.alloc(0);
        await connection.write(
          Buffer.concat([
            Buffer.from(head(`Content-Length: ${body.length}`)),
            body.subarray(0, cut),
          ]),
        );
      }
      await reading(t);
      for (const [n, connection] of connections.entries())
        await connection.write(bodies[n]?.subarray(cut) ?? '');
      for (const [n, connection] of connections.entries()) {
        const answer = await connection.answer({
          causes: {
            ...never,
            'no-answer': {
              diagnosis: 'bodies-mixed',
              message:
                'Two bodies came at the same time, and one request got no answer. What belongs to one request must live inside readBodyJSON.',
            },
          },
        });
        const mixed = {
          if: () => true,
          diagnosis: 'bodies-mixed',
          message:
            'Two bodies came at the same time, and one got into the other. The chunks of a request must live inside readBodyJSON, not outside it.',
        };
        const [early, splitLetter] = broken;
        answer.expectStatus(201, [mixed]);
        answer.expectJSON(notes[n], [
          ...(splitLetter ? [splitLetter] : []),
          mixed,
          ...(early ? [early] : []),
        ]);
      }

      // What some code or other would undo, tidy up or round, though JSON.parse has done all that there is to do.
      const odd = {
        text: `  + %41 &lt; 'x' "y" \\n ,] //`,
        digits: '007',
        numbers: [2 ** 40, 0.5],
      };
      const values = [42, true, `${t.word()}  b\n\tc`, odd, false, 0, '', [], {}, null];
      await t.each(values, async (part, value) => {
        const json = JSON.stringify(value);
        const answer = await post(part, json, { causes: never });
        const causes: Cause[] = [
          {
            if: () => value === odd,
            diagnosis: 'data-changed',
            message:
              'A body did not come through in which marks such as + and %41 stand in a text, or digits in quotes, or numbers that are not small and whole. What comes is given to JSON.parse as it is, and what JSON.parse gives is the data as it is: nothing is tidied up on the way.',
          },
          {
            if: (a) => typeof value === 'string' && a.text === value && a.status === 201,
            diagnosis: 'text-without-quotes',
            message: `A note that is a text was posted, and sendJSON sent it as it is. The JSON of a text has quotes around it: JSON.stringify is for every kind of data.`,
          },
          {
            if: (a) => typeof value !== 'object' && !!value && a.status >= 400,
            diagnosis: 'only-objects-taken',
            message: `The body ${json} is good JSON, and it was refused. Not only objects and arrays are JSON: a text, a number, true, false and null are as well.`,
          },
          {
            if: () => value === null,
            diagnosis: 'null-refused',
            message:
              'The body null is good JSON, and the data is null then. false, 0 and "" came through; null must as well.',
          },
          {
            if: () => !value,
            diagnosis: 'falsy-body',
            message: `The body ${json} is good JSON. A test such as if (!value), or an ||, takes it for nothing.`,
          },
        ];
        answer.expectStatus(201, causes);
        answer.expectJSON(value, causes);
        expectJSONType(answer);
      });

      const long = { text: t.word().repeat(5000) };
      const answer = await post(t, JSON.stringify(long), { causes: never });
      answer.expectStatus(201, broken);
      answer.expect(answer.body.length > 30_000, {
        diagnosis: 'body-cut',
        message:
          'A body of some 40 000 bytes came back shorter. It arrives in several chunks; all of them count.',
        expected: `${Buffer.byteLength(JSON.stringify(long))} bytes`,
        actual: `${answer.body.length} bytes`,
      });
    },

    async 'Call bad input by its name'(t) {
      const unanswered: OutcomeCauses = {
        'no-answer': {
          diagnosis: 'bad-body-unanswered',
          message:
            'A bad body got no answer: readBodyJSON neither resolved nor rejected. An error thrown inside a listener never reaches the promise by itself.',
        },
      };
      const invalid = [`{"text":"${t.word()}`, '[', t.word(), '[1,]', '{"a":1} x', '  \n'];
      await t.each(invalid, async (part, body) => {
        const answer = await post(part, body, { causes: unanswered });
        answer.expectStatus(400, [
          {
            if: (a) => a.status === 500,
            diagnosis: 'invalid-is-500',
            message:
              "A body that is not JSON is the client's mistake, and 500 says that it is yours. Catch what JSON.parse throws, and reject with an HttpError of status 400.",
          },
          {
            if: (a) => a.status < 400,
            diagnosis: 'invalid-accepted',
            message: `The body ${JSON.stringify(body)} is not JSON, and it was taken.`,
          },
        ]);
        const error = expectReason(answer);
        answer.expect(!/empty/i.test(error) || body.trim() === '', {
          diagnosis: 'invalid-called-empty',
          message: `The body ${JSON.stringify(body)} is not JSON, and not empty either; the error calls it empty.`,
          expected: 'an error that does not say empty',
          actual: error,
        });
      });

      const empty: RequestOptions[] = [
        { body: '' },
        { body: lastChunk, headers: { ...typed, 'Transfer-Encoding': 'chunked' } },
        // Without a Content-Length and a Transfer-Encoding there is no body (RFC 9112, 6.3).
        {},
      ];
      for (const options of empty) {
        const answer = await t.send({
          method: 'POST',
          target: '/notes',
          headers: typed,
          ...options,
          causes: unanswered,
        });
        answer.expectStatus(400, [
          {
            if: (a) => a.status < 400,
            diagnosis: 'empty-accepted',
            message:
              'A request without a body was taken as if it had one. An empty body is not JSON.',
          },
          {
            if: (a) => a.status === 500,
            diagnosis: 'empty-is-500',
            message: "An empty body is the client's mistake, and 500 says that it is yours.",
          },
          {
            if: (a) => a.status === 411,
            diagnosis: 'wrong-status',
            message:
              'A request that has no body, and so neither Content-Length nor Transfer-Encoding, got 411, as if one were on its way. Its body is empty: 400.',
          },
        ]);
        const error = expectReason(answer);
        answer.expect(/empty/i.test(error), {
          diagnosis: 'empty-not-named',
          message:
            'The body was empty, and the error does not say so. A client that forgot its body should not go looking for a syntax error: use the word empty.',
          expected: 'an error with the word empty in it',
          actual: error,
        });
      }

      const poisoned = [
        `{"text":"${t.word()}","__proto__":{"admin":true}}`,
        `{"list":[{"deep":{"__proto__":null}}]}`,
        `{"\\u005f_proto__":true}`,
      ];
      await t.each(poisoned, async (part, body) => {
        const answer = await post(part, body, { causes: unanswered });
        answer.expectStatus(400, [
          {
            if: (a) => a.status < 400,
            diagnosis: 'proto-accepted',
            message: `The body ${body} has a key __proto__, and it was taken. JSON.parse makes an ordinary key of it, and the next Object.assign makes it the prototype. Look at every key of every object, after JSON.parse has undone the escapes.`,
          },
          {
            if: (a) => a.status === 500,
            diagnosis: 'proto-is-500',
            message: "A key __proto__ is the client's doing, and 500 says that it is your mistake.",
          },
        ]);
        expectReason(answer);
      });
      const harmless = { text: '__proto__', more: '"__proto__":' };
      const taken = await post(t, JSON.stringify(harmless));
      // Is it these letters, or is every body refused?
      const letters = taken.status === 400 && (await post(t, '{"text":""}')).status === 201;
      taken.expectStatus(201, [
        {
          if: () => letters,
          diagnosis: 'proto-text-refused',
          message:
            'A body was refused in which __proto__ stands in a text and is no key. Look at the keys that JSON.parse found, not at the letters of the body.',
        },
      ]);
      taken.expectJSON(harmless);
      const others = {
        constructor: 1,
        prototype: { a: 2 },
        proto: 3,
        _proto_: 4,
        __proto: 5,
        a__proto__b: 6,
        __PROTO__: 7,
        ' __proto__': 8,
      };
      const kept = await post(t, JSON.stringify(others));
      const refused = {
        if: () => true,
        diagnosis: 'harmless-key-refused',
        message: `A body with the keys ${Object.keys(others).join(', ')} did not come through as it was. Any JSON may come, and only __proto__, letter for letter, is a key to refuse.`,
      };
      kept.expectStatus(201, [refused]);
      kept.expectJSON(others, [refused]);
    },

    async 'Notice who hangs up'(t) {
      const word = t.word();
      const body = JSON.stringify({ half: word });
      // What has come of each body would be JSON by itself.
      const leave = [
        { begin: head(`Content-Length: ${body.length + 20}`) + body, how: 'end' },
        { begin: head(`Content-Length: ${body.length + 20}`) + body, how: 'destroy' },
        { begin: head(`Content-Length: ${body.length + 20}`) + body, how: 'reset' },
        {
          begin: head('Transfer-Encoding: chunked') + chunk(Buffer.from(body)).toString(),
          how: 'reset',
        },
        { begin: head('Content-Length: 20'), how: 'reset' },
      ] as const;
      const before = await reading(t);
      const kept = await t.get('/notes');
      const connections = leave.map(({ how }) => ({ how, connection: t.connect() }));
      await Promise.all(
        connections.map(({ connection }, n) => connection.write(leave[n]?.begin ?? '')),
      );
      const waiting = await t.until(
        async () => (await reading(t)) === before + leave.length,
        patience,
      );
      if (!waiting) {
        t.fail({
          diagnosis: 'half-body-accepted',
          message:
            'A part of a body had come, the client was still sending, and readBodyJSON had already made up its mind. A body is whole when the request has ended.',
          expected: `{"reading":${before + leave.length}} while ${leave.length} clients are in the middle of their bodies`,
          actual: `{"reading":${await reading(t)}}`,
        });
      }
      for (const { connection, how } of connections) connection[how]();
      const died = { diagnosis: 'hang-up-crashes', message: '' };
      const explained = (error: unknown): never => {
        if (!(error instanceof StepFailure) || error.failure.diagnosis !== died.diagnosis)
          throw error;
        const actual = error.failure.actual ?? '';
        // That is what the request itself reports.
        const aborted = /ECONNRESET\]?: aborted|Premature close/.test(actual);
        const gone = /ERR_HTTP_CONTENT_LENGTH_MISMATCH|ERR_STREAM|EPIPE|ECONNRESET/.test(actual);
        // It ended itself.
        const ended = actual.startsWith('exit code');
        return t.fail({
          ...error.failure,
          message: `Clients sent POST /notes, hung up in the middle of the body, and that stopped the whole server.${ended ? ' No error did that: look for a process.exit() or a server.close().' : aborted ? ' The request told of it with an error, and that error never came to the promise that readBodyJSON returns: it was thrown where nobody catches it, as in a listener, or in an async function that nobody awaits.' : gone ? ' An answer was written to a client that had gone: nothing takes its bytes any more, and that error reached nobody.' : ' An error that is thrown inside a listener reaches no promise: reject.'}`,
          exchange: undefined,
        });
      };
      const settled = await t
        .until(async () => (await reading(t, { crashed: died })) === before, patience)
        .catch(explained);
      if (!settled) {
        const left = (await reading(t)) - before;
        t.fail({
          diagnosis: 'never-settles',
          message: `${leave.length} clients hung up in the middle of a body, and for ${left} of them readBodyJSON still waits for the rest. Its promise never settles, and all that it holds stays in memory.`,
          expected: '{"reading":0}, now that the clients have gone',
          actual: `{"reading":${left}}`,
        });
      }
      const notes = await t.get('/notes', { causes: { crashed: died } }).catch(explained);
      notes.expect(!notes.text.includes(word), {
        diagnosis: 'half-body-accepted',
        message:
          'A client hung up before its body was whole, and what had come was taken as a note. The end of the connection is not the end of the body.',
        expected: 'no note of a client that hung up',
        actual: 'the note was taken',
      });
      notes.expect(notes.text === kept.text, {
        diagnosis: 'hang-up-resolved',
        message:
          'A client hung up before its body was whole, and a note was stored all the same: readBodyJSON resolved with something. Where no whole body came there is nothing to resolve with: reject.',
        expected: 'the notes as they were',
        actual: brief(notes.text.slice(-200), 200),
      });
    },

    async 'Take JSON and nothing else'(t) {
      const word = t.word();
      const body = JSON.stringify({ text: word });
      const send = (part: Trial, type: string | undefined): Promise<Answer> =>
        post(part, body, { headers: { 'Content-Type': type } });
      const right = [
        'application/json',
        'application/json; charset=utf-8',
        'application/json;charset=UTF-8',
        'application/json; version=1',
        'application/json ;charset=utf-8',
      ];
      await t.each(right, async (part, type) => {
        (await send(part, type)).expectStatus(201, [
          {
            if: (a) => a.status === 415 && type.includes(' ;'),
            diagnosis: 'space-refused',
            message: `Content-Type: ${type} was refused. Spaces may stand before a semicolon as well as after it (RFC 9110, 5.6.6): they are no part of the media type.`,
          },
          {
            if: (a) => a.status === 415 && type.includes('version'),
            diagnosis: 'parameter-refused',
            message: `Content-Type: ${type} was refused, and with charset=utf-8 it was taken. A media type may have any parameters.`,
          },
          {
            if: (a) => a.status === 415 && type.includes(';'),
            diagnosis: 'charset-refused',
            message: `Content-Type: ${type} was refused. What stands after the semicolon is a parameter, and not part of the media type.`,
          },
        ]);
      });
      (await send(t, 'Application/JSON')).expectStatus(201, [
        {
          if: (a) => a.status === 415,
          diagnosis: 'type-case',
          message:
            'Content-Type: Application/JSON was refused. Media types are the same in capital and small letters (RFC 9110, 8.3.1).',
        },
      ]);

      const status = {
        if: (a: Answer) => a.status >= 400,
        diagnosis: 'wrong-status',
        message: 'The media type was refused with another status: 415 is the one that says so.',
      };
      const wrong = [
        [
          'text/plain',
          'type-not-checked',
          'JSON that was declared as text/plain was taken. Any web page may send text/plain to you without asking; requiring application/json makes the browser ask first.',
        ],
        [
          'application/x-www-form-urlencoded',
          'type-not-checked',
          'A body that was declared as a form was taken.',
        ],
        [
          'application/jsonx',
          'type-prefix',
          'Content-Type: application/jsonx was taken. It begins like application/json and is another type: compare the whole media type.',
        ],
        [
          `application/vnd.${word}+json`,
          'type-by-suffix',
          `Content-Type: application/vnd.${word}+json was taken. What such a type holds is written as JSON, and yet it is another type: compare the whole media type.`,
        ],
        [
          'application/json-patch+json',
          'type-prefix',
          'Content-Type: application/json-patch+json was taken. It begins like application/json and is another type: compare the whole media type.',
        ],
        [
          'text/json',
          'type-includes',
          'Content-Type: text/json was taken. It is another media type than application/json: compare the whole media type.',
        ],
        [
          'application.json',
          'type-by-pattern',
          'Content-Type: application.json was taken, which is no media type at all. In a regular expression a dot stands for any character: compare texts.',
        ],
        [
          'text/plain; x=application/json',
          'type-includes',
          'Content-Type: text/plain; x=application/json was taken. The media type is text/plain here; the rest is a parameter.',
        ],
        [
          'text/application/json',
          'type-includes',
          'Content-Type: text/application/json was taken. Compare the whole media type, not a part of it.',
        ],
      ] as const;
      await t.each(wrong, async (part, [type, diagnosis, message]) => {
        const answer = await send(part, type);
        answer.expectStatus(415, [{ if: (a) => a.status < 400, diagnosis, message }, status]);
        expectReason(answer);
      });
      const nothing = await post(t, '', { headers: { 'Content-Type': 'text/plain' } });
      nothing.expectStatus(415, [
        {
          if: (a) => a.status === 400,
          diagnosis: 'type-checked-late',
          message:
            'An empty body that was declared as text/plain got 400. The media type comes first: 415, whatever the body holds.',
        },
      ]);
      // A body that is too long, of which nothing has come yet.
      const early = t.connect();
      await early.write(
        head(`Content-Length: ${limit + 1}`).replace('application/json', 'text/plain'),
      );
      const before = await early.answer({
        causes: {
          'no-answer': {
            diagnosis: 'type-checked-late',
            message:
              'The head of a request had come, with Content-Type: text/plain, and no answer: the body was waited for. The media type stands in the head, and comes first: 415 at once.',
          },
        },
      });
      before.expectStatus(415, [
        {
          if: (a) => a.status === 413,
          diagnosis: 'type-checked-late',
          message:
            'A body that was declared as text/plain and as too long got 413. The media type comes first: 415, however long the body is.',
        },
      ]);
      (await send(t, undefined)).expectStatus(415, [
        {
          if: (a) => a.status === 500,
          diagnosis: 'missing-type-is-500',
          message:
            'A request without Content-Type got a 500. The field may be missing: its value is undefined then.',
        },
        {
          if: (a) => a.status < 400,
          diagnosis: 'missing-type-accepted',
          message: 'A body without any Content-Type was taken.',
        },
        status,
      ]);
    },

    async 'Stop at the limit'(t) {
      const whole = Buffer.from(jsonOf(limit, '€'));
      for (const answer of [
        await post(t, jsonOf(limit)),
        await post(t, Buffer.concat([chunk(whole), Buffer.from(lastChunk)]), {
          headers: { ...typed, 'Transfer-Encoding': 'chunked' },
        }),
      ]) {
        answer.expectStatus(201, [
          {
            if: (a) => a.status === 413,
            diagnosis: 'limit-too-low',
            message: `A body of exactly ${limit} bytes was refused. BODY_LIMIT bytes are allowed, for each body anew; one byte more is too long.`,
          },
        ]);
      }

      const hungUp = {
        diagnosis: 'hung-up-before-413',
        message:
          'The connection was closed before the client could read a 413: the request was destroyed while the client was still sending. Reject, and leave the connection to server.ts.',
      };
      const hungUpCauses = { 'connection-closed': hungUp, 'connection-reset': hungUp };

      // One byte too many. Whoever looks at Content-Length may answer before the body.
      for (const letter of ['x', '€']) {
        const declared = t.connect();
        const body = jsonOf(limit + 1, letter);
        await declared.write(head(`Content-Length: ${limit + 1}`));
        await reading(t);
        if (declared.received.length === 0 && declared.state === 'open') await declared.write(body);
        const answer = await declared.answer({
          causes: {
            ...hungUpCauses,
            'no-answer': {
              diagnosis: 'too-long-unanswered',
              message: `A body of ${limit + 1} bytes had come, and no answer. Past the limit readBodyJSON has to reject at once.`,
            },
          },
        });
        answer.expectStatus(413, [
          {
            if: (a) => a.status < 400 && letter === '€',
            diagnosis: 'limit-in-characters',
            message: `A body of ${limit + 1} bytes was taken, because it has only ${body.length} characters. The limit counts bytes.`,
          },
          {
            if: (a) => a.status < 400,
            diagnosis: 'no-limit',
            message: `A body of ${limit + 1} bytes was taken: one more than BODY_LIMIT.`,
          },
          {
            if: (a) => a.status >= 400,
            diagnosis: 'wrong-status',
            message:
              'A body that is too long was refused with another status: 413 is the one that says so.',
          },
        ]);
      }

      // The same without a length and without an end: send a little too much, stop, read.
      const chunked = t.connect();
      // What stands within the limit would be JSON by itself.
      const tooLong = Buffer.from(`${JSON.stringify(t.word())}${' '.repeat(limit)}`).subarray(
        0,
        limit + 1,
      );
      const memory = t.program.memory();
      await chunked.write(head('Transfer-Encoding: chunked'));
      await chunked.write(chunk(tooLong.subarray(0, 1000)));
      await chunked.write(chunk(tooLong.subarray(1000)));
      const stopped = await chunked.attempt();
      if (stopped.outcome === 'no-answer') {
        // It waits for more. Does it ever count?
        const more = chunk(Buffer.alloc(1024 * 1024, 'x'));
        for (let n = 0; n < 32 && chunked.state === 'open'; n++)
          await Promise.race([chunked.write(more), chunked.closed(300)]);
        const grown = ((t.program.memory() ?? 0) - (memory ?? 0)) / 1024 / 1024;
        const actual = `no answer to ${limit + 1} bytes, nor to 33 MB${memory === undefined ? '' : `; the program grew by ${Math.round(grown)} MB meanwhile`}`;
        await chunked.write(lastChunk);
        const late = await chunked.attempt();
        t.fail({
          ...(late.message?.status === 413
            ? {
                diagnosis: 'limit-at-the-end',
                message:
                  'A chunked body that was too long got no answer while it was coming; the 413 came only after its last chunk. A body without end would be read for ever. Count while the bytes arrive.',
              }
            : {
                diagnosis: 'limit-by-content-length',
                message:
                  'A body with a Content-Length is refused when it is too long. A chunked one has none, and it was read on and on without a 413. Count the bytes as they arrive.',
              }),
          expected: `status 413 as soon as ${limit + 1} bytes have come`,
          actual,
          exchange: stopped,
        });
      }
      t.check(stopped.outcome === 'answered', {
        ...hungUp,
        expected: 'an answer with status 413',
        actual: stopped.note ?? stopped.outcome,
        exchange: stopped,
      });
      const refused = new Answer(stopped);
      refused.expectStatus(413, [
        {
          if: (a) => a.status < 400 || a.status === 400,
          diagnosis: 'limit-cuts-body',
          message:
            'Past the limit the body was cut and then taken for whole. A body that is too long is refused as it stands, with 413.',
        },
      ]);
      expectReason(refused);
      const field = refused.header('Connection') ?? '(none)';
      refused.expect(/\bclose\b/i.test(field), {
        diagnosis: 'header-replaced',
        message:
          'server.ts had set Connection: close before it called sendJSON, for the rest of the body will not be read, and the answer says something else. Leave the header fields alone that were set before.',
        expected: 'Connection: close',
        actual: `Connection: ${brief(field)}`,
      });

      // A body without end, from a client that does not listen.
      const flood = t.connect();
      const before = t.program.memory();
      await flood.write(head('Transfer-Encoding: chunked'));
      const more = chunk(Buffer.alloc(256 * 1024, 'x'));
      let peak = before ?? 0;
      for (let n = 0; n < 256 && flood.state === 'open'; n++) {
        const sent = await Promise.race([
          flood.write(more).then(() => true),
          flood.closed(500).then(() => false),
        ]);
        peak = Math.max(peak, t.program.memory() ?? 0);
        if (!sent) break;
      }
      const grown = (peak - (before ?? peak)) / 1024 / 1024;
      t.check(grown < 40, {
        diagnosis: 'body-kept',
        message: `While a body without end was coming, the program grew by ${Math.round(grown)} MB. Past the limit nothing is kept.`,
        expected: 'memory that stays as it was',
        actual: `${Math.round(grown)} MB more`,
      });
      (await post(t, '"still here"')).expectStatus(201);
    },
  },
  { keepAlive: true },
);
