import type { Answer, Cause } from '../scripts/kernel/answer.ts';
import { StepFailure } from '../scripts/kernel/failure.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { RequestOptions, Trial } from '../scripts/kernel/trial.ts';
import { findBrowser, howToGetOne, withBrowser } from './support/browser.ts';
import { asks, described, likeABrowser, servePage, visit } from './support/cors-scenario.ts';

const allowOrigin = 'Access-Control-Allow-Origin';
const allowMethods = 'Access-Control-Allow-Methods';
const allowHeaders = 'Access-Control-Allow-Headers';
const allowCredentials = 'Access-Control-Allow-Credentials';
const maxAge = 'Access-Control-Max-Age';

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'];

/** The items of a field's list (RFC 9110, 5.6.1). */
const list = (answer: Answer, name: string): string[] =>
  (answer.header(name) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

const from = (origin: string | undefined): { headers: Record<string, string | undefined> } => ({
  headers: { Origin: origin },
});

const neverAnswered = {
  'no-answer': {
    diagnosis: 'true-without-answer',
    message:
      'No answer came: cors said true, which means that it has answered, and had not. server.ts then does nothing more. (An async function gives a promise, and an if takes every promise for true: cors is not async.)',
  },
};

/** Sends a request; where the server dies of it, what is odd about the request is told as well. */
async function asked(t: Trial, options: RequestOptions): Promise<Answer> {
  try {
    return await t.send(options);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    const { failure } = error;
    if (
      failure.diagnosis === 'headers-already-sent' &&
      / 07-cors\/server\.ts/.test(failure.message)
    ) {
      return t.fail({
        ...failure,
        message:
          'cors sent an answer, or the head of one, and server.ts went on and answered, of which the server died. To set header fields there is res.setHeader, which sends nothing; writeHead, flushHeaders, write and end do. Where cors has answered it returns true: false, and nothing at all, mean that it has not.',
      });
    }
    const origin = new Headers(
      Object.entries(options.headers ?? {}).filter(
        (field): field is [string, string] => typeof field[1] === 'string',
      ),
    ).get('Origin');
    const thrown = ['url-threw', 'crashed', 'bad-header-value'].includes(failure.diagnosis);
    if (
      !thrown ||
      (origin !== null && URL.canParse(origin) && !failure.message.includes('new URL'))
    )
      throw error;
    return t.fail({
      ...failure,
      message: `${failure.message.replace(/ a path alone needs a base, and what a client sends need not be a path\.$/, ' what a client sends as its Origin need not be a URL.').replace(/([^.])$/, '$1.')} ${origin === null ? 'This request had no Origin.' : `The Origin of this request was ${origin}.`}`,
    });
  }
}

/** What a browser asks before it sends such a request. Without fields of its own there is nothing to ask about them. */
const preflight = (
  t: Trial,
  target: string,
  origin: string,
  method = 'PUT',
  fields = 'authorization,content-type',
): Promise<Answer> =>
  asked(t, {
    method: 'OPTIONS',
    target,
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': fields === '' ? undefined : fields,
    },
    causes: neverAnswered,
  });

/** What a page gets to see, in words. */
const shown = (result: number | 'blocked'): string =>
  result === 'blocked' ? 'the page does not see the answer' : `the page sees status ${result}`;

/** The list that server.ts has unless ALLOWED_ORIGINS says otherwise. */
const friend = 'http://friend.localhost:3000';

/** What an answer has in place of a field that is missing: one whose name is nearly the same, or nothing. */
function lookalike(answer: Answer, name: string): string {
  const start = name.slice(0, -2).toLowerCase();
  const wrong = answer.rawHeaders.find(
    ([other]) =>
      other.toLowerCase() !== name.toLowerCase() &&
      (other.toLowerCase().startsWith(start) ||
        other.toLowerCase().replaceAll('allowed', 'allow') === name.toLowerCase()),
  );
  return wrong ? ` It has ${wrong[0]}, which is another name.` : '';
}

/** Access-Control-Allow-Methods and -Headers, which every answer has. */
function expectLists(answer: Answer, which = ''): void {
  const { method, target } = answer.exchange;
  const without = (name: string): string =>
    `The answer to ${method} ${target} has ${answer.header(name) === undefined ? 'no' : 'an empty'} ${name}. Every answer says what is allowed, errors too${which}.${lookalike(answer, name)}`;
  const named = list(answer, allowMethods);
  const missing = methods.filter((method) => !named.includes(method));
  answer.expect(missing.length === 0, {
    ...(named.length === 0
      ? {
          diagnosis: 'no-methods',
          message: without(allowMethods),
        }
      : named.includes('*')
        ? {
            diagnosis: 'methods-star',
            message: `${allowMethods} is *, which means every method only as long as no cookies are sent. Name the five.`,
          }
        : named.some((name) => missing.includes(name.toUpperCase()))
          ? {
              diagnosis: 'methods-case',
              message: `${allowMethods} has small letters in it. Methods are case-sensitive: PUT is one, put is not.`,
            }
          : methods.every((method) => named.join(' ').split(/\W+/).includes(method))
            ? {
                diagnosis: 'methods-missing',
                message: `${allowMethods} names all five, but not as a list: its items have commas between them. A browser reads this one as a single, unknown method.`,
              }
            : {
                diagnosis: 'methods-missing',
                message: `${allowMethods} lacks ${missing.join(' and ')}. Name all five: GET, POST, PUT, DELETE, OPTIONS.`,
              }),
    expected: `${allowMethods}: ${methods.join(', ')}`,
    actual: `${allowMethods}: ${answer.header(allowMethods) ?? '(no such field)'}`,
  });
  const fields = list(answer, allowHeaders).map((name) => name.toLowerCase());
  const lacking = ['Content-Type', 'Authorization'].filter(
    (name) => !fields.includes(name.toLowerCase()),
  );
  answer.expect(lacking.length === 0, {
    ...(fields.length === 0
      ? {
          diagnosis: 'no-allow-headers',
          message: without(allowHeaders),
        }
      : fields.includes('*')
        ? {
            diagnosis: 'allow-headers-star',
            message: `${allowHeaders} is *, and that does not cover Authorization: it has to be named.`,
          }
        : {
            diagnosis: 'allow-headers-missing',
            message: ['content-type', 'authorization'].every((name) =>
              fields
                .join(' ')
                .split(/[^\w-]+/)
                .includes(name),
            )
              ? `${allowHeaders} names both, but not as a list: its items have commas between them. A browser reads this one as a single, unknown name.`
              : `${allowHeaders} lacks ${lacking.join(' and ')}: a browser will not send what is not on the list.`,
          }),
    expected: `${allowHeaders}: Content-Type, Authorization`,
    actual: `${allowHeaders}: ${answer.header(allowHeaders) ?? '(no such field)'}`,
  });
}

/** Whether a real browser is asked as well, which takes seconds. */
const withTheBrowser = process.env['WORKBOOK_BROWSER'] === '1';

export default suite(
  '07-cors',
  {
    async 'Let every page read'(t) {
      const origin = `https://${t.word()}.example`;
      const own = `http://localhost:${t.program.port}`;
      const cases: [target: string, status: number, origin: string | undefined, method?: string][] =
        [
          ['/public/count', 200, origin],
          ['/public/count', 200, origin, 'POST'],
          ['/public/count', 200, origin, 'DELETE'],
          ['/public/count', 200, undefined],
          ['/public/count', 200, 'null'],
          ['/public/count', 200, own],
          // A plain OPTIONS; whether it is for the router is asked in step 5.
          ['/public/count', 404, origin, 'OPTIONS'],
          ['/public/nope', 404, origin],
          [`/${t.word()}`, 404, origin],
          ['/public/boom', 500, origin],
        ];
      await t.each(cases, async (part, [target, status, asking, method = 'GET']) => {
        const answer = await asked(part, {
          method,
          target,
          ...from(asking),
          causes: neverAnswered,
        });
        // Whoever sets it too late may die of that, which says more.
        if (answer.header(allowOrigin) === undefined) await part.settle();
        if (method === 'OPTIONS' && answer.status !== status) return;
        const get =
          method !== 'GET' && answer.header(allowOrigin) === undefined
            ? await asked(part, { target, ...from(asking) })
            : undefined;
        answer.expectStatus(status, [
          {
            if: (a) => a.status === 204,
            diagnosis: 'answers-everything',
            message:
              'cors answered a request that was no preflight. It sets header fields and returns false; server.ts answers.',
          },
        ]);
        answer.expectHeader(allowOrigin, '*', [
          {
            if: () => get !== undefined && get.header(allowOrigin) === undefined,
            diagnosis: 'no-allow-origin',
            message: `An answer has no ${allowOrigin}, to a ${method} and then to a GET, and an answer to a GET had it before. Every request has a response of its own, and each of them gets the field anew.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined && status >= 400 && method !== 'OPTIONS',
            diagnosis: 'missing-on-errors',
            message: `An answer with status ${status} has no ${allowOrigin}. To the page, an error without it looks like no answer at all.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined && asking === undefined,
            diagnosis: 'only-with-origin',
            message: `The request had no Origin, and its answer has no ${allowOrigin}. With *, every answer is the same: a cache may keep it and give it to a page.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined && (asking === 'null' || asking === own),
            diagnosis: 'no-allow-origin',
            message: `The Origin of this request was ${asking}${asking === own ? ', which is the server itself' : ''}, and its answer has no ${allowOrigin}. With * every answer has it, whoever asks.`,
          },
          {
            if: (a) => asking !== undefined && a.header(allowOrigin) === asking,
            diagnosis: 'echoes-for-star',
            message: `${allowOrigin} repeats the Origin of the request. Where every page may read, it is *.`,
          },
          {
            if: (a) => a.headerAll(allowOrigin).length > 1,
            diagnosis: 'two-allow-origins',
            message: `The answer has ${allowOrigin} twice. A browser takes one value, and refuses two.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined,
            diagnosis: 'no-allow-origin',
            message: `The answer to ${answer.exchange.method} ${answer.exchange.target} has no ${allowOrigin}, so no page of another origin may read it.${answer.exchange.method === 'GET' ? '' : ' The answer to a GET has it: every method gets it.'}${lookalike(answer, allowOrigin)}`,
          },
        ]);
        expectLists(answer);
      });
      expectLists(
        await asked(t, { target: '/team/count' }),
        ', and also where the options hold a list of origins, whoever asks',
      );
      expectLists(
        await t.get('/careless/me', from(origin)),
        ', and also where the options have origins: * and credentials: true',
      );
      const head = await t.head('/public/nope', from(origin));
      head.expectHeader(allowOrigin, '*');
    },

    async 'Let in whom you know'(t) {
      const host = `${t.word()}.example`;
      const shop = `https://${host}`;
      const listed: [origin: string, target: string, status: number, method?: string][] = [
        [shop, `/shop/${host}/count`, 200],
        [friend, `/shop/${host}/count`, 200],
        [shop, `/shop/${host}/nope`, 404],
        [shop, `/shop/${host}/boom`, 500],
        [friend, '/team/boom', 500],
        [friend, '/team/count', 200, 'DELETE'],
      ];
      await t.each(listed, async (part, [origin, target, status, method = 'GET']) => {
        const answer = await part.send({
          method,
          target,
          ...from(origin),
          causes: neverAnswered,
        });
        answer.expectStatus(status);
        const none = answer.header(allowOrigin) === undefined;
        const other = none && origin === shop ? await part.get(target, from(friend)) : undefined;
        // The only one on the list of /team.
        const alone =
          none && origin === friend ? await part.get('/team/count', from(friend)) : undefined;
        const known: Cause[] = [
          {
            if: () => alone !== undefined && alone.header(allowOrigin) === undefined,
            diagnosis: 'listed-origin-refused',
            message: `The Origin of this request, ${friend}, is on the list, and the answer has no ${allowOrigin}, on /team neither, where it is the only one. Either it is not compared as it came, with http and its port; or it has been taken off the list: that belongs to server.ts, every request gets the same one, and pop, shift and splice take from it for good.`,
          },
          {
            if: () => none && method !== 'GET',
            diagnosis: 'listed-origin-refused',
            message: `The origin is on the list, and the answer to its ${method} has no ${allowOrigin}, which the answer to a GET has. Every answer needs it, whatever the method and whether or not there was a preflight before.`,
          },
          {
            if: () => other?.header(allowOrigin) === friend,
            diagnosis: 'listed-origin-refused',
            message: `The Origin of this request is the first on the list, and the answer has no ${allowOrigin}; the second on the list gets it. The first has the index 0, which an if takes for false; and a loop that runs on after it has found one may undo it.`,
          },
          {
            if: (a) => a.header(allowOrigin) === '*',
            diagnosis: 'star-for-list',
            message: `${allowOrigin} is *, although the options have a list of origins: every page may read.`,
          },
          {
            if: (a) =>
              (a.header(allowOrigin) ?? '').includes(friend) &&
              (a.header(allowOrigin) ?? '').includes(shop),
            diagnosis: 'whole-list-sent',
            message: `${allowOrigin} holds the whole list. A browser takes one origin, or *, and nothing else.`,
          },
          {
            if: (a) => a.header(allowOrigin) === shop && origin === friend,
            diagnosis: 'first-of-the-list',
            message: `The second origin on the list asked, and ${allowOrigin} names the first. It names the one that asks.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined && status >= 400,
            diagnosis: 'missing-on-errors',
            message: `An answer with status ${status} has no ${allowOrigin}, although the origin is on the list. Errors need it as well: without it the page sees no answer at all.`,
          },
          {
            if: (a) => a.header(allowOrigin) === undefined,
            diagnosis: 'listed-origin-refused',
            message:
              origin === friend
                ? `The Origin of this request is the second on the list. The first was let in, and this one gets no ${allowOrigin}. Look through the whole list.`
                : `The Origin of this request is on the list, letter for letter, and the answer has no ${allowOrigin}. Compare the field Origin as it came with each origin of the list.`,
          },
          {
            if: () => true,
            diagnosis: 'wrong-header',
            message: `${allowOrigin} is not the Origin of the request as it came. A browser compares the two letter for letter: scheme, host and port, and no slash behind them.`,
          },
        ];
        answer.expectHeader(allowOrigin, origin, known);
        expectLists(answer);
      });

      const strangers: [
        origin: string | undefined,
        diagnosis: string,
        message: string,
        more?: { method?: string; headers?: Record<string, string> },
      ][] = [
        [
          `https://${t.word()}.test`,
          'echoes-any-origin',
          'An origin that is not on the list was let in: whatever asks is repeated.',
        ],
        [
          undefined,
          'no-origin-answered',
          `The request had no Origin, so there is nobody to name, and the answer has ${allowOrigin} all the same.`,
        ],
        [
          `${shop}.evil.test`,
          'origin-by-prefix',
          'An origin was let in that only begins like one on the list. Anybody can register such a name: compare whole origins.',
        ],
        [
          `${friend}0`,
          'origin-by-prefix',
          'An origin was let in that only begins like one on the list. Another port is another origin: compare whole origins.',
        ],
        [
          `https://evil-${host}`,
          'origin-by-suffix',
          'An origin was let in that only ends like one on the list. Anybody can register such a name: compare whole origins.',
        ],
        [
          `https://evil.${host}`,
          'origin-by-suffix',
          'A subdomain of an origin on the list was let in. It is another origin: compare whole origins.',
        ],
        [
          `https://evil.test?${shop}`,
          'origin-by-part',
          'An origin was let in that merely contains one on the list. Compare whole origins.',
        ],
        [
          shop.replace('.example', 'xexample'),
          'origin-by-pattern',
          'An origin was let in that differs from one on the list where that has a dot. In a pattern a dot is any letter: compare with === instead.',
        ],
        [
          `http://${host}`,
          'origin-by-host',
          'An origin was let in although its scheme is http and the list says https. Scheme, host and port together are the origin.',
        ],
        [
          `${shop}:8443`,
          'origin-by-host',
          'An origin was let in although its port is not the one on the list. Scheme, host and port together are the origin.',
        ],
        [
          shop.slice(0, -2),
          'list-as-text',
          'An origin was let in that is only a part of one on the list. Either the list was searched as if it were one text, or each origin on it for this one. Compare whole origins.',
        ],
        [
          'null',
          'null-let-in',
          'The origin null was let in. A sandboxed frame of anybody has it, so it is no one you know.',
        ],
        [
          `${shop}, ${friend}`,
          'list-as-text',
          'An origin was let in that is two of the list in one. The list was searched as if it were one text.',
        ],
        [
          `https://${t.word()}.test`,
          'echoes-any-origin',
          'A POST from an origin that is not on the list was answered as if it were: the list counts for every method.',
          { method: 'POST' },
        ],
        [
          undefined,
          'referer-let-in',
          `The request had no Origin, only a Referer that leads to an origin on the list, and the answer has ${allowOrigin}. Only the field Origin says who asks.`,
          { headers: { Referer: `${shop}/page` } },
        ],
        [
          `http://localhost:${t.program.port}`,
          'own-host-let-in',
          'An origin was let in that is not on the list: the host is localhost, and the request was sent to it. Neither the machine nor the field Host says who may read, only the list.',
        ],
      ];
      await t.each(strangers, async (part, [origin, diagnosis, message, more = {}]) => {
        const answer = await asked(part, {
          method: more.method ?? 'GET',
          target: `/shop/${host}/count`,
          headers: { Origin: origin, ...more.headers },
          causes: neverAnswered,
        });
        answer.expectStatus(200, [
          {
            if: (a) => a.status === 403 || a.status === 401 || a.status === 400,
            diagnosis: 'refuses-requests',
            message: `cors refused a ${more.method ?? 'request'} with status ${answer.status}. It only says who may read; whoever sends no Origin, or a made-up one, is not stopped by that.`,
          },
        ]);
        answer.expectNoHeader(allowOrigin, [
          {
            if: (a) => a.header(allowOrigin) === '*',
            diagnosis: 'star-for-list',
            message: `${allowOrigin} is *, although the options have a list of origins: every page may read.`,
          },
          {
            if: (a) =>
              a.header(allowOrigin) === 'undefined' ||
              a.header(allowOrigin) === 'false' ||
              a.header(allowOrigin) === '',
            diagnosis: 'not-an-origin',
            message: `The origin is not on the list, and ${allowOrigin} was sent with a value that is no origin. Leave the field out.`,
          },
          {
            if: (a) => a.header(allowOrigin) === 'null' && origin !== 'null',
            diagnosis: 'null-for-strangers',
            message: `${allowOrigin} is null for an origin that is not on the list. Sandboxed frames have that origin, and are let in. Leave the field out.`,
          },
          {
            if: (a) =>
              more.headers === undefined &&
              a.header(allowOrigin) !== origin &&
              [shop, friend].includes(a.header(allowOrigin) ?? ''),
            diagnosis: 'names-another',
            message: `${origin === undefined ? 'The request has no Origin' : 'The origin that asked is not on the list'}, and ${allowOrigin} names ${origin === undefined ? 'one' : 'another'}. Leave the field out; what an earlier request said is forgotten.`,
          },
          { if: () => true, diagnosis, message },
        ]);
        expectLists(answer);
      });

      // One after the other, so that what an earlier call left behind is seen.
      const otherHost = `${t.word()}.example`;
      const otherShop = `https://${otherHost}`;
      const inTurn = [
        [shop, host, true],
        [undefined, host, false],
        [otherShop, otherHost, true],
        [shop, otherHost, false],
        [otherShop, host, false],
        [shop, host, true],
      ] as const;
      for (const [origin, at, known] of inTurn) {
        const answer = await t.get(`/shop/${at}/count`, from(origin));
        const sent = answer.header(allowOrigin);
        answer.expect(sent === (known ? origin : undefined), {
          diagnosis: 'kept-from-before',
          message: known
            ? `The Origin of this request is on the list of this path, and ${allowOrigin} does not name it. Another list was asked about before. Each call of cors has a request and options of its own: nothing may stay in a variable outside.`
            : `${origin === undefined ? 'This request has no Origin' : 'The Origin of this request is on the list of another path, not of this one'}, and the answer has ${allowOrigin}. Each call of cors has a request and options of its own: what an earlier one brought is forgotten.`,
          expected: known ? `${allowOrigin}: ${origin}` : `no ${allowOrigin}`,
          actual: sent === undefined ? `no ${allowOrigin}` : `${allowOrigin}: ${sent}`,
        });
      }
    },

    async 'Tell the caches'(t) {
      const cases: [target: string, origin: string | undefined, method?: string][] = [
        ['/team/count', friend],
        ['/team/count', `https://${t.word()}.test`],
        ['/team/count', undefined],
        ['/account/boom', undefined],
        ['/team/nope', friend],
        [`/shop/${t.word()}/count`, undefined],
        ['/team/nope', friend, 'PUT'],
      ];
      const varyOf = (answer: Answer): string[] =>
        list(answer, 'Vary').map((name) => name.toLowerCase());
      await t.each(cases, async (part, [target, origin, method = 'GET']) => {
        const answer = await part.send({ method, target, ...from(origin) });
        const vary = varyOf(answer);
        const listed =
          origin === friend || vary.includes('origin')
            ? undefined
            : await part.get(target, from(friend));
        const actual = `Vary: ${answer.header('Vary') ?? '(no such field)'}`;
        answer.expect(vary.includes('origin'), {
          diagnosis:
            origin === friend || (listed && !varyOf(listed).includes('origin'))
              ? 'no-vary'
              : 'vary-only-for-listed',
          message: vary.includes('*')
            ? 'Vary is *, which says that no cache may ever use this answer again. Name Origin, beside what is there.'
            : vary.some((name) => name.endsWith('origin') && !name.startsWith('access-'))
              ? 'The names in Vary run into each other. It is a list: its items have commas between them.'
              : origin === friend || (listed && !varyOf(listed).includes('origin'))
                ? `The answer to ${method} ${target} differs from origin to origin, and no Vary says so: a cache may give one origin's answer to another.${method === 'GET' && target === '/team/count' ? '' : ' Wherever the options have a list, every answer says so.'}`
                : 'The answer to an origin on the list has Vary: Origin, and this one has not. A cache that keeps this one would give it to an origin on the list, which then may not read it.',
          expected: 'Vary: Origin, whoever asks',
          actual,
        });
        answer.expect(vary.includes('accept-encoding'), {
          diagnosis: 'vary-replaced',
          message:
            'server.ts had put Accept-Encoding into Vary before it called cors, and that is gone: setHeader replaces. Add to what is there.',
          expected: 'Vary: Accept-Encoding, Origin',
          actual,
        });
      });
      const open = await t.get('/public/count', from(friend));
      open.expect(/accept-encoding/i.test(open.header('Vary') ?? ''), {
        diagnosis: 'vary-replaced',
        message:
          'server.ts had put Accept-Encoding into Vary before it called cors, and that is gone.',
        expected: 'Vary: Accept-Encoding',
        actual: `Vary: ${open.header('Vary') ?? '(no such field)'}`,
      });
    },

    async 'Let cookies through'(t) {
      const allowed = [
        ['GET', '/account/me'],
        ['PUT', '/account/nope'],
      ] as const;
      await t.each(allowed, async (part, [method, target]) => {
        const answer = await part.send({ method, target, ...from(friend) });
        answer.expectHeader(allowOrigin, friend);
        answer.expectHeader(allowCredentials, 'true', [
          {
            if: (a) => a.header(allowCredentials) === undefined,
            diagnosis: 'no-credentials',
            message: `credentials is true and the origin is on the list, and the answer to ${method} ${target} has no ${allowCredentials}: the page does not get to see it.`,
          },
          {
            if: (a) => a.headerAll(allowCredentials).length > 1,
            diagnosis: 'credentials-case',
            message: `The answer has ${allowCredentials} ${answer.headerAll(allowCredentials).length} times. A browser joins them to one text, and that is not the word true.`,
          },
          {
            if: (a) => /^true/i.test(a.header(allowCredentials) ?? ''),
            diagnosis: 'credentials-case',
            message: `A browser compares the value of ${allowCredentials} exactly, letter for letter, with true in lower case. "${answer.header(allowCredentials)}" is another text, so the page does not get to see the answer.`,
          },
          {
            if: () => true,
            diagnosis: 'wrong-header',
            message: `${allowCredentials} has one value only, the word true. With any other, a browser keeps the answer from the page.`,
          },
        ]);
      });
      const careless = [
        ['/careless/me', friend],
        ['/careless/me', undefined],
        ['/careless/nope', `https://${t.word()}.test`],
      ] as const;
      await t.each(careless, async (part, [target, origin]) => {
        const answer = await part.get(target, from(origin));
        answer.expectHeader(allowOrigin, '*', [
          {
            if: (a) => origin !== undefined && a.header(allowOrigin) === origin,
            diagnosis: 'echoes-with-credentials',
            message:
              'The options say * and credentials, and the answer names whoever asks: every page of the web could act with the cookies of your users. * stays *, without cookies.',
          },
        ]);
        answer.expectNoHeader(allowCredentials, [
          {
            if: (a) => a.header(allowCredentials) === 'true',
            diagnosis: 'star-with-credentials',
            message: `The answer has ${allowOrigin}: * and ${allowCredentials} together. Browsers refuse that: * never goes with cookies.`,
          },
          {
            if: () => true,
            diagnosis: 'credentials-other',
            message: `true is the only value of ${allowCredentials}. Where it is not true, leave the field out.`,
          },
        ]);
      });
      const without: [
        target: string,
        origin: string | undefined,
        diagnosis: string,
        message: string,
      ][] = [
        [
          '/account/me',
          `https://${t.word()}.test`,
          'credentials-for-strangers',
          `The origin is not on the list, and the answer has ${allowCredentials} all the same. Only an origin on the list gets it.`,
        ],
        [
          '/account/me',
          undefined,
          'credentials-for-strangers',
          `The request has no Origin, and the answer has ${allowCredentials} all the same. Only an origin on the list gets it.`,
        ],
        [
          '/team/me',
          friend,
          'credentials-unasked',
          `The options for /team have no credentials: true, and the answer has ${allowCredentials}. It is sent only where the options ask for it.`,
        ],
        [
          '/public/me',
          friend,
          'credentials-unasked',
          `For /public there are no options, so nothing asks for credentials, and the answer has ${allowCredentials}.`,
        ],
      ];
      await t.each(without, async (part, [target, origin, diagnosis, message]) => {
        const answer = await part.get(target, from(origin));
        if (origin !== friend) {
          answer.expectNoHeader(allowOrigin, [
            {
              if: (a) => origin !== undefined && a.header(allowOrigin) === origin,
              diagnosis: 'echoes-any-origin',
              message: `The origin is not on the list, and ${allowOrigin} names it. Where the options have credentials: true, too, only an origin on the list is named.`,
            },
          ]);
        }
        answer.expectNoHeader(allowCredentials, [
          { if: (a) => a.header(allowCredentials) === 'true', diagnosis, message },
          {
            if: () => true,
            diagnosis: 'credentials-other',
            message: `true is the only value of ${allowCredentials}. Where it is not true, leave the field out.`,
          },
        ]);
      });
    },

    async 'Answer the preflight'(t) {
      const stranger = `https://${t.word()}.test`;
      const cases: [
        target: string,
        origin: string,
        allowed: string | undefined,
        method?: string,
        fields?: string,
      ][] = [
        ['/public/count', stranger, '*'],
        ['/public/count', stranger, '*', 'PUT', ''],
        ['/public/nope', stranger, '*', 'DELETE'],
        ['/team/count', friend, friend],
        ['/account/count', friend, friend, 'DELETE'],
        ['/account/me', friend, friend, 'GET'],
        ['/team/count', stranger, undefined],
        ['/account/count', stranger, undefined],
        ['/careless/count', friend, '*'],
        ['/', stranger, '*'],
        ['*', stranger, '*'],
        ['/public/count', 'null', '*', 'DELETE'],
      ];
      await t.each(cases, async (part, [target, origin, allowed, method, fields]) => {
        const answer = await preflight(part, target, origin, method, fields);
        answer.expectStatus(204, [
          {
            if: (a) => a.status === 404 && a.text.includes('Not found'),
            diagnosis: 'preflight-routed',
            message: `A preflight was not taken for one: it went on to the router, which has no route for OPTIONS and answered 404. ${
              fields === ''
                ? 'It differs from the one before it in that it has no Access-Control-Request-Headers. It needs none.'
                : origin === 'null'
                  ? 'It comes from the origin null, which a sandboxed frame has; others were answered. A preflight is answered for any origin.'
                  : target === '/public/nope'
                    ? 'The one before it was answered; this one asks about a path that no route has. A preflight is answered for any path.'
                    : target === '/' || target === '*'
                      ? `Those before it were answered; this one asks about ${target}. A preflight is answered for any path.`
                      : allowed === undefined
                        ? 'Those before it were answered; this one comes from an origin that is not on the list. A preflight is answered for any origin, and this one gets no Access-Control-Allow-Origin.'
                        : method === 'GET'
                          ? 'Those before it were answered; this one asks about GET. A preflight is answered whichever method it asks about.'
                          : 'An OPTIONS with Origin and Access-Control-Request-Method is one; cors answers it, and returns true. Node gives methods in capitals, and the names in req.headers in lower case.'
            }`,
          },
          {
            if: (a) => a.status === 401 || (a.status === 403 && allowed !== undefined),
            diagnosis: 'preflight-refused',
            message: `A preflight got status ${answer.status}. It brings no cookies and no Authorization, whatever the request after it will have: nobody can be asked here who they are. It is answered with 204.`,
          },
          {
            if: (a) => a.status >= 400 && allowed === undefined,
            diagnosis: 'preflight-refused',
            message: `The preflight of an origin that is not on the list got status ${answer.status}. It is a 204 like any other; the browser sees that ${allowOrigin} is missing.`,
          },
          {
            if: (a) => a.status === 200,
            diagnosis: 'preflight-200',
            message:
              'The preflight was answered with 200. There is nothing to read in the answer: 204 says so.',
          },
        ]);
        answer.expectNoBody();
        answer.expectNoHeader('Content-Length', [
          {
            if: () => true,
            diagnosis: 'length-on-204',
            message: 'A 204 has no body, and no Content-Length either (RFC 9110, 8.6).',
          },
        ]);
        if (allowed === undefined) {
          answer.expectNoHeader(allowOrigin, [
            {
              if: () => true,
              diagnosis: 'preflight-lets-all-in',
              message: `The origin is not on the list, and the answer to its preflight has ${allowOrigin}.`,
            },
          ]);
          expectLists(answer);
        } else {
          answer.expectHeader(allowOrigin, allowed, [
            {
              if: (a) => a.header(allowOrigin) === undefined,
              diagnosis: 'preflight-bare',
              message: `The preflight was answered without ${allowOrigin}: to the browser that is a no.`,
            },
          ]);
          expectLists(answer);
        }
        if (!target.startsWith('/account') || allowed === undefined) {
          answer.expectNoHeader(allowCredentials, [
            {
              if: () => allowed === '*',
              diagnosis: 'star-with-credentials',
              message: `The answer to a preflight has ${allowOrigin}: * and ${allowCredentials} together. * never goes with cookies, whatever the options say.`,
            },
            {
              if: () => allowed === undefined,
              diagnosis: 'credentials-for-strangers',
              message: `The origin is not on the list, and the answer to its preflight has ${allowCredentials}. Only an origin on the list gets it.`,
            },
          ]);
        } else {
          answer.expectHeader(allowCredentials, 'true', [
            {
              if: (a) => a.header(allowCredentials) === undefined,
              diagnosis: 'missing-header',
              message: `The preflight was answered without ${allowCredentials}, though the options have credentials: true. Without it the browser will not send the request with cookies.`,
            },
          ]);
        }
        const vary = list(answer, 'Vary').map((name) => name.toLowerCase());
        const actual = `Vary: ${answer.header('Vary') ?? '(no such field)'}`;
        answer.expect(allowed === '*' || vary.includes('origin'), {
          diagnosis: 'no-vary',
          message:
            'The answer to a preflight differs from origin to origin too, and its Vary does not name Origin.',
          expected: 'Vary: Accept-Encoding, Origin',
          actual,
        });
        answer.expect(vary.includes('accept-encoding'), {
          diagnosis: 'vary-replaced',
          message:
            'server.ts had put Accept-Encoding into Vary before it called cors, and in the answer to a preflight that is gone: setHeader and writeHead replace. Add to what is there.',
          expected: `Vary: Accept-Encoding${allowed === '*' ? '' : ', Origin'}`,
          actual,
        });
      });

      const word = `x-${t.word()}`;
      await t.each(['/team/count', '/public/count'], async (part, target) => {
        const answer = await preflight(part, target, friend, 'BREW', `${word}, content-type`);
        answer.expectStatus(204, [
          {
            if: (a) => a.status === 404,
            diagnosis: 'preflight-routed',
            message:
              'A preflight went on to the router, because it asks about a method, or a header field, that is not on your lists. It is answered like any other; the browser sees in the lists that the answer is no.',
          },
        ]);
        answer.expect(!list(answer, allowHeaders).includes(word), {
          diagnosis: 'headers-echoed',
          message: `${allowHeaders} repeats whatever the browser asked for. It is your list: Content-Type and Authorization.`,
          expected: `${allowHeaders}: Content-Type, Authorization`,
          actual: `${allowHeaders}: ${answer.header(allowHeaders)}`,
        });
        answer.expect(!list(answer, allowMethods).includes('BREW'), {
          diagnosis: 'methods-echoed',
          message: `${allowMethods} repeats whatever the browser asked for. It is your list of five.`,
          expected: `${allowMethods}: ${methods.join(', ')}`,
          actual: `${allowMethods}: ${answer.header(allowMethods)}`,
        });
      });

      // A preflight runs nothing.
      const before = (await t.get('/team/count')).text;
      await preflight(t, '/team/count', friend, 'PUT');
      (await t.get('/team/count')).expectText(before);

      // Not preflights: these are for the router.
      const others = [
        ['GET', 200],
        ['HEAD', 404],
        ['PUT', 200],
      ] as const;
      await t.each(others, async (part, [method, status]) => {
        const answer = await part.send({
          method,
          target: '/team/count',
          headers: { Origin: friend, 'Access-Control-Request-Method': 'PUT' },
        });
        answer.expectStatus(status, [
          {
            if: (a) => a.status === 204,
            diagnosis: 'method-not-checked',
            message: `A ${method} was answered as a preflight, because it has Access-Control-Request-Method. A preflight is an OPTIONS.`,
          },
        ]);
      });
      const questions: {
        origin: string | undefined;
        target: string;
        method?: string;
        fields?: string;
      }[] = [
        ...[undefined, friend].flatMap((origin) =>
          ['/team/count', '/nope', '*'].map((target) => ({ origin, target })),
        ),
        { origin: undefined, target: '/team/count', method: 'PUT' },
        { origin: friend, target: '/team/count', fields: 'content-type' },
      ];
      await t.each(questions, async (part, { origin, target, method, fields }) => {
        const plain = await part.send({
          method: 'OPTIONS',
          target,
          headers: {
            Origin: origin,
            'Access-Control-Request-Method': method,
            'Access-Control-Request-Headers': fields,
          },
        });
        const taken = (a: Answer): boolean => a.status === 204 || a.status === 200;
        plain.expectStatus(404, [
          {
            if: (a) => taken(a) && method !== undefined,
            diagnosis: 'preflight-without-origin',
            message:
              'An OPTIONS with Access-Control-Request-Method and without Origin was taken for a preflight. A preflight has both. This one is a question for the router, which has no route for it: 404.',
          },
          {
            if: taken,
            diagnosis: 'every-options-answered',
            message:
              'A plain OPTIONS was taken for a preflight, though it has no Access-Control-Request-Method. It is a question for the router, which has no route for it: 404.',
          },
        ]);
        if (origin === friend && target === '/team/count') plain.expectHeader(allowOrigin, friend);
      });
    },

    async 'Save the next preflight'(t) {
      const stranger = `https://${t.word()}.test`;
      const cases = [
        ['/team/count', 600, friend],
        ['/public/nope', 600, friend],
        ['/account/count', 60, friend],
        ['/careless/count', 0, friend],
        ['/account/count', 60, stranger],
      ] as const;
      await t.each(cases, async (part, [target, seconds, origin]) => {
        const answer = await preflight(part, target, origin);
        answer.expectHeader(maxAge, String(seconds), [
          {
            if: (a) => a.header(maxAge) === undefined && seconds === 0,
            diagnosis: 'zero-lost',
            message: `maxAge is 0, and the answer has no ${maxAge}: a browser then remembers for 5 seconds. A test such as if (maxAge) takes 0 for nothing.`,
          },
          {
            if: (a) => a.header(maxAge) === '600' && seconds === 0,
            diagnosis: 'zero-lost',
            message:
              'maxAge is 0, and the answer says 600. An || takes 0 for nothing; a default parameter, or ??, does not.',
          },
          {
            if: (a) => a.header(maxAge) === undefined && origin === stranger,
            diagnosis: 'no-max-age',
            message: `Answers to preflights of an origin on the list have ${maxAge}; this one, to an origin that is not on the list, has none. Every answer to a preflight has it.`,
          },
          {
            if: (a) => a.header(maxAge) === undefined,
            diagnosis: 'no-max-age',
            message: `The answer to a preflight has no ${maxAge}, so the browser asks again after 5 seconds.`,
          },
          {
            if: (a) => Number(a.header(maxAge)) === seconds * 1000,
            diagnosis: 'max-age-in-ms',
            message: `${maxAge} counts seconds, and the value is in milliseconds.`,
          },
          {
            if: (a) => !/^\d+$/.test(a.header(maxAge) ?? ''),
            diagnosis: 'wrong-header',
            message: `${maxAge} is a whole number of seconds and nothing else; "${answer.header(maxAge)}" is none, and a browser ignores it.`,
          },
          {
            if: () => seconds === 600,
            diagnosis: 'wrong-header',
            message: `The options for ${target} have no maxAge, and then it is 600 seconds. The answer says ${answer.header(maxAge)}.`,
          },
          {
            if: (a) => a.header(maxAge) !== '600',
            diagnosis: 'wrong-header',
            message: `The options for ${target} have maxAge: ${seconds}, and the answer says ${answer.header(maxAge)}. The value goes into the field as it is.`,
          },
          {
            if: (a) => a.header(maxAge) === '600',
            diagnosis: 'wrong-header',
            message: `The options for /account have maxAge: ${seconds}, and the answer says 600. 600 is only for options without maxAge.`,
          },
        ]);
      });
      const others: [method: string, origin: string | undefined, asks?: string][] = [
        ['GET', friend],
        ['OPTIONS', friend],
        ['PUT', friend, 'PUT'],
        ['OPTIONS', undefined, 'PUT'],
      ];
      for (const [method, origin, asks] of others) {
        const answer = await t.send({
          method,
          target: '/team/count',
          headers: { Origin: origin, 'Access-Control-Request-Method': asks },
        });
        answer.expectNoHeader(maxAge, [
          {
            if: () => true,
            diagnosis: 'max-age-everywhere',
            message: `${maxAge} stands in the answer to ${method === 'OPTIONS' ? `an OPTIONS that is no preflight: it has no ${origin === undefined ? 'Origin' : 'Access-Control-Request-Method'}` : `a ${method}, which is no preflight`}. There it means nothing.`,
          },
        ]);
      }

      const pages = { friend, stranger };
      // What is asked twice is asked for what a browser remembers; header fields remember nothing.
      const once = asks.filter(
        (ask, n) => asks.findIndex((earlier) => described(earlier) === described(ask)) === n,
      );
      for (const who of ['friend', 'stranger'] as const) {
        await t.each(once, async (part, ask) => {
          const seen = await likeABrowser(part, pages[who], ask);
          part.check(seen.result === ask[who], {
            diagnosis: 'browser-would-differ',
            message: `A page on ${who === 'friend' ? 'an origin on the list' : 'an origin that is not on the list'} asks ${described(ask)}. By these header fields a browser ${seen.result === 'blocked' ? 'keeps the answer from it' : `shows it status ${seen.result}`} (${seen.why}).`,
            expected: shown(ask[who]),
            actual: shown(seen.result),
          });
        });
      }
      if (withTheBrowser) await askTheBrowser(t);
    },
  },
  { keepAlive: true, copies: withTheBrowser ? 1 : 0 },
);

/** The same in a real browser. */
async function askTheBrowser(t: Trial): Promise<void> {
  if (findBrowser() === undefined) {
    console.error(`The CORS lesson was judged by header fields alone. ${howToGetOne}`);
    return;
  }
  const pages = await Promise.all([servePage(), servePage()]);
  const [friend, stranger] = pages;
  try {
    const program = await t.start({ env: { ALLOWED_ORIGINS: friend.origin } });
    const origins = { friend: friend.origin, stranger: stranger.origin };
    const visits = await withBrowser((browser) => visit(browser, program.port, origins));
    for (const who of ['friend', 'stranger'] as const) {
      for (const [index, ask] of asks.entries()) {
        const seen = visits[who].seen[index];
        t.check(seen?.result === ask[who], {
          diagnosis: 'browser-differs',
          message: `In the browser, a page on ${who === 'friend' ? 'an origin on the list' : 'an origin that is not on the list'} asked ${described(ask)} and ${seen?.result === 'blocked' ? `did not get to see the answer: ${seen.why}` : `saw status ${seen?.result}`}.`,
          expected: shown(ask[who]),
          actual: seen === undefined ? 'no result' : shown(seen.result),
        });
      }
    }
    const asked = program.stdout
      .split('\n')
      .filter((line) => line.startsWith('OPTIONS /team/count')).length;
    // One for the friend, whose second PUT needs none, and two for the stranger, who is told no each time.
    t.check(asked === 3, {
      diagnosis: 'browser-asked-again',
      message: `In the browser two pages tried two PUTs each. The answer to the first preflight was to be remembered for the page that was let in, and ${asked} preflights came instead of 3.`,
      expected: '3 preflights',
      actual: `${asked} preflights`,
    });
  } finally {
    for (const page of pages) page.close();
  }
}
