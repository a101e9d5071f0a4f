import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { suite } from '../scripts/kernel/suite.ts';
import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief } from '../scripts/kernel/exchange.ts';
import type { Program } from '../scripts/kernel/program.ts';
import type { RequestOptions, Trial } from '../scripts/kernel/trial.ts';

type Members = Record<string, unknown>;

/** The answer's JSON object; empty where the body holds none. */
function members(answer: Answer): Members {
  try {
    const value: unknown = JSON.parse(answer.text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** A known mistake; with `member`, one that shows in that member of the answer's JSON alone. */
interface Known extends Cause {
  member?: string;
}

/** A cause that looks at one member of the answer's JSON. */
const when = (
  member: string,
  test: (value: unknown, all: Members) => boolean,
  diagnosis: string,
  message: string,
): Known => ({
  member,
  if: (answer) => {
    const all = members(answer);
    return Object.hasOwn(all, member) && test(all[member], all);
  },
  diagnosis,
  message,
});

/** A cause that misses a member of the answer's JSON. */
const without = (member: string, diagnosis: string, message: string): Known => ({
  member,
  if: (answer) => answer.status === 200 && !Object.hasOwn(members(answer), member),
  diagnosis,
  message,
});

const lists = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const is = (wanted: unknown) => (value: unknown) => value === wanted;

/** A cause that looks at the status. */
const status = (code: number, diagnosis: string, message: string): Known => ({
  if: (a) => a.status === code,
  diagnosis,
  message,
});

function expectJSONType(answer: Answer): void {
  const type = answer.header('Content-Type');
  const right = type !== undefined && /^application\/json\s*(;|$)/i.test(type);
  answer.expectHeader('Content-Type', right ? type : 'application/json', [
    {
      if: () => type !== undefined,
      diagnosis: 'wrong-header',
      message: `The body is JSON, but Content-Type says ${brief(type ?? '', 60)}. sendJSON sets the right one.`,
    },
    {
      if: () => true,
      diagnosis: 'missing-header',
      message:
        'The body is JSON, but the response has no Content-Type that says so. sendJSON sets the right one.',
    },
  ]);
}

/** The status, the members that the README names (others do no harm), and the Content-Type. */
function expectAnswer(answer: Answer, code: number, wanted: Members, causes: Known[] = []): void {
  answer.expectStatus(code, causes);
  answer.json();
  const all = members(answer);
  for (const [name, value] of Object.entries(wanted)) {
    const there = Object.hasOwn(all, name);
    if (there && isDeepStrictEqual(all[name], value)) continue;
    const cause = causes.find(({ member = name, if: fits }) => member === name && fits(answer));
    answer.fail({
      diagnosis: cause?.diagnosis ?? 'wrong-json',
      message:
        cause?.message ??
        `"${name}" in the answer is ${there ? 'not what was expected' : 'missing'}.`,
      expected: JSON.stringify({ [name]: value }),
      actual: there ? JSON.stringify({ [name]: all[name] }) : answer.text,
    });
  }
  expectJSONType(answer);
}

/** An error's status, and a text that says what is wrong. */
function expectError(answer: Answer, code: number, causes: Known[] = []): void {
  answer.expectStatus(code, causes);
  const { error } = members(answer);
  answer.expect(typeof error === 'string' && error !== '', {
    diagnosis: 'error-missing',
    message: `An answer with status ${code} is JSON that says in "error" what is wrong, and this one does not.`,
    expected: '{"error":"…"}',
    actual: answer.text || '(an empty body)',
  });
  expectJSONType(answer);
}

/** A request, and what to expect of its answer. */
interface Probe {
  request: RequestOptions;
  expect: (answer: Answer) => void;
}

/**
 * Sends all requests at once, and judges their answers in order. Where a request got no answer, or the program died,
 * they are sent again one by one, each with a canary after it, so that the one at fault is named.
 */
async function together(t: Trial, probes: Probe[]): Promise<void> {
  const exchanges = await Promise.all(probes.map(({ request }) => t.attempt(request)));
  const unanswered = exchanges.find((exchange) => exchange.outcome !== 'answered');
  const death = await t.settle().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!unanswered && !death) {
    probes.forEach(({ expect }, index) => {
      const exchange = exchanges[index];
      if (exchange) expect(new Answer(exchange));
    });
    return;
  }
  const dead = death || t.program.exit;
  const alone = dead ? t.on((await Promise.all([t.start(), t.restart()]))[0]) : t;
  for (const { request, expect } of probes) {
    expect(await alone.send({ limit: secondLookMs, ...request }));
    await alone.settle();
  }
  if (death) throw death;
  t.fail({
    diagnosis: 'requests-disturb-each-other',
    message:
      'Each of these requests gets its answer alone, but not when several come at once. What belongs to one request must live inside its handler.',
    actual: unanswered?.note ?? 'no answer',
    exchange: unanswered,
  });
}

/** A silence that has lasted its whole time once need not last so long again. */
const secondLookMs = 350;

/** Gives a function that waits until the program has read all that was sent before: two turns of its event loop. */
function reader(t: Trial): () => Promise<void> {
  let connection: ReturnType<Trial['connect']> | undefined;
  return async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      if (!connection || connection.state !== 'open') connection = t.connect();
      await connection.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const exchange = await connection.attempt();
      if (!exchange.message || new Answer(exchange).announcesClose) connection = undefined;
    }
  };
}

const crash = (diagnosis: string, message: string): RequestOptions => ({
  causes: { crashed: { diagnosis, message } },
});

/** A 404 that says which path was looked for. */
function pathOf(
  target: string,
  path: string,
  causes: Known[] = [],
  request: RequestOptions = {},
): Probe {
  return {
    request: { ...request, target },
    expect(answer) {
      expectAnswer(answer, 404, { path }, [
        ...causes,
        status(
          500,
          'target-is-500',
          `${target} got 500: something threw while it was handled. What a client sends must not do that.`,
        ),
        status(
          200,
          'wrong-status',
          `${request.method ?? 'GET'} ${target} got 200. No step answers this path, so it is not found: 404.`,
        ),
        when(
          'path',
          (value) => String(value).includes('?'),
          'query-in-path',
          '"path" still holds the query: req.url is the path and the query together, and pathname is the path alone.',
        ),
      ]);
      expectError(answer, 404);
    },
  };
}

/** A target that is neither a path nor an http URL. */
function refused(target: string, method = 'GET'): Probe {
  return {
    request: {
      method,
      target,
      ...crash(
        'target-crash',
        `The request target ${target} stopped the whole server. new URL() throws on what is no URL, and this text comes from the client: look before you parse, or catch.`,
      ),
    },
    expect(answer) {
      const otherwise =
        target === '*'
          ? {
              diagnosis: 'asterisk-not-refused',
              message:
                'The target * begins with no slash and is no http URL, so it is no path of yours: 400.',
            }
          : /^(ftp|httpx):/.test(target)
            ? {
                diagnosis: 'scheme-not-checked',
                message: `Of the absolute targets only those that begin with http:// or https:// are accepted. ${target} does not, and it was not refused.`,
              }
            : {
                diagnosis: 'bad-target-not-refused',
                message: `${target} is no valid URL, and it was not refused. Glue the origin only in front of a target that begins with a slash.`,
              };
      expectError(answer, 400, [
        status(
          500,
          'target-is-500',
          `${target} got 500. A target that is no good is the client's fault, which is 400.`,
        ),
        { if: () => true, ...otherwise },
      ]);
    },
  };
}

/**
 * A path that is looked for whatever the Host field holds; where that is no host at all, 400 is right as well.
 * HTTP/1.0 does without the field, which is then undefined.
 */
function anyHost(target: string, host: string | undefined, isHost: boolean): Probe {
  const shown =
    host === undefined
      ? 'A request without a Host field, as HTTP/1.0 has it,'
      : host === ''
        ? 'An empty Host field'
        : `The Host field ${JSON.stringify(host)}`;
  return {
    request: {
      target,
      version: host === undefined ? '1.0' : '1.1',
      headers: { Host: host },
      ...crash(
        'host-crash',
        `${shown} stopped the whole server. Host is text that the client types, or leaves out: never build anything with it that can throw.`,
      ),
    },
    expect(answer) {
      if (answer.status === 400 && !isHost) return expectError(answer, 400);
      expectAnswer(answer, 404, { path: target }, [
        status(
          500,
          'host-is-500',
          `${shown} led to a 500. Nothing in the answer depends on Host: leave it out of the URL.`,
        ),
        status(
          400,
          'host-refused',
          `${shown} led to a 400. It is a host like any other, and the answer does not depend on it.`,
        ),
        {
          if: () => true,
          diagnosis: 'host-in-path',
          message: `${shown} changed what the server took for the path. The path stands in the request target alone.`,
        },
      ]);
    },
  };
}

/** Requests on one connection, each of which gets its own answer when it comes alone. */
async function oneAfterTheOther(t: Trial, targets: string[]): Promise<void> {
  let connection = t.connect();
  let kept = true;
  for (const target of targets) {
    await connection.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer: Answer = await connection.answer({ target });
    const known: Known[] = [
      {
        if: () => kept,
        diagnosis: 'state-on-connection',
        message: `These requests were sent one after the other on one connection: ${targets.map((one) => `GET ${one}`).join(', ')}. GET ${target} did not get the answer that it gets alone. A connection carries many requests: what belongs to one of them can be kept neither on its socket nor in a variable outside the handler.`,
      },
    ];
    if (target.includes('?')) expectAnswer(answer, 200, { target }, known);
    else expectAnswer(answer, 404, { path: target }, known);
    // A server may close after any answer, as long as it says so.
    if (answer.announcesClose) {
      connection = t.connect();
      kept = false;
    }
  }
}

/** A connection to `POST /body` that has sent its head and the first part of its body. */
async function upload(t: Trial, body: Buffer, first: number) {
  const connection = t.connect();
  const head = `POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  await connection.write(Buffer.concat([Buffer.from(head), body.subarray(0, first)]));
  return { connection, rest: body.subarray(first) };
}

const bodyNotAnswered = {
  diagnosis: 'body-not-answered',
  message:
    'The whole body was sent and no answer came. Either nothing reads req, so that its end never comes, or the code waits for a sign that does not fit: a healthy request that was read to its end is destroyed, too.',
};

/** The answer to a body: its bytes, its text, and what req.complete said. */
function expectBody(
  answer: Answer,
  sent: Buffer,
  causes: Known[] = [],
  complete: Members = {},
): void {
  const text = sent.toString('utf8');
  answer.expectStatus(200, [
    {
      if: (a) => a.status === 413,
      diagnosis: 'wrong-status',
      message: `A body of ${sent.length} bytes was refused as too large. This lesson sets no limit.`,
    },
    {
      if: (a) => [404, 405].includes(a.status),
      diagnosis: 'post-refused',
      message:
        'POST /body was refused. If your code compares the method: methods are upper case, "POST", and case matters.',
    },
  ]);
  const seen = members(answer)['complete'];
  const object: Members = typeof seen === 'object' && seen !== null ? { ...seen } : {};
  const swapped = object['before'] === true && object['after'] === false;
  if (swapped) complete = { before: false };
  const wanted = { text, bytes: sent.length, complete: { ...object, ...complete, after: true } };
  expectAnswer(answer, 200, wanted, [
    ...causes,
    when(
      'text',
      (value) => value === 'undefined' || value === '[object Object]',
      'no-req-body',
      'There is no req.body in Node: your handler starts before the body has come, and you collect its pieces from req.',
    ),
    when(
      'text',
      (value) => value === text.trim() && value !== text,
      'text-trimmed',
      'The line feed at the end of the text is missing. The text is the body as it came, white space and all.',
    ),
    when(
      'text',
      (value) => typeof value === 'string' && !value.includes('%41') && text.includes('%41'),
      'body-decoded',
      'The text of the body holds %41, and the answer does not: what looks like an escape of a URL is only text here.',
    ),
    when(
      'text',
      (value) => value === sent.toString('latin1') && value !== text,
      'not-utf8',
      'The text has two or three odd letters for one: the bytes were not decoded as UTF-8.',
    ),
    when(
      'text',
      (value) => typeof value === 'string' && value.length > text.length && value.endsWith(text),
      'body-kept',
      'The text holds the body of an earlier request as well. What belongs to one request must live inside its handler.',
    ),
    when(
      'text',
      (value) => value === '' && text !== '',
      'body-not-read',
      'The text is empty although a body was sent. It comes in pieces, after your handler has started: wait for the end of them.',
    ),
    when(
      'bytes',
      (value, all) => value === text.length && value !== sent.length && all['text'] === text,
      'letters-counted',
      '"bytes" counts letters. In UTF-8 a letter takes up to four bytes: count the bytes before you decode them.',
    ),
    when(
      'text',
      (value) => typeof value === 'string' && value !== text && text.startsWith(value),
      'body-cut',
      'The text stops before the end of the body. A body comes in several pieces: go on until the stream ends.',
    ),
    when(
      'complete',
      (value) => typeof value !== 'object',
      'complete-not-two',
      '"complete" is an object with two members: before, when the handler starts, and after, when the body has been read.',
    ),
    when(
      'complete',
      () => swapped,
      'complete-swapped',
      '"before" is true and "after" is false. req.complete turns from false to true, never back: the two stand the wrong way round.',
    ),
    when(
      'complete',
      () => object['before'] === true && complete['before'] === false,
      'complete-read-late',
      '"before" is true: req.complete was read when the body had come already. Read it first, when the handler starts.',
    ),
    when(
      'complete',
      () => object['after'] === false,
      'complete-read-early',
      '"after" is false: req.complete was read before the body had ended. It changes once the whole message has arrived. Read it then, and answer only then: the first piece need not be the last.',
    ),
  ]);
}

interface Growth {
  left: number;
  halfSent: number;
}

/** What `/left` says. */
interface Counts extends Growth {
  answer: Answer;
}

/** How the counts have grown, in words. */
const growth = ({ left, halfSent }: Growth): string =>
  `left grew by ${left}, halfSent grew by ${halfSent}`;

/** Asks `/left`. */
async function counts(t: Trial, options: RequestOptions = {}): Promise<Counts> {
  const answer = await t.get('/left', options);
  answer.expectStatus(200);
  const { left, halfSent } = members(answer);
  const numbers = Number.isInteger(left) && Number.isInteger(halfSent);
  answer.expect(numbers, {
    diagnosis: 'counts-missing',
    message: '/left answers with two whole numbers, "left" and "halfSent".',
    expected: '{"left":0,"halfSent":0}',
    actual: answer.text || '(an empty body)',
  });
  expectJSONType(answer);
  return { left: Number(left), halfSent: Number(halfSent), answer };
}

function expectNotReset(now: Counts, before: Counts): void {
  now.answer.expect(now.left >= before.left && now.halfSent >= before.halfSent, {
    diagnosis: 'counts-reset',
    message:
      'GET /left was asked twice, and a count is smaller than it was before. Both count since the start, and asking for them changes nothing.',
    expected: `left at least ${before.left}, halfSent at least ${before.halfSent}`,
    actual: `left ${now.left}, halfSent ${now.halfSent}`,
  });
}

/** Waits until `left` has grown enough, and compares. */
async function expectCounts(
  t: Trial,
  before: Counts,
  grown: Growth,
  causes: CountCause[],
  options: RequestOptions = {},
): Promise<Counts> {
  let now = await counts(t, options);
  const enough = (): boolean => now.left < before.left || now.left >= before.left + grown.left;
  for (let look = 0; look < 3 && !enough(); look += 1) {
    await t.until(async () => enough() || ((now = await counts(t, options)), enough()), 300);
  }
  if (now.left !== before.left + grown.left || now.halfSent !== before.halfSent + grown.halfSent) {
    // Perhaps it has noticed one thing and not yet the other.
    await t.settle();
    now = await counts(t, options);
  }
  expectNotReset(now, before);
  const difference = { left: now.left - before.left, halfSent: now.halfSent - before.halfSent };
  if (difference.left === grown.left && difference.halfSent === grown.halfSent) return now;
  const cause = causes.find((candidate) => candidate.if(difference));
  return now.answer.fail({
    diagnosis: cause?.diagnosis ?? 'wrong-counts',
    message: cause?.message ?? 'The counts did not grow as the clients left.',
    expected: growth(grown),
    actual: growth(difference),
  });
}

/**
 * Whether this Node's own req.headersDistinct is an ordinary object, which throws on a field named __proto__
 * (CVE-2026-21710). A program that uses it can't be blamed for that.
 */
const nodeItselfThrows = (): boolean =>
  Object.getPrototypeOf(new IncomingMessage(new Socket()).headersDistinct) !== null;

interface CountCause {
  if: (grown: Growth) => boolean;
  diagnosis: string;
  message: string;
}

/** How many steps a program has passed before the last one. */
const passes = new WeakMap<Program, number>();
const passed = ({ program }: Trial): unknown => passes.set(program, (passes.get(program) ?? 0) + 1);

export default suite(
  '03-request-anatomy',
  {
    async 'Say what was asked'(t) {
      const target = `/line?name=J%C3%BCrgen+${t.word()}&empty=&x=/../y'`;
      const methods = [
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'OPTIONS',
        t.pick(['PROPFIND', 'REPORT', 'SEARCH']),
      ];
      const mixed = when(
        'method',
        (value) => [...methods, 'HEAD'].includes(String(value)),
        'requests-mixed',
        'Several requests came at once, and this answer has the method of another one. What belongs to one request must live inside its handler.',
      );
      const lowerCase =
        'Methods are upper case, and case matters in them: keep req.method as it is.';
      const probes: Probe[] = [
        {
          request: { target },
          expect(answer) {
            expectAnswer(
              answer,
              200,
              { method: 'GET', target, httpVersion: '1.1', statusCode: null },
              [
                status(
                  404,
                  'query-in-route',
                  '/line with a query got 404. req.url holds the query too; a route is compared with the path alone.',
                ),
                when('method', is('get'), 'method-lower-case', lowerCase),
                mixed,
                when(
                  'target',
                  (value, all) => value === '/line' && all['httpVersion'] === '1.0',
                  'requests-mixed',
                  'Several requests came at once, and this answer has the target of another one. What belongs to one request must live inside its handler.',
                ),
                when(
                  'target',
                  is('/line'),
                  'target-without-query',
                  '"target" is only the path. The client sent a query as well, and req.url holds both.',
                ),
                when(
                  'target',
                  (value) => String(value).startsWith('http'),
                  'target-rebuilt',
                  '"target" is a whole URL, which the client never sent. It sent what stands in req.url.',
                ),
                when(
                  'target',
                  (value) => String(value).includes('ü'),
                  'target-decoded',
                  '"target" has been decoded. It is the text as the client sent it, escapes and all.',
                ),
                when(
                  'target',
                  (value) => String(value).includes('%27'),
                  'target-rewritten',
                  '"target" has %27 where the client sent an apostrophe: it was put together from the parts of a URL, and the URL class writes some characters in its own way. What the client sent stands in req.url.',
                ),
                when(
                  'statusCode',
                  (value) => typeof value === 'number',
                  'status-of-response',
                  '"statusCode" is the status of a response. That of the request, req.statusCode, is null: a request has none.',
                ),
                without(
                  'statusCode',
                  'status-code-missing',
                  '"statusCode" is missing. req.statusCode is null here, and JSON keeps null; it drops only undefined.',
                ),
                when(
                  'httpVersion',
                  (value) => String(value).startsWith('HTTP/'),
                  'version-with-name',
                  '"httpVersion" is the number alone, such as "1.1": what req.httpVersion holds.',
                ),
                when(
                  'httpVersion',
                  (value) => typeof value === 'number',
                  'version-as-number',
                  '"httpVersion" is a number. It is a text, "1.1": what req.httpVersion holds.',
                ),
              ],
            );
          },
        },
        {
          request: { target: '/line', version: '1.0' },
          expect(answer) {
            expectAnswer(answer, 200, { target: '/line', httpVersion: '1.0' }, [
              when(
                'httpVersion',
                is('1.1'),
                'version-fixed',
                'The client spoke HTTP/1.0, and the answer says 1.1. What the client speaks stands in req.httpVersion.',
              ),
            ]);
          },
        },
        ...methods.map((method): Probe => ({
          request: { method, target: '/line' },
          expect(answer) {
            expectAnswer(answer, 200, { method }, [
              {
                if: (a) => a.status !== 200,
                diagnosis: 'method-refused',
                message: `/line answers every method, and ${method} got ${answer.status}.`,
              },
              when(
                'method',
                is('GET'),
                'method-fixed',
                `The request was a ${method}; the answer says GET. The method stands in req.method.`,
              ),
              when('method', is(method.toLowerCase()), 'method-lower-case', lowerCase),
              mixed,
            ]);
          },
        })),
        {
          request: { method: 'HEAD', target: `/line?${t.word()}` },
          expect(answer) {
            answer.expectStatus(200, [
              {
                if: () => true,
                diagnosis: 'method-refused',
                message: `/line answers every method, and HEAD got ${answer.status}.`,
              },
            ]);
          },
        },
      ];
      await together(t, probes);
      passed(t);
    },

    async 'Take any request target'(t) {
      const [one, two, three] = [t.word(), t.word(), t.word()];
      // A path with two slashes in front, which a base would take for a host.
      const doubled = (target: string, rest: string, path = target): Probe => {
        const slashes = path === target ? '//' : '/\\, which is // to the URL class,';
        const threw = `With a base, new URL() takes what follows ${slashes} for a host, and throws where that is none.`;
        const causes: Known[] = [
          when(
            'path',
            is(path.slice(1)),
            'slashes-merged',
            'Two slashes were made one. They are part of the path that the client asked for: glue the origin in front of the target as it is.',
          ),
          {
            if: (a) => a.status === 200 || members(a)['path'] === rest,
            diagnosis: 'double-slash-host',
            message: `What follows ${slashes} was taken for a host, and only the rest for the path. With a base, new URL() resolves the target as a link on a page; this one is a path from its first slash.`,
          },
          status(
            400,
            'double-slash-refused',
            `${target} got 400. It begins with a slash, so it is a path, and here an unknown one: 404. ${threw}`,
          ),
          status(
            500,
            'target-is-500',
            `${target} got 500: something threw while it was handled. ${threw}`,
          ),
        ];
        return pathOf(target, path, causes, {
          causes: {
            crashed: {
              diagnosis: 'target-crash',
              message: `GET ${target} stopped the whole server. ${threw}`,
            },
            'no-answer': {
              diagnosis: 'no-answer',
              message: `GET ${target} got no answer. Did something throw before the response was ended? ${threw}`,
            },
          },
        });
      };
      // The absolute form, which every server must accept (RFC 9112, 3.2.2).
      const absolute = (target: string): Known[] => [
        status(
          400,
          'absolute-form-refused',
          `The target ${target} got 400. A target that begins with http:// or https://, in small or capital letters, is accepted, and its path counts.`,
        ),
        when(
          'path',
          (value) => String(value).includes('//'),
          'absolute-form-glued',
          'The path holds two slashes: the target is a whole URL already, and it was treated as a path. Glue only where it begins with a slash.',
        ),
      ];
      const accepted = (target: string, path: string): Probe =>
        pathOf(
          target,
          path,
          absolute(target),
          crash(
            'target-crash',
            `GET ${target} stopped the whole server. This target is a whole URL, which every server must accept, and what was made of it is none.`,
          ),
        );
      const whole = `http://${one}.example/line?x=${two}`;
      await together(t, [
        pathOf(`/${one}/${two.toUpperCase()}/?x=${three}`, `/${one}/${two.toUpperCase()}/`, [
          when(
            'path',
            is(`/${one}/${two.toUpperCase()}`),
            'trailing-slash-cut',
            'The slash at the end of the path is gone. "path" is the whole pathname of the URL class.',
          ),
          when(
            'path',
            is(`/${one}/${two}/`),
            'path-in-lower-case',
            '"path" is in lower case. Case matters in paths: keep it as pathname gives it.',
          ),
        ]),
        doubled('//', '/'),
        doubled(`//${one}.example/line`, '/line'),
        doubled(`//${one}:99999/${two}`, `/${two}`),
        pathOf(`/${one}/../${two}`, `/${two}`, [
          when(
            'path',
            is(`/${one}/../${two}`),
            'path-not-from-url',
            '"path" is the pathname that the URL class gives, where /../ has been resolved. This one was cut out by hand.',
          ),
        ]),
        pathOf(`/${one}%C3%A9`, `/${one}%C3%A9`, [
          when(
            'path',
            is(`/${one}é`),
            'path-decoded',
            '"path" has been decoded. Here it stays as pathname gives it, with its escapes.',
          ),
        ]),
        pathOf(
          `/100%?x=${one}`,
          '/100%',
          [
            status(
              400,
              'bad-escape-refused',
              '/100% is a path like any other here: pathname keeps its escapes, good ones and bad ones, so nothing needs decoding.',
            ),
          ],
          crash(
            'decode-crash',
            '/100% stopped the whole server: decodeURIComponent() throws on an escape that means nothing. Leave the path as pathname gives it.',
          ),
        ),
        accepted(`http://${one}.example:8080/${two}?x=http://y/`, `/${two}`),
        accepted(`HTTP://${one.toUpperCase()}.EXAMPLE/${two}`, `/${two}`),
        accepted(`https://${one}.example?x=/${two}`, '/'),
        {
          request: { target: whole },
          expect(answer) {
            expectAnswer(answer, 200, { target: whole }, [
              ...absolute(whole),
              status(
                404,
                'absolute-form-unrouted',
                'http://…/line asks for /line: the path of an absolute target counts like any other.',
              ),
              when(
                'target',
                () => true,
                'target-rebuilt',
                '"target" is what the client sent, the whole URL in this case: req.url, untouched.',
              ),
            ]);
          },
        },
        pathOf(`/http://${one}.example/line`, `/http://${one}.example/line`, [
          status(
            200,
            'url-inside-path',
            'A path that holds a URL was taken for that URL. The target begins with a slash, so all of it is a path.',
          ),
        ]),
        ...[
          '*',
          'http://[/',
          'http://x:99999/',
          `ftp://${one}.example/line`,
          `httpx://${one}.example/line`,
        ].map((target) => refused(target)),
        refused('*', 'OPTIONS'),
        anyHost(`/${one}`, `${two}.example:81`, true),
        ...['', '[', 'a b', 'x:99999', 'h/line?', 'h#'].map((host) =>
          anyHost(`/${one}`, host, false),
        ),
        ...[`/line/${one}`, '/line/', `/search/${one}`].map((path, index) =>
          pathOf(
            path,
            path,
            [
              status(
                200,
                'prefix-taken',
                `${path} got 200. /line and /search are one path each; a path that only begins like one of them is another one, and 404.`,
              ),
              status(
                405,
                'unknown-path-is-405',
                `POST ${path} got 405. That says that the path is there and has other methods; here nothing is there, whatever the method: 404.`,
              ),
            ],
            index === 0 ? { method: 'POST' } : {},
          ),
        ),
        ...['/LINE', '/%6Cine'].map((path) =>
          pathOf(path, path, [
            status(
              200,
              'path-changed',
              `${path} got 200, as if it were /line. A path is compared as pathname gives it: capital letters and escapes are others than small letters.`,
            ),
          ]),
        ),
        doubled('/\\', '/', '//'),
        doubled(`/\\${one}.example/line`, '/line', `//${one}.example/line`),
        anyHost(`/${three}`, undefined, false),
      ]);
      await oneAfterTheOther(t, [`/line?${one}`, `/${two}`, `/line?${three}`]);
      passed(t);
    },

    async 'Read the query'(t) {
      const [one, two, three] = [t.word(), t.word(), t.word()];
      // More than 32 bits hold.
      const page = t.int(430_000_000, 900_000_000) * 10;
      const asked = (
        query: string,
        wanted: Members,
        causes: Known[],
        request: RequestOptions = {},
      ): Probe => ({
        request: { target: `/search${query}`, ...request },
        expect: (answer) => expectAnswer(answer, 200, wanted, causes),
      });
      const notList = when(
        'tags',
        (value) => typeof value === 'string',
        'tags-not-list',
        '"tags" is a list, whatever the number of tags.',
      );
      const coded = `café ${one}&a=b=c+?`;
      await together(t, [
        asked(
          `?tag=${one}&page=${page}&q=${three}&tag=${two}&tag=`,
          { q: three, tags: [one, two, ''], page },
          [
            when(
              'page',
              is(String(page)),
              'page-as-text',
              '"page" is a text. What comes from a query is always text: make it a number.',
            ),
            when(
              'tags',
              (value) => JSON.stringify([value].flat()) === '[""]',
              'one-tag-only',
              'Three tags were sent and only the last came back: an object has room for one value under each name. URLSearchParams has a method that gives all.',
            ),
            when(
              'tags',
              (value) => value === one || (Array.isArray(value) && value.length === 1),
              'one-tag-only',
              'Three tags were sent and one came back: get() gives the first, and there is a method that gives all.',
            ),
            when(
              'tags',
              (value) => JSON.stringify(value) === JSON.stringify([two, '']),
              'first-parameter-lost',
              'The first parameter is lost. URLSearchParams takes the query alone, without the path and the ? before it.',
            ),
            when(
              'tags',
              (value) => JSON.stringify(value) === JSON.stringify([one, two]),
              'empty-tag-dropped',
              'The tag that was empty is missing. It was sent, so it is in the list.',
            ),
            notList,
          ],
        ),
        asked(
          '',
          { q: null, tags: [], page: 1 },
          [
            status(
              400,
              'absent-page-refused',
              '/search without a query got 400. A page that is absent is page 1.',
            ),
            when(
              'page',
              is(0),
              'absent-page-is-0',
              '"page" is 0 although the client sent none: Number(null) is 0. Ask whether it is there before you convert it.',
            ),
            when(
              'page',
              is(null),
              'absent-page-is-null',
              'The client sent no page, so "page" is 1; yours is null. Either your code gives null, or it gives NaN, which JSON writes as null: converting what is not there gives NaN.',
            ),
            when(
              'q',
              is(''),
              'absent-q-is-empty',
              '"q" is an empty text although the client sent none. Absent and empty are different: absent is null.',
            ),
            when(
              'q',
              (value) => value === 'null' || value === 'undefined',
              'absent-q-is-text',
              'The client sent no q, and "q" is a text that spells null or undefined. Absent is null itself, without quotation marks: something has made a text of it.',
            ),
            without(
              'q',
              'absent-q-missing',
              '"q" is missing from the JSON: undefined is dropped, null is kept. An absent q is null.',
            ),
            when(
              'tags',
              (value) => value === null || (Array.isArray(value) && value.length === 1),
              'absent-tags-not-empty',
              'No tag was sent, so "tags" is an empty list.',
            ),
          ],
          crash(
            'absent-query-crash',
            '/search without a query stopped the whole server. What a client may leave out is null, and null has no methods.',
          ),
        ),
        asked('?q=&tag=lone', { q: '', tags: ['lone'], page: 1 }, [
          when(
            'q',
            is(null),
            'empty-q-is-null',
            '?q= sends a q that is empty, and "q" came back null. Empty is "" and absent is null: || takes both for nothing.',
          ),
          notList,
        ]),
        asked('?page=1&q', { q: '', page: 1 }, [
          when(
            'q',
            is(null),
            'empty-q-is-null',
            '?q sends a q that is empty, and "q" came back null. Empty is "", and absent is null.',
          ),
        ]),
        asked(`?q=caf%C3%A9+${one}%26a%3Db=c%2B?&x=1`, { q: coded }, [
          when(
            'q',
            (value) => String(value).includes('%'),
            'query-not-decoded',
            '"q" still holds escapes such as %C3. searchParams decodes them.',
          ),
          when(
            'q',
            (value) => String(value).startsWith('café+'),
            'plus-not-decoded',
            '"q" holds a +. In a query that is a space, and searchParams knows; decodeURIComponent() does not.',
          ),
          when(
            'q',
            is(coded.replace('+', ' ')),
            'decoded-twice',
            '"q" was decoded twice. searchParams has decoded it already.',
          ),
          when(
            'q',
            (value) => typeof value === 'string' && coded.startsWith(value),
            'value-cut',
            '"q" stops too early: a value may hold =, ? and an escaped &. searchParams takes the query apart rightly.',
          ),
        ]),
        asked(
          '?q=100%',
          { q: '100%' },
          [
            {
              if: (a) => a.status !== 200,
              diagnosis: 'bad-escape-refused',
              message:
                '?q=100% was refused. searchParams leaves an escape that means nothing as it is, and so does this step.',
            },
          ],
          crash(
            'decode-crash',
            '?q=100% stopped the whole server: decodeURIComponent() throws on an escape that means nothing. searchParams never throws.',
          ),
        ),
        asked(
          '',
          { q: one, page },
          [
            when(
              'q',
              is(null),
              'absolute-form-without-query',
              'The target was a whole URL, http://…/search?q=…, and its query was not read. It counts like that of a path.',
            ),
          ],
          { target: `http://${two}.example/search?page=${page}&q=${one}` },
        ),
        asked(`?q=${one}&q=${two}`, { q: one }, [
          when(
            'q',
            is(two),
            'last-q-wins',
            'Two q were sent, and "q" is the second. The first one counts.',
          ),
          when(
            'q',
            (value) => Array.isArray(value),
            'q-is-list',
            '"q" is one text, the first q that was sent.',
          ),
        ]),
        asked(
          `?Q=${two}&q=+Tea%20${one}+&tag=${one},B&tag=${one},B`,
          { q: ` Tea ${one} `, tags: [`${one},B`, `${one},B`] },
          [
            when(
              'q',
              is(two),
              'parameter-name-case',
              '"q" is the value of Q. The names of parameters are case-sensitive: Q is another one than q.',
            ),
            when(
              'q',
              (value) => value === `Tea ${one}`,
              'q-trimmed',
              '"q" has lost the spaces around it. It is the value as searchParams gives it.',
            ),
            when(
              'q',
              (value) => String(value).trim() === `tea ${one}`,
              'q-in-lower-case',
              '"q" is in lower case. It is the value as searchParams gives it.',
            ),
            when(
              'tags',
              (value) =>
                lists(value) && value.length > 0 && value.every((tag) => !tag.includes(',')),
              'tags-cut',
              'A tag with a comma in it was cut there. In a query each tag= is one tag; the comma is a part of it.',
            ),
            when(
              'tags',
              (value) => lists(value) && value.length === 1,
              'tags-once',
              'One tag was sent twice and is in "tags" once. Each counts.',
            ),
          ],
        ),
        ...[
          ...['', '0', '-1', '1.5', '2x', '1e1', '0x10', 'abc', `x${page}`],
          ...['%202', '2%20', '%2B2', '1.0'],
        ].map((value): Probe => ({
          request: {
            target: `/search?page=${value}`,
            ...crash(
              'page-crash',
              `?page=${value} stopped the whole server. It comes from the client, who gets 400.`,
            ),
          },
          expect(answer) {
            expectError(answer, 400, [
              status(
                500,
                'page-is-500',
                `?page=${value} got 500. What the client sent is not right, which is 400.`,
              ),
              when(
                'page',
                is(null),
                'page-is-nan',
                `?page=${value} was accepted, and "page" is null: that is NaN, written as JSON. Look before you use it.`,
              ),
              when(
                'page',
                (page) => value === '2x' && page === 2,
                'half-a-number',
                '?page=2x was accepted as 2. parseInt() stops at the first sign that is no digit; ask for digits only.',
              ),
              when(
                'page',
                () => value === '',
                'empty-page-accepted',
                '?page= was accepted. It was sent and is no number; only an absent page is 1.',
              ),
              when(
                'page',
                () => value === '1e1' || value === '0x10',
                'notation-accepted',
                `?page=${value} was accepted. Number() reads more than digits; ask for digits only.`,
              ),
              when(
                'page',
                () => true,
                'page-not-checked',
                `?page=${value} was accepted. A page is a whole number from 1 up, in digits only; everything else gets 400.`,
              ),
            ]);
          },
        })),
      ]);
      passed(t);
    },

    async 'Read the header fields'(t) {
      const [one, two, three] = [t.word(), t.word(), t.word()];
      const spaced = `${t.word()} ${t.word()}`;
      const sent: [string, string][] = [
        ['HOST', 'localhost'],
        ['content-TYPE', `text/${one}; charset=UTF-8`],
        ['x-Tag', one],
        ['Cookie', `a=${one}`],
        [`X-Tag-${three}`, `${three}s`],
        ['Content-type', `text/${two}`],
        ['X-TAG', `${two} ,  ${three.toUpperCase()}`],
        ['COOKIE', `b=${two}`],
        ['x-tag', `${one}, ${spaced}`],
        ['Connection', 'close'],
      ];
      const names = sent.map(([name]) => name);
      const joined = [one, two, three.toUpperCase(), one, spaced];
      const full: Known[] = [
        when(
          'type',
          is(null),
          'header-name-case',
          '"type" is null although the client sent a Content-Type. Which name do you ask for? In req.headers every name is in lower case.',
        ),
        when(
          'cookie',
          is(null),
          'header-name-case',
          '"cookie" is null although the client sent one. Which name do you ask for? In req.headers every name is in lower case, and Set-Cookie is a field of responses.',
        ),
        when(
          'type',
          is(`text/${two}`),
          'second-content-type',
          'Two Content-Type fields were sent, and "type" is the second. The first one counts, as in req.headers.',
        ),
        when(
          'type',
          (value) => String(value).includes(',') || Array.isArray(value),
          'types-joined',
          'Two Content-Type fields were sent, and "type" holds both. The first one counts, as in req.headers.',
        ),
        when(
          'cookie',
          is(`a=${one}, b=${two}`),
          'cookies-joined-with-comma',
          'Two Cookie fields were joined with a comma. Cookies are joined with "; ", as in req.headers.',
        ),
        when(
          'cookie',
          (value) => value === `a=${one}` || value === `b=${two}`,
          'one-cookie-only',
          'Two Cookie fields were sent, and "cookie" holds one of them. All count.',
        ),
        when(
          'type',
          is(`text/${one}; charset=utf-8`),
          'type-in-lower-case',
          '"type" is in lower case. Only the names of fields are the same in upper and lower case; a value is kept as it is.',
        ),
        when(
          'type',
          is(`text/${one}`),
          'type-shortened',
          '"type" has lost its charset. It is the whole value of the field.',
        ),
        when(
          'tags',
          (value) => lists(value) && value.includes(`${three}s`),
          'tags-of-another-field',
          `"tags" holds what was sent as X-Tag-${three}. That is another field: a name is compared as a whole.`,
        ),
        when(
          'tags',
          (value) => typeof value === 'string' && value.includes(','),
          'tags-not-list',
          '"tags" is one text. Node has joined the fields of X-Tag with commas; the answer is a list of the values.',
        ),
        when(
          'tags',
          (value) => [value].flat().join() === one,
          'one-tag-only',
          'X-Tag was sent three times, with five values, and "tags" has one of them. The same field may come more than once, its name in upper or lower case.',
        ),
        when(
          'tags',
          (value) => lists(value) && value.some((tag) => tag.includes(',')),
          'tags-not-split',
          'An entry of "tags" holds several values. A comma separates values, whether Node put it there or the client.',
        ),
        when(
          'tags',
          (value) =>
            lists(value) &&
            value.join() !== joined.join() &&
            value.map((tag) => tag.trim()).join() === joined.join(),
          'tags-not-trimmed',
          'An entry of "tags" begins or ends with a space. Spaces around a comma do not belong to the values.',
        ),
        when(
          'tags',
          (value) =>
            lists(value) &&
            value.join(' ') === joined.join(' ') &&
            !isDeepStrictEqual(value, joined),
          'tags-split-at-space',
          'One value of X-Tag has a space in it, and it was cut there. Only commas separate values.',
        ),
        when(
          'tags',
          (value) => lists(value) && value.length === 0,
          'header-name-case',
          '"tags" is empty although X-Tag was sent. A name may come in upper or lower case; in req.headers all names are in lower case.',
        ),
        when(
          'tags',
          (value) =>
            lists(value) &&
            value.length === joined.length &&
            value.join().toLowerCase() === joined.join().toLowerCase() &&
            value.join() !== joined.join(),
          'tags-in-lower-case',
          'The values in "tags" are in lower case. In the names of fields upper and lower case are the same; values are kept as they are.',
        ),
        when(
          'tags',
          (value) => lists(value) && value.join() === [...new Set(joined)].join(),
          'tags-once',
          'One value was sent twice and is in "tags" once. Each value counts.',
        ),
        when(
          'tags',
          (value) =>
            lists(value) &&
            value.length < joined.length &&
            value.every((tag) => joined.includes(tag)),
          'some-tags-only',
          'Some values of X-Tag are missing from "tags". The same field may come more than once, its name in upper or lower case.',
        ),
        when(
          'names',
          (value) => Array.isArray(value) && value.length > names.length,
          'names-and-values',
          '"names" holds more than the names. req.rawHeaders is a flat list: a name, its value, the next name, …',
        ),
        when(
          'names',
          (value) =>
            lists(value) && value.length > 0 && value.every((name) => name === name.toLowerCase()),
          'names-in-lower-case',
          '"names" is in lower case. req.headers has the names so, each of them once; as they were sent they stand in req.rawHeaders.',
        ),
        when(
          'names',
          (value) =>
            lists(value) &&
            value.length < names.length &&
            names.every((name) => value.some((one) => one.toLowerCase() === name.toLowerCase())),
          'names-dropped',
          'A name that came twice, in other letters or the same, is missing from "names". Every field counts.',
        ),
      ];
      const absent: Known[] = [
        when(
          'tags',
          (value) => Array.isArray(value) && value.length === 1,
          'tags-of-nothing',
          'X-Tag was not sent, and "tags" has an entry. An empty text, cut at its commas, still gives one empty piece.',
        ),
        when(
          'type',
          (value) => typeof value === 'string',
          'absent-header-not-null',
          'Content-Type was not sent, so "type" is null.',
        ),
        when(
          'cookie',
          (value) => typeof value === 'string',
          'absent-header-not-null',
          'Cookie was not sent, so "cookie" is null.',
        ),
        without(
          'type',
          'absent-header-missing',
          '"type" is missing from the JSON: undefined is dropped, null is kept. A field that was not sent is null.',
        ),
        without(
          'cookie',
          'absent-header-missing',
          '"cookie" is missing from the JSON: undefined is dropped, null is kept. A field that was not sent is null.',
        ),
      ];
      const odd: [string, string][] = [
        ['Host', 'localhost'],
        ['__proto__', one],
        ['constructor', two],
        ['X-Tag', three],
        ['__proto__', two],
        ['Connection', 'close'],
      ];
      const inherited =
        'An object that is filled under names from a client has these already; a Map has not.';
      const named: Probe = {
        request: {
          target: '/headers',
          headers: odd,
          ...crash(
            'proto-header-crash',
            `Header fields with the names __proto__ and constructor stopped the whole server. ${inherited}`,
          ),
        },
        expect: (answer) =>
          expectAnswer(answer, 200, { tags: [three], names: odd.map(([name]) => name) }, [
            status(
              500,
              'proto-header-500',
              `Header fields with the names __proto__ and constructor led to a 500. ${inherited}`,
            ),
          ]),
      };
      await together(t, [
        {
          request: { target: `/headers?x-tag=${t.word()}`, headers: sent },
          expect: (answer) =>
            expectAnswer(
              answer,
              200,
              {
                type: `text/${one}; charset=UTF-8`,
                cookie: `a=${one}; b=${two}`,
                tags: joined,
                names,
              },
              full,
            ),
        },
        {
          request: {
            target: '/headers',
            headers: [
              ['host', 'localhost'],
              ['CONNECTION', 'close'],
            ],
            ...crash(
              'absent-header-crash',
              'A request without X-Tag, Cookie and Content-Type stopped the whole server. A field that was not sent is undefined.',
            ),
          },
          expect: (answer) =>
            expectAnswer(
              answer,
              200,
              { type: null, cookie: null, tags: [], names: ['host', 'CONNECTION'] },
              absent,
            ),
        },
        ...(nodeItselfThrows() ? [] : [named]),
      ]);
      passed(t);
    },

    async 'Say who is calling'(t) {
      const connection = t.connect();
      const forged = '203.0.113.9';
      const request = `GET /peer HTTP/1.1\r\nHost: ${forged}\r\nX-Forwarded-For: ${forged}\r\nX-Real-IP: ${forged}\r\nForwarded: for=${forged};proto=https\r\nX-Forwarded-Proto: https\r\n\r\n`;
      await connection.write(request);
      const first = await connection.answer();
      const port = connection.localPort;
      // A server that listens on IPv6 as well sees 127.0.0.1 in its longer form.
      const seen = members(first)['address'];
      const address = seen === '::ffff:127.0.0.1' ? seen : '127.0.0.1';
      const wanted = { address, port, encrypted: false, loopback: true };
      // Is it a header field that makes it true?
      if (members(first)['encrypted'] === true) {
        const plain = await t.get('/peer');
        expectAnswer(plain, 200, { encrypted: false }, [
          when(
            'encrypted',
            is(true),
            'encrypted-always-true',
            '"encrypted" is true, and this connection is plain TCP. Only the socket of a TLS connection has this property; here req.socket.encrypted is undefined.',
          ),
        ]);
      }
      const causes: Known[] = [
        when(
          'address',
          is(forged),
          'address-from-header',
          '"address" is what a header field claimed. Anybody can type that; req.socket knows who is connected.',
        ),
        when(
          'encrypted',
          is(true),
          'encrypted-from-header',
          '"encrypted" is true because a header field claimed it. This connection is plain TCP, and req.socket knows.',
        ),
        when(
          'port',
          is(t.program.port),
          'own-port',
          '"port" is the server\'s own. The client\'s end of the connection has another one: local is this side, remote the other.',
        ),
        when(
          'port',
          is(String(port)),
          'port-as-text',
          '"port" is a text; it must be a number, without quotation marks.',
        ),
        when(
          'loopback',
          (value, all) => value === false && String(all['address']).startsWith('::ffff:'),
          'mapped-address',
          '"loopback" is false for ::ffff:127.0.0.1. On a server that listens on IPv6 too, an IPv4 address looks like this.',
        ),
        when(
          'loopback',
          is(false),
          'loopback-false',
          '"loopback" is false although the client sits on this machine, at 127.0.0.1.',
        ),
        without(
          'encrypted',
          'encrypted-undefined',
          '"encrypted" is missing from the JSON: on a plain connection req.socket.encrypted is undefined, and JSON drops that. It is false.',
        ),
        when(
          'encrypted',
          is(null),
          'encrypted-undefined',
          '"encrypted" is null. On a plain connection req.socket.encrypted is undefined; the answer is false.',
        ),
        without(
          'address',
          'address-missing',
          '"address" is missing from the JSON. The client\'s address is req.socket.remoteAddress.',
        ),
        when(
          'address',
          () => true,
          'wrong-json',
          '"address" is not the address of the client, which called from 127.0.0.1. req.socket has several names that begin with remote.',
        ),
      ];
      expectAnswer(first, 200, wanted, causes);

      const other = t.connect();
      await other.write(request);
      const second = await other.answer();
      const remembered = when(
        'port',
        is(port),
        'peer-remembered',
        '"port" is that of another client, who called before. What belongs to one request must not outlive it.',
      );
      expectAnswer(second, 200, { ...wanted, port: other.localPort }, [remembered, ...causes]);

      // Linux lets a client call from any address of the loopback range.
      if (process.platform === 'linux') {
        const neighbour = t.connect('127.0.0.2');
        await neighbour.write(request);
        const third = await neighbour.answer();
        const from = address.replace(/127.*/, '127.0.0.2');
        expectAnswer(third, 200, { ...wanted, address: from, port: neighbour.localPort }, [
          remembered,
          when(
            'address',
            is(address),
            'address-not-remote',
            '"address" is 127.0.0.1, but this client called from 127.0.0.2. req.socket has an address for either end of the connection: local is this side, remote the other.',
          ),
          when(
            'loopback',
            is(false),
            'loopback-range',
            '"loopback" is false for a client at 127.0.0.2. Every address that begins with 127. is this machine.',
          ),
          ...causes,
        ]);
      }
      passed(t);
    },

    async 'Read the body'(t) {
      const read = reader(t);
      const text = (extra: string): Buffer => Buffer.from(`${t.word()} naïve €${extra}`);
      const sent = { headers: { Host: 'localhost' }, causes: { 'no-answer': bodyNotAnswered } };
      for (const body of [text(' \u{1f375}\n'), text(' %41+')])
        expectBody(await t.post('/body', body, sent), body);

      // A letter of three bytes, cut in two; and two clients at once.
      const [left, right] = [text(' !'), text(' ?')];
      const cut = left.indexOf('€') + 1;
      const [a, b] = await Promise.all([
        upload(t, left, cut),
        upload(t, right, right.indexOf('€') + 2),
      ]);
      await read();
      // Whoever answers after a while, whether all has come or not, does so now.
      await t.settle();
      t.check(a.connection.received.length === 0, {
        diagnosis: 'answered-too-early',
        message:
          'POST /body was answered before the whole body had come. Wait for the end of the stream.',
        expected: 'no answer before the body has ended',
        actual: a.connection.received.toString('utf8'),
      });
      await Promise.all([a.connection.write(a.rest), b.connection.write(b.rest)]);
      const split = when(
        'text',
        (value) => /�.*[!?]$/.test(String(value)),
        'character-split',
        'The text holds � in place of a €. This body came in pieces, and one of them ended inside the three bytes of a €. Put all bytes together first, then decode once.',
      );
      const early = when(
        'text',
        (value) => /^[^�]+�+$/.test(String(value)),
        'answered-too-early',
        'The text stops in the middle of a €: POST /body was answered before the whole body had come. Wait for the end of the stream.',
      );
      const mixed = (other: Buffer): Known =>
        when(
          'text',
          (value) =>
            [0, -1].some((end) =>
              String(value).includes(other.toString('utf8').split(' ').at(end) ?? ''),
            ),
          'bodies-mixed',
          'Two clients sent at the same time, and the text holds what the other one sent. What belongs to one request must live inside its handler.',
        );
      expectBody(await a.connection.answer(sent), left, [mixed(right), split, early], {
        before: false,
      });
      expectBody(await b.connection.answer(sent), right, [mixed(left), split, early], {
        before: false,
      });

      // None at all; one without a Content-Length; one that is longer than a single read brings.
      const piece = text('');
      const chunk = Buffer.concat([
        Buffer.from(`${piece.length.toString(16)}\r\n`),
        piece,
        Buffer.from('\r\n'),
      ]);
      const chunkedNotAnswered = {
        diagnosis: 'chunked-not-answered',
        message:
          'A body that comes in chunks, without Content-Length, got no answer. The stream says when it ends; Content-Length need not be there.',
      };
      const long = Buffer.from('€'.repeat(t.int(30_000, 40_000)));
      const [none, chunked, whole] = await Promise.all([
        t.post('/body', '', {
          ...sent,
          causes: {
            'no-answer': {
              diagnosis: 'body-not-answered',
              message:
                'POST /body with an empty body (Content-Length: 0) got no answer, although bodies with a text did. When a body is empty no piece of it comes, only the end.',
            },
          },
        }),
        t.post('/body', Buffer.concat([chunk, chunk, Buffer.from('0\r\n\r\n')]), {
          headers: { Host: 'localhost', 'Transfer-Encoding': 'chunked' },
          causes: { 'no-answer': chunkedNotAnswered },
        }),
        t.post('/body', long, sent),
      ]);
      expectBody(none, Buffer.alloc(0));
      expectBody(chunked, Buffer.concat([piece, piece]));
      expectBody(whole, long, [split]);

      // Clients that hang up half way.
      const [first, second] = await Promise.all([upload(t, left, cut), upload(t, left, cut)]);
      await read();
      first.connection.reset();
      second.connection.end();
      await read();
      await t.get(
        '/line',
        crash(
          'half-body-crash',
          'Two clients sent POST /body with only a part of the body and hung up, and that stopped the whole server. Reading req fails then: whatever waits for the body must catch it, and end neither the process nor the server.',
        ),
      );
      passed(t);
    },

    async 'Notice who left'(t) {
      const read = reader(t);
      const start = await counts(t);
      // Clients that got all they had asked for, and then left.
      const stayed = t.connect();
      await stayed.write('GET /line HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await stayed.answer();
      stayed.reset();
      await Promise.all([
        t.get('/line'),
        t.head('/line'),
        t.get('/nothing'),
        t.get('*'),
        t.post('/line', t.word()),
        t.post('/body', t.word()),
      ]);
      await read();
      const healthy = await counts(t);
      expectNotReset(healthy, start);
      healthy.answer.expect(healthy.left === start.left && healthy.halfSent === start.halfSent, {
        diagnosis: 'healthy-counted',
        message:
          'Between two GET /left, clients asked for /line, /nothing, * and /body, and all of them stayed until they had their whole answer. Some were counted. Every response closes in the end, and every request that was read is destroyed: only writableFinished of the response tells who left.',
        expected: growth({ left: 0, halfSent: 0 }),
        actual: growth({
          left: healthy.left - start.left,
          halfSent: healthy.halfSent - start.halfSent,
        }),
      });

      // One that leaves in the middle of its body.
      const half = await upload(t, Buffer.from('half a body'), 4);
      await read();
      await t.settle();
      const early = half.connection.received.length > 0;
      half.connection.reset();
      const afterHalf = await expectCounts(
        t,
        healthy,
        { left: 1, halfSent: 1 },
        [
          {
            if: (grown) => grown.left === 0 && early,
            diagnosis: 'answered-too-early',
            message:
              'A client sent POST /body with 4 of its 11 bytes, got an answer before the others, and hung up. Who has an answer does not count as left. /body is to answer when the whole body has come.',
          },
          {
            if: (grown) => grown.left === 0 && grown.halfSent === 0,
            diagnosis: 'half-sent-not-counted',
            message:
              'A client sent POST /body with 4 of its 11 bytes and hung up, and neither count grew. Its response closes without having been finished; look there.',
          },
          {
            if: (grown) => grown.left === 1 && grown.halfSent === 0,
            diagnosis: 'complete-not-seen',
            message:
              'A client sent POST /body with 4 of its 11 bytes and hung up. It was counted in left, but not in halfSent. Its req.complete is false, also when the response closes.',
          },
          {
            if: (grown) => grown.left > 1,
            diagnosis: 'counted-twice',
            message:
              'A client sent POST /body with 4 of its 11 bytes and hung up. It left once, and was counted more than once.',
          },
        ],
        crash(
          'half-body-crash',
          'A client sent POST /body with 4 of its 11 bytes and hung up, and that stopped the whole server. Reading req fails then: whatever waits for the body must catch it, and end neither the process nor the server.',
        ),
      );

      // Two that have sent everything and leave before the answer, on a path that takes its time.
      const waiting = [t.connect(), t.connect()];
      await Promise.all(
        waiting.map((connection) =>
          connection.write('GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n'),
        ),
      );
      await read();
      const still = await counts(t);
      const answers = (): string =>
        waiting.map(({ received }) => received.toString('utf8')).join('');
      const answered = {
        diagnosis: 'wait-answered',
        message:
          'GET /wait was answered at once. It takes five seconds, so that a client has time to hang up.',
      };
      if (answers() !== '') {
        t.fail({
          ...answered,
          expected: 'no answer for five seconds',
          actual: brief(answers().split('\r\n')[0] ?? '', 80),
          exchange: await waiting[0]?.attempt({ target: '/wait' }),
        });
      }
      expectNotReset(still, afterHalf);
      still.answer.expect(still.left === afterHalf.left && still.halfSent === afterHalf.halfSent, {
        diagnosis: 'waiting-counted',
        message:
          'Two clients asked for GET /wait and are still there, waiting for their answer, and they were counted. They have not left.',
        expected: growth({ left: 0, halfSent: 0 }),
        actual: growth({
          left: still.left - afterHalf.left,
          halfSent: still.halfSent - afterHalf.halfSent,
        }),
      });
      waiting[0]?.end();
      waiting[1]?.reset();
      const afterWait = await expectCounts(t, still, { left: 2, halfSent: 0 }, [
        { if: () => answers() !== '', ...answered },
        {
          if: (grown) => grown.left === 0,
          diagnosis: 'unanswered-not-counted',
          message:
            'Two clients sent their whole request, GET /wait, and left before the answer, and they were not counted. Their req.complete is true: only the response, which closes unfinished, knows that they left.',
        },
        {
          if: (grown) => grown.left === 1,
          diagnosis: 'one-way-to-leave',
          message:
            'Two clients asked for GET /wait and left before their answer, one with an orderly end of the connection and one with a reset, and one of them was counted. Either way the response closes unfinished.',
        },
        {
          if: (grown) => grown.left > 2,
          diagnosis: 'counted-twice',
          message:
            'Two clients asked for GET /wait and left before their answer, and more were counted.',
        },
        {
          if: (grown) => grown.halfSent > 0,
          diagnosis: 'whole-request-counted-half',
          message:
            'Two clients sent their whole request, GET /wait, and left before the answer, and halfSent counts them. It is only for those whose req.complete is still false when the response closes.',
        },
      ]);

      // On that path too: one with a part of its body, in chunks, one with all of it. And one that has got an answer
      // on the same connection before.
      const bodies = [t.connect(), t.connect()];
      let served = t.connect();
      await served.write('GET /line HTTP/1.1\r\nHost: localhost\r\n\r\n');
      if ((await served.answer()).announcesClose) served = t.connect();
      const wait = 'GET /wait HTTP/1.1\r\nHost: localhost\r\n';
      await Promise.all([
        bodies[0]?.write(`${wait}Transfer-Encoding: chunked\r\n\r\n5\r\nab`),
        bodies[1]?.write(`${wait}Content-Length: 5\r\n\r\nabcde`),
        served.write(`${wait}\r\n`),
      ]);
      await read();
      served.reset();
      const afterServed = await expectCounts(t, afterWait, { left: 1, halfSent: 0 }, [
        {
          if: (grown) => grown.left === 0,
          diagnosis: 'counted-by-connection',
          message:
            'A client asked for GET /line and got its answer, then asked for GET /wait on the same connection and left before that answer. It was not counted. A connection carries many requests, and what is known of one says nothing of the next.',
        },
      ]);
      for (const connection of bodies) connection.reset();
      const both =
        'Two clients sent GET /wait with a body of 5 bytes and left before their answer; one had sent 2 of them, in a chunk, the other all.';
      await expectCounts(t, afterServed, { left: 2, halfSent: 1 }, [
        {
          if: (grown) => grown.left < 2,
          diagnosis: 'unanswered-not-counted',
          message: `${both} Both have left, and "left" does not count both.`,
        },
        {
          if: (grown) => grown.left > 2,
          diagnosis: 'counted-twice',
          message: `${both} More were counted in "left".`,
        },
        {
          if: (grown) => grown.halfSent === 0,
          diagnosis: 'half-sent-elsewhere',
          message: `${both} halfSent counts neither. A body may come with any method and on any path; req.complete tells whether all of it has come.`,
        },
        {
          if: (grown) => grown.halfSent > 1,
          diagnosis: 'whole-request-counted-half',
          message: `${both} halfSent counts both. It is only for those whose req.complete is still false when the response closes.`,
        },
      ]);

      // Of all the clients of the steps before only the two with half a body have left.
      t.check(passes.get(t.program) !== 6 || (start.left === 2 && start.halfSent === 2), {
        diagnosis: 'counts-not-from-zero',
        message:
          'In all the steps before this one two clients left, both in the middle of their body, and GET /left said another number after it. Do both counts begin at 0?',
        expected: 'left 2, halfSent 2',
        actual: `left ${start.left}, halfSent ${start.halfSent}`,
        exchange: start.answer.exchange,
      });
    },
  },
  { keepAlive: true },
);
