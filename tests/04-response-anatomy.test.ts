import { STATUS_CODES } from 'node:http';
import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief } from '../scripts/kernel/exchange.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { OutcomeCauses, Trial } from '../scripts/kernel/trial.ts';

const escaped = encodeURIComponent;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const mediaType = (answer: Answer): string =>
  (answer.header('Content-Type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** Text in UTF-8, and labelled so. */
function expectPlainText(answer: Answer): void {
  const value = answer.header('Content-Type');
  const shown = {
    expected: 'Content-Type: text/plain; charset=utf-8',
    actual: value === undefined ? 'no Content-Type' : `Content-Type: ${brief(value)}`,
  };
  answer.expect(value !== undefined, {
    diagnosis: 'no-content-type',
    message:
      'The response has no Content-Type, so the client has to guess what the body is. Node never guesses one for you.',
    ...shown,
  });
  answer.expect(mediaType(answer) === 'text/plain', {
    diagnosis: 'wrong-header',
    message: `The body is plain text, and the Content-Type calls it ${brief(mediaType(answer), 60)}. A browser does with the body what this field says.`,
    ...shown,
  });
  answer.expect(/;\s*charset="?utf-8"?\s*(?:;|$)/i.test(value ?? ''), {
    diagnosis: 'no-charset',
    message:
      'The Content-Type says text/plain, but not charset=utf-8, so the client has to guess how the bytes become letters.',
    ...shown,
  });
}

/** A status that the client's request deserves; a 500 or a 200 is none. */
function expectRefusal(answer: Answer, causes: Cause[] = []): void {
  answer.expectStatus(400, [
    ...causes,
    {
      if: (a) => a.status === 500,
      diagnosis: 'refused-with-500',
      message:
        "The status is 500, which says that the server is at fault. The mistake is the client's: answer 400.",
    },
  ]);
}

/** One id; gives it. */
function requestId(
  answer: Answer,
  hint = 'Set it where every request passes, before any page is chosen.',
): string {
  const ids = answer.headerAll('X-Request-Id');
  const [id = ''] = ids;
  answer.expect(ids.length > 0, {
    diagnosis: 'no-request-id',
    message: `The response to ${answer.exchange.method} ${brief(answer.exchange.target, 60)} (status ${answer.status}) has no X-Request-Id. ${hint}`,
    expected: 'X-Request-Id: a UUID',
    actual: 'no X-Request-Id',
  });
  answer.expect(ids.length === 1, {
    diagnosis: 'several-request-ids',
    message: `The response has ${ids.length} X-Request-Id fields. It has one id.`,
    expected: 'X-Request-Id, once',
    actual: ids.map((value) => `X-Request-Id: ${brief(value)}`).join('\n'),
  });
  answer.expect(uuid.test(id), {
    diagnosis: 'request-id-no-uuid',
    message: 'The X-Request-Id is no UUID such as randomUUID() from node:crypto makes.',
    expected: 'X-Request-Id: like 1b4e28ba-2fa1-41d2-883f-0016d3cca427',
    actual: `X-Request-Id: ${brief(id)}`,
  });
  return id.toLowerCase();
}

/** Programs that gave each response of step 3 its id. */
const identified = new WeakSet<Program>();

/** The responses of the later steps have their id as well; where those of step 3 had none, nothing more needs to be said. */
function expectId({ program }: Trial, answer: Answer): void {
  if (identified.has(program))
    requestId(answer, 'Others have one: is it set for every request, and never removed?');
}

/** Nothing was answered a second time since the program had printed so much on standard error. */
async function expectOneAnswerEach(t: Trial, printed: number): Promise<void> {
  await t.settle();
  const [late, line] =
    /^.*ERR_HTTP_HEADERS_SENT.*$(?:\n +at .*)*?\n +at .*server\.ts:(\d+)/m.exec(
      t.program.stderr.slice(printed),
    ) ?? [];
  t.check(late === undefined, {
    diagnosis: 'ran-on-after-answer',
    message:
      'The client has its answer, and the code ran on and tried to answer once more: the program printed ERR_HTTP_HEADERS_SENT. Each case of a switch needs its return or break, and each answer that is not the last line its return.',
    expected: 'nothing on standard error',
    actual: `${late?.split('\n')[0]}, at line ${line} of server.ts`,
    exchange: undefined,
  });
}

/** Asks for the targets one after another, on one connection as long as nobody says that it ends. */
async function onOneConnection(t: Trial, targets: string[]): Promise<Answer[]> {
  const printed = t.program.stderr.length;
  let connection = t.connect();
  const answers: Answer[] = [];
  for (const target of targets) {
    const before = answers.at(-1);
    const over = before && (before.trailing.length > 0 || before.announcesClose);
    if (over) connection = t.connect();
    await connection.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const ranOn = {
      diagnosis: 'ran-on-after-answer',
      message: `GET ${brief(before?.exchange.target ?? '', 60)} was answered, and then the connection was closed without a word about it. Did the code run on after the answer, until an error was thrown? Each case of a switch needs its return or break, and each answer that is not the last line its return.`,
      expected: 'a connection that takes the next request',
      actual: 'the connection is closed',
    };
    const causes = before && !over ? { 'connection-closed': ranOn, 'connection-reset': ranOn } : {};
    const answer = await connection.answer({ target, causes }).catch((error: unknown) => {
      if (error instanceof StepFailure && error.failure.diagnosis === ranOn.diagnosis)
        return before?.fail(ranOn);
      throw error;
    });
    if (answer) answers.push(answer);
  }
  await expectOneAnswerEach(t, printed);
  return answers;
}

/** Cases for `each`: a few of them follow each other on one connection. */
const inLanes = <T>(cases: T[]): T[][] => {
  const length = Math.ceil(cases.length / 4);
  return [0, 1, 2, 3].map((n) => cases.slice(n * length, (n + 1) * length));
};

interface Fields {
  names: unknown;
  has: unknown;
  value: unknown;
}

/** What /fields says, as far as it is an object. */
function fieldsOf(answer: Answer): Fields {
  const value = answer.json();
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  return answer.fail({
    diagnosis: 'wrong-json',
    message: 'The body is JSON, but not an object with names, has and value.',
    expected: '{"names":[…],"has":…,"value":…}',
    actual: brief(answer.text, 200),
  });
}

/** Text without its percent escapes, as far as they mean something. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

const pairOf = (field: string): string => field.split(';')[0]?.trim() ?? '';

/** One Set-Cookie field for each of these pairs. */
function expectCookies(answer: Answer, pairs: string[]): void {
  const fields = answer.headerAll('Set-Cookie');
  const got = fields.map(pairOf);
  const all = fields.join('\n');
  const expected = pairs.map((pair) => `Set-Cookie: ${pair}`).join('\n');
  const actual =
    fields.length > 0
      ? fields.map((field) => `Set-Cookie: ${brief(field)}`).join('\n')
      : 'no Set-Cookie';
  if ([...got].sort().join('\n') === [...pairs].sort().join('\n')) return;
  if (answer.exchange.method === 'HEAD' && fields.length === 0) {
    answer.fail({
      diagnosis: 'wrong-cookies',
      message:
        'HEAD gets the header fields that GET gets, the Set-Cookie fields too; only the body is left out. Here they are missing.',
      expected,
      actual,
    });
  }
  if (got.some((pair) => pair.startsWith('%'))) {
    answer.fail({
      diagnosis: 'cookie-not-decoded',
      message:
        'A name is still percent-encoded in its Set-Cookie. What the client means is the text that searchParams gives.',
      expected,
      actual,
    });
  }
  const last = pairs.at(-1) ?? '';
  if (fields.length === 1 && pairs.length > 1 && pairs.every((pair) => all.includes(pair))) {
    answer.fail({
      diagnosis: 'cookies-joined',
      message:
        'All cookies stand in one Set-Cookie field. A browser takes that for one cookie with odd attributes: each cookie needs a field of its own.',
      expected,
      actual,
    });
  }
  if (fields.length === 1 && pairs.length > 1 && got[0] === last) {
    answer.fail({
      diagnosis: 'cookie-replaced',
      message:
        'Only the last cookie arrived: setHeader replaces what was set under the same name before. Give it all cookies at once, as an array.',
      expected,
      actual,
    });
  }
  answer.fail({
    diagnosis: 'wrong-cookies',
    message: `There must be exactly one Set-Cookie field for each parameter of the query, ${pairs.length} here, each beginning with name=value.`,
    expected,
    actual,
  });
}

/** A response without a body, and without a word about one. */
function expectBodyless(t: Trial, answer: Answer, status: number): void {
  answer.expectStatus(status);
  expectId(t, answer);
  answer.expectNoBody();
  for (const name of ['Content-Length', 'Content-Type', 'Transfer-Encoding']) {
    answer.expectNoHeader(name, [
      {
        if: () => name === 'Content-Length',
        diagnosis: 'length-without-body',
        message: `A ${status} has no body, yet this one has a Content-Length. Node drops the body by itself and leaves the fields that you set.`,
      },
      {
        if: () => name === 'Content-Type',
        diagnosis: 'type-without-body',
        message: `A ${status} has no body, yet this one has a Content-Type. Node drops the body by itself and leaves the fields that you set.`,
      },
    ]);
  }
}

const row = (n: number): string => `${n} `.padEnd(9_999, '.') + '\n';
const rowsUpTo = (count: number): string =>
  Array.from({ length: count }, (_, index) => row(index + 1)).join('');

/** Finds the first row that is not in its place. */
function expectRows(answer: Answer, count: number): void {
  answer.expectStatus(200);
  const length = answer.framing === 'content-length' ? answer.header('Content-Length') : undefined;
  answer.expect(length === undefined || Number(length) === count * 10_000, {
    diagnosis: 'wrong-content-length',
    message: `Content-Length says ${length}, and ${count} rows of 10,000 bytes have ${count * 10_000}. The client takes as many bytes as the field says. It may be left out: then the response is chunked.`,
    expected: `Content-Length: ${count * 10_000}, or none`,
    actual: `Content-Length: ${length}`,
  });
  if (answer.text === rowsUpTo(count)) return;
  const lines = answer.text.split('\n').slice(0, -1);
  const at = Array.from({ length: count }, (_, index) => index).findIndex(
    (index) => `${lines[index]}\n` !== row(index + 1),
  );
  const number = (index: number): number =>
    Number(/^\d+(?= )/.exec(lines[index] ?? '')?.[0] ?? NaN);
  const shown = (line: string | undefined): string =>
    line === undefined ? '(nothing)' : `${brief(line, 40)} (${Buffer.byteLength(line) + 1} bytes)`;
  const expected = at < 0 ? `${count} rows` : `row ${at + 1}: ${shown(row(at + 1).trimEnd())}`;
  const actual =
    at < 0
      ? `${lines.length} rows, ${answer.body.length} bytes`
      : `row ${at + 1}: ${shown(lines[at])}`;
  if (at > 0 && number(at) > 0 && number(at) <= at) {
    answer.fail({
      diagnosis: 'row-twice',
      message: `Row ${number(at)} came twice. When write() returns false it has taken the piece: wait for drain, then go on with the next one. Or several drain listeners write side by side: give each of them to once(), not to on().`,
      expected,
      actual,
    });
  }
  if (at > 0 && number(at) > at + 1) {
    answer.fail({
      diagnosis: 'row-lost',
      message: `After row ${at} comes row ${number(at)}: what is between them was never written.`,
      expected,
      actual,
    });
  }
  if (at > 0 && lines[at] === undefined) {
    answer.fail({
      diagnosis: 'rows-missing',
      message: `The response ends after row ${at} of ${count}. Was it ended before drain came, or was a row left out: the last one, or one that write() was asked to take when it returned false?`,
      expected,
      actual,
    });
  }
  answer.fail({
    diagnosis: at < 0 ? 'too-many-rows' : 'wrong-row',
    message:
      at < 0
        ? `There is more in the body than the ${count} rows.`
        : `Row ${at + 1} is not what was expected: the number, a space, dots up to 9,999 characters, a line feed.`,
    expected,
    actual,
  });
}

const megabyte = 1024 * 1024;

/** A reader that stands still. */
const stall = {
  /** As many as may be asked for: 100 MB on the wire. */
  rows: 10_000,
  /** Bytes that are read on after the first stop: more than the system keeps of a connection. */
  readOn: 5.5 * megabyte,
  /** Bytes by which the program may grow meanwhile; a right one grows by 10 MB at most, a wrong one by 90 or more. */
  limit: 45 * megabyte,
  /** How long a program that works on is watched at most, and how long one whose memory stands still, in ms. */
  watchMs: 2000,
  stillMs: { seenFromInside: 300, seenFromOutside: 100 },
};

/** Waits while the program works on for a reader that stands still, and fails the step when that fills its memory. */
async function expectModest(t: Trial, before: number, idle: number): Promise<void> {
  const { program } = t;
  const grown = (): number => (program.memory() ?? before) - before;
  const began = performance.now();
  let still = { since: began, bytes: grown() };
  while (
    performance.now() - began < stall.watchMs &&
    program.exit === null &&
    grown() < stall.limit
  ) {
    const work = await program.ping(1000);
    if (work !== undefined && work <= idle) break;
    const now = performance.now();
    if (grown() - still.bytes > megabyte) still = { since: now, bytes: grown() };
    const limit = work === undefined ? stall.stillMs.seenFromOutside : stall.stillMs.seenFromInside;
    if (now - still.since > limit) break;
    await t.until(() => grown() >= stall.limit, 2);
  }
  const megabytes = Math.round(grown() / megabyte);
  t.check(grown() < stall.limit, {
    diagnosis: 'memory-filled',
    message: `A client sent GET /rows?count=${stall.rows} and stopped reading, and the program's memory grew by ${megabytes} MB: it goes on making rows that nobody takes. Each time that write() returns false, wait for drain before the next row.`,
    expected: 'memory that does not grow with the number of rows (at most 45 MB here)',
    actual: `${megabytes} MB more than before`,
    exchange: undefined,
  });
}

export default suite(
  '04-response-anatomy',
  {
    async 'Say what the body is'(t) {
      const name = `Zoë <${t.word()}> & €`;
      const text = `Hello, ${name}!\n`;
      const bytes = Buffer.byteLength(text);
      // On a connection of its own: bytes that are missing or too many show at once.
      const answer = await t
        .get(`/greeting?name=${escaped(name)}`, { headers: { Connection: 'close' } })
        .catch((error: unknown) => {
          if (!(error instanceof StepFailure) || error.failure.diagnosis !== 'response-cut')
            throw error;
          return t.fail({
            ...error.failure,
            message: `The connection was closed before the response was whole. The text of this greeting has ${bytes} bytes: does Content-Length promise more than you send?`,
          });
        });
      answer.expectStatus(200);
      const whole = Buffer.concat([answer.body, answer.trailing]).toString('utf8');
      if (
        answer.framing === 'content-length' &&
        answer.header('Content-Length') !== String(bytes) &&
        whole === text
      ) {
        const inCharacters = answer.header('Content-Length') === String(text.length);
        const cutsOff = `The body has ${bytes} bytes, and Content-Length says ${answer.header('Content-Length')}: the client cuts it off, and takes the rest for the next response.`;
        answer.fail({
          diagnosis: inCharacters ? 'length-in-characters' : 'wrong-content-length',
          message: `${cutsOff} ${inCharacters ? "A text's length counts UTF-16 units; ë is two bytes, € three." : 'Measure the very text that you send: the line feed at its end counts too.'}`,
          expected: `Content-Length: ${bytes}`,
          actual: `Content-Length: ${answer.header('Content-Length')}`,
        });
      }
      answer.expectText(text, [
        {
          if: (a) => /&(?:lt|gt|amp|#\d+|#x[0-9a-f]+);/i.test(a.text),
          diagnosis: 'name-escaped',
          message:
            'The name in the body is escaped as for HTML. The body is plain text, in which < and & stand for themselves: send the name as it is.',
        },
        {
          if: (a) => a.text.includes('%'),
          diagnosis: 'name-not-decoded',
          message: 'The name in the body is still percent-encoded. searchParams.get decodes it.',
        },
        {
          if: (a) => a.text.includes('�'),
          diagnosis: 'body-not-utf8',
          message:
            'The body is not UTF-8: its bytes are no letters in the charset that the response names.',
        },
      ]);
      expectPlainText(answer);
      answer.expectHeader('Content-Length', String(bytes), [
        {
          if: (a) => a.framing === 'chunked' || a.framing === 'close',
          diagnosis: 'no-content-length',
          message:
            'The response has no Content-Length. A writeHead or a write before end seals the header before Node has counted: set the length yourself.',
        },
      ]);

      const percent = '/greeting?lang=en&name=100%';
      const [world, odd] = await onOneConnection(t, ['/greeting', percent]);
      if (!world || !odd) return;
      world.expectStatus(200);
      world.expectText('Hello, world!\n', [
        {
          if: (a) => /null|undefined/.test(a.text),
          diagnosis: 'absent-name',
          message:
            'Without a name in the query, searchParams.get gives null, and that stands in the body now.',
        },
      ]);
      world.expectHeader('Content-Length', '14');
      expectPlainText(world);
      // An escape that means nothing may be refused; it may not make the server fail.
      if (odd.status === 400) return;
      odd.expectStatus(200, [
        {
          if: (a) => a.status === 500,
          diagnosis: 'greeting-threw',
          message: `GET ${percent} got 500. Its % begins no escape, and the name is not the first parameter: decodeURIComponent throws at such a %, and a query cut by hand may lack a piece. searchParams takes any query apart and never throws.`,
        },
      ]);
      odd.expectText('Hello, 100%!\n');
    },

    async 'Choose the status line'(t) {
      const codes = [t.pick([404, 410, 429]), t.pick([201, 202]), t.pick([500, 502, 503]), 200];
      const answers = await onOneConnection(t, [
        ...codes.map((code) => `/status?code=${code}`),
        '/teapot',
        `/${t.word()}`,
        `/status?code=${codes[0]}`,
      ]);
      for (const [index, code] of codes.entries()) {
        const answer = answers[index];
        answer?.expectStatus(code, [
          {
            if: (a) => a.status === 200,
            diagnosis: 'status-not-sent',
            message:
              'The status line says 200. Either the status was never set, or it was set after the first write: the status line goes first, and later changes are ignored without a word.',
          },
          {
            if: (a) => a.status === 400,
            diagnosis: 'good-code-refused',
            message: `The code ${code} was refused. The codes from 200 to 599 are good, 200 included.`,
          },
        ]);
        answer?.expect(answer.reason === STATUS_CODES[code], {
          diagnosis: 'wrong-status-message',
          message:
            'The text after the status code is not the standard one. Node fills it in when you leave statusMessage alone.',
          expected: `${code} ${STATUS_CODES[code]}`,
          actual: `${answer.status} ${brief(answer.reason)}`,
        });
      }
      const [teapot, unknown, after] = answers.slice(codes.length);
      if (!unknown || !teapot || !after) return;
      const interim = (target: string): Pick<Cause, 'diagnosis' | 'message'> => ({
        diagnosis: 'code-not-checked',
        message: `The code ${target.slice(-3)} went into the status line, and that is no final answer: a status below 200 only says that the final one is still to come. Check the code first.`,
      });
      const printed = t.program.stderr.length;
      const none = '/status';
      const bad = ['99', '100', t.word(), '600', '-404', '404.5', `404${t.word()}`, '', '199'];
      const targets = [...bad.map((code) => `${none}?code=${code}`), none];
      await t.each(inLanes(targets), async (part, lane) => {
        for (const target of lane) {
          const why = interim(target);
          const answer = await part.get(target, {
            ...(/=1\d\d$/.test(target) && {
              causes: { 'no-answer': why, 'connection-closed': why },
            }),
          });
          expectRefusal(answer, [
            {
              if: (a) => a.status === 404 && target.startsWith('/status?code=404'),
              diagnosis: 'code-half-read',
              message:
                'This code was taken for 404: a part of it was dropped, as parseInt and Math.floor do. Number() takes the whole text or gives NaN, and Number.isInteger says whether it is whole.',
            },
            {
              if: (a) => target === none && a.status < 400,
              diagnosis: 'wrong-status',
              message:
                'GET /status names no code at all, and it was answered as if it did. searchParams.get gives null then: answer 400.',
            },
          ]);
        }
      });

      teapot.expectStatus(418);
      teapot.expect(teapot.reason === 'Short and stout', {
        diagnosis: /teapot/i.test(teapot.reason)
          ? 'standard-status-message'
          : 'wrong-status-message',
        message: /teapot/i.test(teapot.reason)
          ? 'The status line has the standard text. statusMessage replaces it, and so does the second argument of writeHead.'
          : 'The text after the status code is not the one that was asked for.',
        expected: '418 Short and stout',
        actual: `${teapot.status} ${brief(teapot.reason)}`,
      });

      unknown.expectStatus(404);
      after.expect(after.status === codes[0] && after.reason === STATUS_CODES[codes[0] ?? 0], {
        diagnosis: 'status-left-over',
        message: `GET ${after.exchange.target} was answered well before GET /teapot, and differently after it. What belongs to one response must not stand in a variable outside of the handler.`,
        expected: `${codes[0]} ${STATUS_CODES[codes[0] ?? 0]}`,
        actual: `${after.status} ${brief(after.reason)}`,
      });

      // Codes without a standard text are codes all the same.
      await t.each([599, 299], async (part, code) => {
        (await part.get(`/status?code=${code}`)).expectStatus(code, [
          {
            if: (a) => a.status === 400,
            diagnosis: 'good-code-refused',
            message: `The code ${code} was refused. All whole numbers from 200 to 599 are good, 599 included, and also those for which there is no standard text.`,
          },
        ]);
      });
      const word = t.word();
      await t.each(
        [`/teapot?size=${word}`, '/teapot/', '/Teapot', `/${word}/teapot`, `/greeting${word}`, '/'],
        async (part, target) => {
          const answer = await part.get(target);
          if (target.includes('?')) {
            answer.expectStatus(418, [
              {
                if: (a) => a.status === 404,
                diagnosis: 'query-in-path',
                message:
                  'GET /teapot is found, and with a query behind it, it is not. The query is no part of the path: compare the pathname.',
              },
            ]);
          } else {
            answer.expectStatus(404, [
              {
                if: (a) => a.status === 418 || a.status === 200,
                diagnosis: 'other-path-answered',
                message:
                  target === '/'
                    ? 'GET / was answered like a page. The lesson names no page at this path, and any path that it does not name is a 404.'
                    : `${target} is another path than those of the pages, and one of them answered. Compare the whole pathname, letter by letter.`,
              },
            ]);
          }
        },
      );
      // What becomes of an odd target is the request anatomy lesson's; here it only must not be the end.
      const odd = await t.get('//');
      odd.expect(odd.status >= 400, {
        diagnosis: 'other-path-answered',
        message: 'GET // was answered like a page, and no page of the lesson has this path.',
        expected: 'status 404',
        actual: `status ${odd.status}`,
      });
      await expectOneAnswerEach(t, printed);
    },

    async 'Set and read header fields'(t) {
      const asked = t.pick(['x-ReQuEsT-iD', 'X-REQUEST-ID', 'X-request-Id']);
      const answer = await t.get(`/fields?name=${asked}`);
      answer.expectStatus(200);
      const first = requestId(answer);
      const about = fieldsOf(answer);
      answer.expect(mediaType(answer) === 'application/json', {
        diagnosis:
          answer.header('Content-Type') === undefined ? 'no-content-type' : 'wrong-content-type',
        message:
          'The body is JSON, and the response does not say so. Node never guesses a Content-Type.',
        expected: 'Content-Type: application/json',
        actual: `Content-Type: ${brief(answer.header('Content-Type') ?? '(none)')}`,
      });
      const names: unknown[] = Array.isArray(about.names) ? about.names : [];
      const wanted = ['content-type', 'x-request-id'];
      const lower = names.map((name) => String(name).toLowerCase());
      const described = {
        expected: `"names": a list that holds ${wanted.map((name) => JSON.stringify(name)).join(' and ')}`,
        actual: `"names": ${brief(JSON.stringify(about.names) ?? 'not there', 200)}`,
      };
      answer.expect(Array.isArray(about.names), {
        diagnosis: 'names-no-list',
        message: '"names" is not a list.',
        ...described,
      });
      answer.expect(lower.includes('content-type'), {
        diagnosis: 'type-not-listed',
        message: lower.includes('host')
          ? 'The names are those of the header fields that the request brought. Asked for are the names of the response: res.getHeaderNames() has them.'
          : 'content-type is not among the names, although the response has one. Either the names were asked for before it was set, or it was given to writeHead, which getHeaderNames knows nothing of.',
        ...described,
      });
      answer.expect(lower.includes('x-request-id'), {
        diagnosis: 'id-not-listed',
        message:
          'x-request-id is not among the names, although the response has one: it was set after the names were asked for, or not with setHeader.',
        ...described,
      });
      answer.expect(
        names.every((name) => name === String(name).toLowerCase()),
        {
          diagnosis: 'names-not-lower-case',
          message: 'The names are not in lower case. getHeaderNames gives them so.',
          ...described,
        },
      );
      const absent = lower.find((name) => answer.header(name) === undefined);
      answer.expect(absent === undefined && new Set(lower).size === lower.length, {
        diagnosis: 'wrong-names',
        message:
          absent === undefined
            ? 'A name is listed twice; each name has one value.'
            : `names holds ${JSON.stringify(brief(String(absent), 40))}, and the response has no such field.`,
        ...described,
      });
      const member = (name: 'has' | 'value', given: unknown): string =>
        given === undefined ? `no "${name}"` : `"${name}": ${brief(JSON.stringify(given), 100)}`;
      const unknown = about.value === null || about.value === undefined;
      // Is it the case of the name?
      const plainly =
        about.has === false || unknown
          ? fieldsOf(await t.get('/fields?name=x-request-id'))
          : undefined;
      answer.expect(about.has === true, {
        diagnosis: 'wrong-has',
        message:
          about.has === false && plainly?.has === false
            ? `"has" is false for the name ${asked}, and for x-request-id as well, although the response has one. Asked for are the fields of the response, not of the request, and after they were set.`
            : about.has === false
              ? `"has" is false for the name ${asked}, and the response has an X-Request-Id. In the name of a header field upper and lower case do not matter: hasHeader knows that, a look into a list does not.`
              : `The response has an X-Request-Id, so "has" must be true for ${asked}: the value true, not a text and nothing else.`,
        expected: '"has": true',
        actual: member('has', about.has),
        exchange: answer.exchange,
      });
      answer.expect(String(about.value).toLowerCase() === first, {
        diagnosis: unknown ? 'value-not-found' : 'wrong-value',
        message:
          unknown && plainly?.value !== first && typeof plainly?.value !== 'string'
            ? `"value" is empty for the name ${asked}, and for x-request-id as well, although the response has one. Asked for are the fields of the response, not of the request, and after they were set.`
            : unknown
              ? `"value" is empty for the name ${asked}, and the response has an X-Request-Id. In the name of a header field upper and lower case do not matter: getHeader knows that, a look into an object does not.`
              : '"value" is not the X-Request-Id that this response carries. getHeader gives what was set; a second randomUUID() makes another id.',
        expected: `"value": "${first}"`,
        actual: member('value', about.value),
        exchange: answer.exchange,
      });

      const type = await t.get('/fields?name=CONTENT-Type');
      const typed = fieldsOf(type);
      type.expect(typed.has === true && typed.value === type.header('Content-Type'), {
        diagnosis: typed.has === true ? 'wrong-value' : 'wrong-has',
        message:
          'The response has a Content-Type, and "has" and "value" do not say so for the name CONTENT-Type. In the name of a header field upper and lower case do not matter.',
        expected: `"has": true, "value": ${JSON.stringify(type.header('Content-Type'))}`,
        actual: `${member('has', typed.has)}, ${member('value', typed.value)}`,
      });

      const listed = Array.isArray(typed.names) ? typed.names.map(String) : [];
      type.expect(new Set(listed).size === listed.length, {
        diagnosis: 'wrong-names',
        message:
          'A name is listed twice; each name has one value. The first answer had each name once: is the list kept from one request to the next?',
        expected: 'each name once',
        actual: `"names": ${brief(JSON.stringify(typed.names) ?? '', 200)}`,
      });

      const word = t.word();
      // Every ordinary object has the last two.
      await t.each([`X-${word}`, 'constructor', 'toString', 'X-Request'], async (part, name) => {
        const none = await part.get(`/fields?name=${name}`);
        const nothing = fieldsOf(none);
        const inherited = name.startsWith('X-')
          ? name === 'X-Request'
            ? ' A part of a name is another name.'
            : ''
          : ' Every ordinary object has something under this name: an object made with {} is no list of header fields.';
        none.expect(nothing.has === false, {
          diagnosis: 'wrong-has',
          message: `The response has no field ${name}, and "has" is not false.${inherited}`,
          expected: '"has": false',
          actual: member('has', nothing.has),
        });
        none.expect(nothing.value === null, {
          diagnosis: nothing.value === undefined ? 'value-vanished' : 'wrong-value',
          message:
            nothing.value === undefined
              ? 'For a field that is not set "value" is missing: JSON.stringify leaves out what is undefined, as what getHeader gives here. Say null.'
              : `The response has no field ${name}, and "value" is not null.${inherited}`,
          expected: '"value": null',
          actual: member('value', nothing.value),
        });
      });

      const own = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
      // On connections of their own.
      const others: Answer[] = [];
      await t.each(
        ['/greeting', '/status?code=abc', '/teapot', '/greeting', '/status?code=404'],
        async (part, target, index) => {
          const headers = index === 0 ? {} : { 'X-Request-Id': own };
          const answer = await part.get(target, { headers });
          answer.expect(requestId(answer) !== own, {
            diagnosis: 'request-id-from-client',
            message:
              "The response carries the id that the request brought along. This id is the server's own, so that no client can choose it.",
            expected: 'a fresh UUID',
            actual: `X-Request-Id: ${own}`,
          });
          others[index] = answer;
        },
      );
      const pair = await onOneConnection(t, ['/fields', `/${word}`]);
      const all = [answer, type, ...others, ...pair];
      const same = (one: Answer | undefined, other: Answer | undefined): boolean =>
        one !== undefined && other !== undefined && requestId(one) === requestId(other);
      const again = all.find((one, index) => all.slice(0, index).some((other) => same(one, other)));
      const earlier = all.find((one) => same(one, again));
      const shown = {
        expected: 'a new id in each response',
        actual: `X-Request-Id: ${again && requestId(again)} in both`,
        exchange: again?.exchange,
      };
      const two = [earlier, again].map((one) => `GET ${one?.exchange.target}`).join(' and ');
      t.check(new Set(all.map((one) => requestId(one))).size > 1, {
        diagnosis: 'request-id-not-fresh',
        message: `The responses to ${two} carry the same X-Request-Id, and so do all others. Make it inside the handler, once for each request; a line at the top of the file runs once.`,
        ...shown,
      });
      t.check(!same(pair[0], pair[1]), {
        diagnosis: 'request-id-per-connection',
        message:
          'Two responses on one connection carry the same X-Request-Id: it belongs to the request, not to the connection or its socket.',
        ...shown,
        actual: `X-Request-Id: ${pair[0] && requestId(pair[0])} in both`,
        exchange: pair[1]?.exchange,
      });
      t.check(again === undefined, {
        diagnosis: 'request-id-repeated',
        message: `The responses to ${two} carry the same X-Request-Id. Each response gets a new one, whatever was asked for and whoever asked.`,
        ...shown,
      });
      identified.add(t.program);
    },

    async 'Hand out cookies, refuse line breaks'(t) {
      const printed = t.program.stderr.length;
      const begin = t.int(1, 9);
      const names = [
        'theme',
        `lang-${t.word()}`,
        `Z_${t.int(10, 99)}`,
        `${begin}-${t.word()}`,
        '-x',
      ];
      const pairs = names.map(
        (name, n) => `${name}=${['', '-', begin][n] ?? ''}${t.word()}-${t.int(1, 99)}_X`,
      );
      // One letter comes as an escape: what counts is the text that it stands for.
      const sent = pairs.map((pair) => pair.replace(/^t/, '%74'));
      const answer = await t.get(`/cookies?${sent.join('&')}`);
      const refusedAll = {
        if: (a: Answer) => a.status === 400,
        diagnosis: 'wrong-status',
        message:
          'Good names and values were refused. These hold only what is allowed: letters A-Z and a-z, digits, - and _.',
      };
      if (answer.status === 400) {
        const refused: string[] = [];
        for (const pair of sent)
          if ((await t.get(`/cookies?${pair}`)).status === 400) refused.push(pair);
        if (refused.length > 0 && refused.length < pairs.length)
          refusedAll.message += ` Asked for alone, these are refused: ${refused.join(' ')}. The others are not.`;
        if (refused.join() === sent[0])
          refusedAll.message += ' An escape is no part of a name: check what searchParams gives.';
      }
      answer.expectStatus(200, [refusedAll]);
      expectId(t, answer);
      expectCookies(answer, pairs);
      const [single] = await onOneConnection(t, [`/cookies?${pairs[0]}`, `/cookies?${pairs[1]}`]);
      single?.expectStatus(200, [refusedAll]);
      if (single) expectCookies(single, pairs.slice(0, 1));

      const word = t.word();
      const threw = (what: string): Cause => ({
        if: (a) => a.status === 500,
        diagnosis: 'refused-with-500',
        message: `${what}, and the status is 500: an error was thrown before anybody refused it. The mistake is the client's. Check every name and value first, as searchParams gives them, and answer 400.`,
      });
      const expectRefused = (answer: Answer, value: string): void => {
        answer.expect(answer.header('X-Evil') === undefined, {
          diagnosis: 'header-injected',
          message:
            "The client's line break went into the header, and what followed it has become a header field of its own. The client writes your responses.",
          expected: 'status 400',
          actual: `X-Evil: ${brief(answer.header('X-Evil') ?? '')}`,
        });
        expectRefusal(answer, [
          {
            if: (a) => /[\r\n]/.test(value) && a.status < 400,
            diagnosis: 'line-break-accepted',
            message:
              'A value with a line break in it was accepted. Refuse it: taken out, cut off or encoded, it is a value that nobody meant.',
          },
          {
            if: (a) => value.includes(';') && a.status < 400,
            diagnosis: 'attribute-injected',
            message:
              "A value with a semicolon was accepted. It ends the cookie's value: what follows is an attribute, such as Domain, and now the client writes it.",
          },
          {
            if: (a) => value === '' && a.status < 400,
            diagnosis: 'empty-accepted',
            message: 'A parameter with an empty value was accepted.',
          },
          {
            if: (a) => a.status < 400,
            diagnosis: 'character-accepted',
            message: `The value ${JSON.stringify(value)} was accepted. Say what is allowed (letters, digits, - and _), not what is forbidden, and look at the whole value.`,
          },
          threw(`The value of the second parameter is ${JSON.stringify(value)}`),
        ]);
        answer.expectNoHeader('Set-Cookie', [
          {
            if: () => true,
            diagnosis: 'cookie-with-refusal',
            message:
              'The status is 400, and a cookie is set all the same. Check every pair before you set the first.',
          },
        ]);
        expectId(t, answer);
      };
      const values = [
        `a\r\nX-Evil: ${word}`,
        `a\nX-Evil: ${word}`,
        'a\rb',
        'a€',
        'a\0',
        'a; Domain=example.org',
        'a\n',
        'é',
        'a b',
        'a,b',
        'a=b',
        // Between Z and a.
        'a[b',
        'a]b',
        'a^b',
        'a`b',
        'a\\b',
        '\u212a',
        '"a"',
        'a.b',
        '100%',
        '+',
        '',
      ];
      await t.each(inLanes(values), async (part, lane) => {
        for (const value of lane)
          expectRefused(await part.get(`/cookies?theme=dark&${word}=${escaped(value)}`), value);
      });
      const badNames = [
        `${word}\r\nX-Evil: yes`,
        `${word};`,
        `${word}€`,
        `${word}[`,
        `${word}^`,
        'a b',
        'é',
        '',
      ];
      await t.each(badNames, async (part, name) => {
        const refused = await part.get(`/cookies?${escaped(name)}=dark&theme=dark`);
        expectRefusal(refused, [
          {
            if: (a) => a.status < 400,
            diagnosis: 'name-not-checked',
            message: `The name ${JSON.stringify(name)} was accepted. It goes into the header just as the value does.`,
          },
          threw(`The name of the first parameter is ${JSON.stringify(name)}`),
        ]);
        refused.expectNoHeader('Set-Cookie');
      });
      // No parameter, no cookie; to refuse that is right as well.
      const without = await t.get('/cookies');
      without.expect(without.status === 200 || without.status === 400, {
        diagnosis: without.status === 500 ? 'cookies-threw' : 'wrong-status',
        message: `GET /cookies without any parameter got ${without.status}.${without.status === 500 ? ' An error was thrown on the way: where there is no parameter there is no first one either, and no text behind a ?.' : ''} It sets no cookie: 200 or 400.`,
        expected: 'status 200 or 400, and no Set-Cookie',
        actual: `status ${without.status}`,
      });
      without.expectNoHeader('Set-Cookie');
      await expectOneAnswerEach(t, printed);
    },

    async 'Leave the body out'(t) {
      for (const status of [204, 304])
        expectBodyless(t, await t.get(`/status?code=${status}`), status);

      const name = `Zoë ${t.word()}`;
      const target = `/greeting?name=${escaped(name)}`;
      const head = await t.head(target);
      head.expectStatus(200, [
        {
          if: (a) => a.status >= 400,
          diagnosis: 'head-refused',
          message:
            'HEAD asks for what GET would answer, without the body. Here it is refused: look for a comparison with the method GET.',
        },
      ]);
      head.expectNoBody();
      expectPlainText(head);
      head.expectHeader('Content-Length', String(Buffer.byteLength(`Hello, ${name}!\n`)), [
        {
          if: (a) => a.header('Content-Length') === undefined,
          diagnosis: 'head-without-length',
          message:
            'GET /greeting has a Content-Length, HEAD has none. Without a body to send Node counts nothing: set the length yourself.',
        },
        {
          if: (a) => a.header('Content-Length') === '0',
          diagnosis: 'head-length-zero',
          message:
            'The Content-Length says 0. For HEAD it is the length of the body that GET would have got.',
        },
      ]);
      expectId(t, head);

      const word = t.word();
      const [status, teapot, unknown, refused, cookies, fields, none] = await Promise.all(
        [
          '/status?code=503',
          '/teapot',
          `/${word}`,
          '/status?code=99',
          `/cookies?${word}=1&theme=dark`,
          '/fields?name=x',
          '/status?code=204',
        ].map((asked) => t.head(asked)),
      );
      const wanted: [Answer | undefined, number, string?][] = [
        [status, 503],
        [teapot, 418, 'Short and stout'],
        [unknown, 404],
        [refused, 400],
        [cookies, 200],
        [fields, 200],
        [none, 204],
      ];
      // What GET does not get either is another step's.
      const differs = async (head: Answer, right: (answer: Answer) => boolean): Promise<boolean> =>
        !right(head) && right(await t.get(head.exchange.target));
      for (const [answer, code, reason] of wanted) {
        if (!answer) continue;
        if (await differs(answer, ({ status }) => status === code)) {
          answer.expectStatus(code, [
            {
              if: () => true,
              diagnosis: 'head-differs',
              message:
                'HEAD has another status than GET: it gets the same status and header fields, and only the body is left out.',
            },
          ]);
        }
        answer.expectNoBody();
        if (reason !== undefined && (await differs(answer, (other) => other.reason === reason))) {
          answer.fail({
            diagnosis: 'head-differs',
            message: 'HEAD has another status line than GET.',
            expected: `${code} ${reason}`,
            actual: `${answer.status} ${brief(answer.reason)}`,
          });
        }
      }
      if (cookies && (await differs(cookies, (one) => one.headerAll('Set-Cookie').length === 2)))
        expectCookies(cookies, [`${word}=1`, 'theme=dark']);
      if (none) expectBodyless(t, none, 204);
      if (fields && (await differs(fields, (one) => mediaType(one) === 'application/json'))) {
        fields.fail({
          diagnosis: 'head-differs',
          message:
            'HEAD has another Content-Type than GET: it gets the same header fields, and only the body is left out.',
          expected: 'Content-Type: application/json',
          actual: `Content-Type: ${brief(fields.header('Content-Type') ?? '(none)')}`,
        });
      }
    },

    async 'Fail before and after the first byte'(t) {
      const lines = { first: 'before: false\n', second: 'after: true\n' };
      const maxAge = /(?:^|[\s,])max-age=60(?:$|[\s,])/i;
      const expectReport = (answer: Answer): void => {
        answer.expectStatus(200);
        answer.expectText(lines.first + lines.second, [
          {
            if: (a) => a.text.startsWith('before: true'),
            diagnosis: 'asked-too-late',
            message:
              'headersSent is true already in the first line: it was asked after writeHead or the first write had sealed the header.',
          },
          {
            if: (a) => a.text.endsWith('after: false\n'),
            diagnosis: 'asked-too-early',
            message:
              'headersSent is still false in the second line: it was asked before writeHead or the first write had sealed the header.',
          },
        ]);
        answer.expect(maxAge.test(answer.header('Cache-Control') ?? ''), {
          diagnosis:
            answer.header('Cache-Control') === undefined ? 'missing-header' : 'wrong-header',
          message:
            'The report must say how long it may be kept: it has no Cache-Control with max-age=60.',
          expected: 'Cache-Control: max-age=60',
          actual: `Cache-Control: ${brief(answer.header('Cache-Control') ?? '(none)')}`,
        });
        expectId(t, answer);
      };
      // Half a request, on a connection that has nothing to do with all this.
      const bystander = t.connect();
      await bystander.write('GET /greeting HTTP/1.1\r\nHost: localhost\r\n');
      expectReport(await t.get(`/report?x=${t.word()}`));

      let printed = t.program.stderr.length;
      const logged = async (word: string, when: string): Promise<void> => {
        if (!(await t.program.waitForOutput(word, 500))) {
          t.fail({
            diagnosis: 'error-not-logged',
            message: `The report failed ${when}, and the program printed nothing of the error. The client must not read it; whoever runs the server must: console.error(error).`,
            expected: `${word} on the console`,
            actual: brief(t.program.stderr.slice(printed) || '(it printed nothing)', 300),
          });
        }
        printed = t.program.stderr.length;
      };

      // With a space in it, which is %20 in the target: a program that logs its requests has not logged the error yet.
      const reason = (): string => `disk ${t.word()} ${t.int(1000, 9999)}`;
      const early = reason();
      const causes: OutcomeCauses = {
        'connection-closed': {
          diagnosis: 'failure-cut',
          message:
            'The report failed before anything was sent, and the connection was closed without a whole answer. There was still time for a 500, as long as nothing had sealed the header.',
        },
        'no-answer': {
          diagnosis: 'failure-not-answered',
          message:
            'The report failed before anything was sent, and the client got nothing at all and still waits. Whoever catches an error answers in its place.',
        },
      };
      // On a connection of its own, which ends with the response: a body that is too short shows at once.
      const target = `/report?fail=early&why=${escaped(early)}`;
      const failed = await t
        .get(target, { headers: { Connection: 'close' }, causes })
        .catch((error: unknown) => {
          if (!(error instanceof StepFailure) || error.failure.diagnosis !== 'failure-cut')
            throw error;
          const half = error.failure.exchange?.message;
          if (half?.status !== 500 || half.framing !== 'content-length') throw error;
          return t.fail({
            ...error.failure,
            diagnosis: 'length-left-over',
            message:
              'The 500 was cut off: fewer bytes came than its header says. Is a Content-Length left over from the report that failed?',
          });
        });
      failed.expectStatus(500, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'failure-as-200',
          message:
            'The report failed before anything was sent, and the status line says 200. There was still time for a 500; a status that is set after writeHead or the first write is ignored.',
        },
      ]);
      const tells = (text: string): boolean =>
        text.includes(early) || text.includes(escaped(early)) || decoded(text).includes(early);
      const telling = failed.rawHeaders.find((field) => tells(field.join()));
      failed.expect(!tells(failed.reason), {
        diagnosis: 'error-leaked',
        message:
          "The client can read the error in the status line. That is for your log; tell the client only that it is not the client's fault.",
        expected: 'a response that says nothing of the error',
        actual: `${failed.status} ${brief(failed.reason, 100)}`,
      });
      failed.expect(
        !telling && !tells(failed.text) && !/^\s+at .+:\d+:\d+\)?$/m.test(failed.text),
        {
          diagnosis: 'error-leaked',
          message: telling
            ? `The client can read the error in the header field ${brief(telling[0], 40)}. That is for your log; tell the client only that it is not the client's fault.`
            : "The client can read the error, or where in your files it happened. That is for your log; tell the client only that it is not the client's fault.",
          expected: 'a response that says nothing of the error',
          actual: telling ? brief(telling.join(': '), 300) : brief(failed.text, 300),
        },
      );
      failed.expect(!maxAge.test(failed.header('Cache-Control') ?? ''), {
        diagnosis: 'field-left-over',
        message:
          'The 500 still has the Cache-Control of the report that failed, so caches would keep the error. Remove what describes the page before you answer in its place.',
        expected: 'no Cache-Control: max-age=60',
        actual: `Cache-Control: ${brief(failed.header('Cache-Control') ?? '')}`,
      });
      expectId(t, failed);
      await logged(early, 'before anything was sent');

      const late = reason();
      const exchange = await t.attempt({ target: `/report?fail=late&why=${escaped(late)}` });
      await t.settle();
      const { message, outcome } = exchange;
      const body = message?.body.toString('utf8') ?? '';
      const ends: Partial<Record<typeof outcome, string>> = {
        answered: 'and the response ended properly',
        'connection-closed': 'and the connection closed before the end of the response',
        'connection-reset': 'and the connection reset before the end of the response',
        'no-answer': 'and the connection still open',
        'response-never-ended': 'and the response still not ended',
      };
      const expected = `200, ${JSON.stringify(lines.first)}, ${ends['connection-closed']}`;
      const end = ends[outcome] ?? outcome;
      const actual = message
        ? `${message.status}, ${JSON.stringify(body.slice(0, 200))}, ${end}`
        : `nothing, ${end}`;
      const shown = { expected, actual, exchange };
      if (outcome === 'no-answer' || outcome === 'response-never-ended') {
        t.fail({
          diagnosis: 'late-failure-hangs',
          message:
            'The report failed after its first line, and the client still waits for the rest. An answer that can neither go on nor be taken back is cut: res.destroy().',
          ...shown,
        });
      }
      if (message?.status === 500) {
        t.fail({
          diagnosis: 'failed-too-early',
          message:
            'The client got a 500: this failure comes after the first line has left, and then it is too late for one.',
          ...shown,
        });
      }
      if (outcome === 'answered') {
        t.check(body !== lines.first + lines.second, {
          diagnosis: 'late-failure-missing',
          message: 'With fail=late the report came whole, as if nothing had failed.',
          ...shown,
        });
        t.fail({
          diagnosis: 'broken-looks-whole',
          message:
            'The report failed half way, and the client got a response that ended properly: to the client it is whole. Cut the connection instead of ending the response.',
          ...shown,
        });
      }
      t.check(message !== undefined && body !== '', {
        diagnosis: 'first-line-lost',
        message:
          'The connection was closed and the first line never came. Either it was not written, or the response was destroyed right after it was written: for that moment Node still holds the line back. write takes a callback that runs when the line has left.',
        ...shown,
      });
      const more = body.startsWith(lines.first) && body !== lines.first;
      t.check(message?.status === 200 && body === lines.first, {
        diagnosis: more ? 'error-in-the-body' : 'wrong-body',
        message: more
          ? 'After the first line came more, before the connection was closed. The client would take it for a part of the report.'
          : 'Before the connection was closed came something else than status 200 and the first line.',
        ...shown,
      });
      expectId(t, new Answer(exchange));
      t.check(!JSON.stringify(message?.rawHeaders).includes(late), {
        diagnosis: 'error-leaked',
        message: 'The client can read the error in a header field. That is for your log.',
        ...shown,
      });
      await logged(late, 'after its first line');
      await bystander.write('Connection: close\r\n\r\n');
      const cutToo = {
        diagnosis: 'others-cut-too',
        message:
          'Half of GET /greeting had come on another connection when the report failed half way, and that connection was closed as well. Cut the one response that is broken.',
      };
      await bystander.answer({
        causes: { 'connection-closed': cutToo, 'connection-reset': cutToo },
      });

      // Several at once: what belongs to one report must not end up in another.
      const [whole, again] = await Promise.all([
        t.get('/report', {
          causes: {
            'connection-closed': {
              diagnosis: 'reports-mixed-up',
              message:
                'A report that nothing was wrong with was cut while another one failed. What belongs to one request must not stand in a variable outside of the handler.',
            },
          },
        }),
        t.get(`/report?fail=early&why=${escaped(reason())}`),
        t.attempt({ target: `/report?fail=late&why=${escaped(reason())}` }),
      ]);
      expectReport(whole);
      again.expectStatus(500);
      // Both in one packet: the second report begins before the first one's line has left.
      const packet = t.connect();
      const reasons = [reason(), reason()];
      const [first = '', second = ''] = reasons.map(escaped);
      const request = (query: string): string =>
        `GET /report?${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      await packet.write(request(`fail=late&why=${first}`) + request(`fail=early&why=${second}`));
      for (const word of reasons) {
        t.check(await t.program.waitForOutput(word, 500), {
          diagnosis: 'reports-mixed-up',
          message:
            'Two reports failed at the same time, each with an error of its own, and the error of one was not printed. What belongs to one request must not stand in a variable outside of the handler.',
          expected: `${reasons.join(' and ')} on the console`,
          actual: `only ${reasons.filter((other) => t.program.stderr.includes(other)).join()}`,
          exchange: undefined,
        });
      }
      const head = await t.head('/report');
      head.expectStatus(200);
      head.expect(maxAge.test(head.header('Cache-Control') ?? ''), {
        diagnosis: 'head-differs',
        message:
          'HEAD has another Cache-Control than GET: it gets the same header fields, and only the body is left out.',
        expected: 'Cache-Control: max-age=60',
        actual: `Cache-Control: ${brief(head.header('Cache-Control') ?? '(none)')}`,
      });
      head.expectNoBody();
      const headFailed = await t.head('/report?fail=early&why=x');
      headFailed.expectStatus(500);
      headFailed.expect(!maxAge.test(headFailed.header('Cache-Control') ?? ''), {
        diagnosis: 'field-left-over',
        message:
          'The 500 for HEAD still has the Cache-Control of the report that failed, so caches would keep the error.',
        expected: 'no Cache-Control: max-age=60',
        actual: `Cache-Control: ${brief(headFailed.header('Cache-Control') ?? '')}`,
      });
    },

    async 'Wait for drain'(t) {
      const stopped = {
        diagnosis: 'stopped-for-good',
        message:
          'The rows stop, and the response is never ended. Either nothing goes on writing when drain comes, or the program waits for a drain that never comes: there is one only after write() has returned false.',
      };
      const printed = t.program.stderr.length;
      const neverBegun = {
        ...stopped,
        message:
          'Not one row came, and the client waits. Either nothing is written at all, or the program waits for a drain that never comes: there is one only after write() has returned false.',
      };
      const causes: OutcomeCauses = { 'response-never-ended': stopped, 'no-answer': neverBegun };
      const three = await t.get('/rows?count=3', { causes });
      expectRows(three, 3);
      expectPlainText(three);
      const unchecked = {
        diagnosis: 'count-not-checked',
        message: 'A count above 10000 is answered with that many rows. Refuse it with 400.',
      };
      const wrong = ['0', '2.5', t.word(), '', '10001', '-3', '3x'].map(
        (count) => `/rows?count=${count}`,
      );
      await t.each(['/rows', ...wrong], async (part, target) => {
        const answer = await part.get(target, {
          ...(target.endsWith('=10001') && { causes: { 'response-endless': unchecked } }),
        });
        expectRefusal(answer, [
          {
            if: (a) => target.endsWith('-3') && a.status < 400,
            diagnosis: 'negative-accepted',
            message:
              'GET /rows?count=-3 was accepted. It is a whole number, and less than the smallest good count, which is 1: answer 400.',
          },
          {
            if: (a) => target.endsWith('3x') && a.status < 400,
            diagnosis: 'count-half-read',
            message:
              'GET /rows?count=3x was taken for 3: a part of it was dropped, as parseInt does. Number() takes the whole text or gives NaN.',
          },
        ]);
        expectId(t, answer);
      });
      await expectOneAnswerEach(t, printed);

      const count = t.int(15, 20);
      // Two at once: each response has its own place in the list.
      const [many, fewer] = await Promise.all(
        [count, count - 5].map((rows) => t.get(`/rows?count=${rows}`, { causes })),
      );
      if (many) expectRows(many, count);
      if (fewer) expectRows(fewer, count - 5);
      const bodyless = await t.head(`/rows?count=${count}`, { causes });
      bodyless.expectStatus(200);
      bodyless.expectNoBody();
      expectId(t, bodyless);
      bodyless.expect(mediaType(bodyless) === mediaType(three), {
        diagnosis: 'head-differs',
        message:
          'HEAD has another Content-Type than GET: it gets the same header fields, and only the body is left out.',
        expected: `Content-Type: ${three.header('Content-Type')}`,
        actual: `Content-Type: ${brief(bodyless.header('Content-Type') ?? '(none)')}`,
      });

      const idle = (await t.program.ping(1000)) ?? 0;
      const before = t.program.memory();
      const slow = t.connect();
      await slow.write(
        `GET /rows?count=${stall.rows} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      await slow.until((received) => received.includes('\r\n\r\n'), 3000);
      slow.pause();
      if (!slow.received.includes('\r\n')) {
        await t.settle();
        // It may still be busy with rows that nobody has asked for yet.
        if (before !== undefined) await expectModest(t, before, idle);
        t.fail({
          diagnosis: 'no-answer',
          message: `GET /rows?count=${stall.rows} got no answer.`,
          expected: 'status 200, and rows',
          actual: slow.state === 'open' ? 'nothing' : 'the connection was closed',
          exchange: undefined,
        });
      }
      t.check(/^HTTP\/1\.\d 200 /.test(slow.received.toString('latin1')), {
        diagnosis: 'good-count-refused',
        message: `GET /rows?count=${stall.rows} was not answered with 200. A count from 1 to ${stall.rows} is good, ${stall.rows} included.`,
        expected: 'status 200',
        actual: brief(slow.received.toString('latin1').split('\r\n')[0] ?? '', 60),
        exchange: undefined,
      });
      if (before !== undefined) await expectModest(t, before, idle);
      // Somebody else is served meanwhile.
      const queued = {
        diagnosis: 'slow-reader-blocks-others',
        message:
          'A client reads its rows slowly, and meanwhile GET /rows?count=12 from another client got no answer at all. Nobody waits for somebody else: each response waits for its own drain.',
      };
      const aside = { causes: { ...causes, 'no-answer': queued } };
      expectRows(await t.get('/rows?count=12', aside), 12);
      // The first stop is not the last one: read on, and stand still again.
      slow.resume();
      const skipped = await slow.skip(stall.readOn);
      await slow.until((received) => received.length > 5 * row(1).length);
      slow.pause();
      if (before !== undefined) await expectModest(t, before, idle);
      // Whole rows, without the lines that begin a chunk.
      const tail = slow.received.toString('latin1');
      const rows = tail.slice(0, tail.lastIndexOf('.\n') + 1).replace(/\r\n[0-9a-f]+\r\n/gi, '');
      const [, ...later] = rows.split('\n');
      const at = parseInt(later[0] ?? '', 10);
      const reached = skipped / row(1).length;
      t.check(later.length > 1, {
        diagnosis: 'slow-reader-forgotten',
        message:
          'A client read slowly, and when it read on no more rows came. Either nothing goes on when drain comes, or something that belongs to one response stands in a variable outside of the handler: somebody else had asked for rows meanwhile.',
        expected: 'more rows',
        actual: `nothing after ${skipped + slow.received.length} bytes`,
        exchange: undefined,
      });
      t.check(
        later.every((line, index) => `${line}\n` === row(at + index)) &&
          at > reached * 0.75 &&
          at < reached + 10,
        {
          diagnosis: 'slow-reader-served-wrong',
          message:
            'A client read slowly while somebody else got rows as well, and its rows are no longer in order. Does something that belongs to one response stand in a variable outside of the handler?',
          expected: `row ${Math.round(reached)} or so, and those that follow it`,
          actual: later.map((line) => brief(line, 30)).join('\n'),
          exchange: undefined,
        },
      );

      const pile = /MaxListenersExceededWarning.*\bdrain listeners\b.*/.exec(
        t.program.stderr.slice(printed),
      );
      t.check(pile === null, {
        diagnosis: 'drain-listeners-pile-up',
        message:
          'Node warns that the drain listeners of one response become more and more. Each of them writes when drain comes, and what write() said to one does not stop the others. A listener that is added for one drain is taken off after it, as once() does.',
        expected: 'one listener that goes on at a time',
        actual: pile?.[0] ?? '',
        exchange: undefined,
      });
      slow.reset();
      await t.attempt({ target: '/greeting' });
      try {
        await t.settle();
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        t.fail({
          ...error.failure,
          exchange: undefined,
          diagnosis: 'leaving-stops-server',
          message:
            error.failure.diagnosis === 'exited'
              ? 'A client left in the middle of the rows, and the whole server ended, though no error made it. Look for a process.exit() or a server.close().'
              : 'A client left in the middle of the rows, and that stopped the whole server: what waits for such a client gets an error, and nobody caught it.',
        });
      }
      (await t.get('/rows?count=1')).expectStatus(200);
    },
  },
  { keepAlive: true },
);
