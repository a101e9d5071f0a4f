import { readFileSync } from 'node:fs';
import type { Answer, Cause } from '../scripts/kernel/answer.ts';
import { brief, type Exchange } from '../scripts/kernel/exchange.ts';
import { StepFailure, type Failure } from '../scripts/kernel/failure.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { OutcomeCauses, Trial } from '../scripts/kernel/trial.ts';
import { ranOnAfter } from './support/ran-on.ts';

type Named = Pick<Cause, 'diagnosis' | 'message'>;

/** What a handler of server.ts says about itself and what it was given. */
interface Shown {
  route: string;
  params?: unknown;
  query?: string;
}

/** The handler's own report, or undefined where no handler of server.ts ran. */
function shownBy(answer: Answer): Shown | undefined {
  if (answer.status !== 200 || !/^\s*\{.*"route"/.test(answer.text)) return undefined;
  return answer.json() as Shown;
}

/** Fails; a 501 of a later step is shown, but it is not the reason. */
function blame(answer: Answer, failure: Failure): never {
  const { message: _, ...exchange } = answer.exchange;
  throw new StepFailure({ exchange, ...failure });
}

const isMiss = (answer: Answer): boolean =>
  answer.status === 404 || answer.status === 405 || answer.status === 501;

/** The request reached this route's handler, which was given these params and this query. */
function expectRoute(answer: Answer, wanted: Shown, missed: Named, causes: Cause[] = []): void {
  const request = `${answer.exchange.method} ${answer.exchange.target}`;
  if (isMiss(answer)) {
    const cause = causes.find((candidate) => candidate.if(answer));
    const { diagnosis, message } = cause ?? missed;
    blame(answer, {
      diagnosis,
      message,
      expected: `the handler of ${wanted.route}`,
      actual: `status ${answer.status}`,
    });
  }
  const shown = shownBy(answer);
  if (shown && shown.route !== wanted.route) {
    const cause =
      causes.find((candidate) => candidate.if(answer)) ??
      wrongHandler(request, wanted.route, shown.route);
    blame(answer, {
      ...cause,
      expected: `the handler of ${wanted.route}`,
      actual: `the handler of ${shown.route}`,
    });
  }
  answer.expectStatus(200, [
    ...causes,
    {
      if: (a) => a.status === 500,
      diagnosis: 'route-threw',
      message: `${request} has a route, and an error was thrown on the way; the terminal shows which. Either the router threw, or the handler did: it is called with req, res and { params, query }, and fails when one of them is missing.`,
    },
  ]);
  const names = Object.keys(wanted.params ?? {});
  const given = Object.keys(Object(shown?.params));
  const extra = given.filter((name) => !names.includes(name));
  const missing = names.find((name) => !given.includes(name));
  const { route, params = {}, query = '' } = wanted;
  answer.expectJSON({ route, params, query }, [
    ...causes,
    {
      if: () => shown !== undefined && shown.params === undefined,
      ...paramsMissing,
    },
    {
      if: () => shown !== undefined && shown.query !== query,
      ...queryLost,
    },
    {
      if: () => extra.length > 0 && route === colonInside.route,
      ...colonInside.cause,
    },
    {
      if: () => extra.some((name) => name.startsWith(':')),
      ...colonKept,
    },
    {
      if: () => extra.length > 0 && missing !== undefined,
      diagnosis: 'wrong-param-name',
      message: `params holds "${extra[0]}" and no "${missing}". The name of a segment is all that stands behind its colon in the route: ${wanted.route}.`,
    },
    {
      if: () => extra.length > 0,
      diagnosis: 'params-left-over',
      message: `params holds "${extra[0]}", which ${wanted.route} does not name. Make params anew for each route that you try, and for each request.`,
    },
  ]);
}

const paramsMissing: Named = {
  diagnosis: 'params-missing',
  message:
    'The handler got no params. match gives { handler, params }, where params is an object, empty where the path names nothing, and handle passes it on in its third argument.',
};

const queryLost: Named = {
  diagnosis: 'query-lost',
  message:
    'The handler did not get the query, or not all of it. Its third argument is { params, query }, where query is url.searchParams: no text, and no ordinary object, which has room for one value under each name.',
};

const colonKept: Named = {
  diagnosis: 'colon-kept',
  message: 'The names in params still begin with a colon. The name of :id is id.',
};

/** A route with a colon in the middle of a segment. */
const colonInside = {
  route: 'GET /sum/(:x)',
  cause: {
    diagnosis: 'colon-inside',
    message:
      'The route /sum/(:x) names nothing: only a segment that begins with : is named, and this one begins with a bracket.',
  },
};

function wrongHandler(request: string, wanted: string, ran: string): Named {
  const [method, path] = wanted.split(' ');
  const [ranMethod, ranPath] = ran.split(' ');
  if (path === ranPath && method !== ranMethod) {
    return {
      diagnosis: 'method-ignored',
      message: `${request} was answered by the handler of ${ran}: the path fits, but the method is another one. Both must agree.`,
    };
  }
  return {
    diagnosis: 'wrong-handler',
    message: `${request} was answered by the handler of ${ran}. Look at how match compares a route's path with the pathname.`,
  };
}

/** The answer is an error in JSON: an object whose error is a text. */
function expectError(answer: Answer, status: number, causes: Cause[] = []): void {
  answer.expectStatus(status, causes);
  if (answer.exchange.method === 'HEAD') return answer.expectNoBody();
  const type = answer.header('Content-Type');
  answer.expect(/^application\/json\s*(;|$)/i.test(type ?? ''), {
    diagnosis: 'error-not-json',
    message: `The body of the ${status} is JSON, and its Content-Type must say so.`,
    expected: 'Content-Type: application/json',
    actual: type === undefined ? 'no Content-Type' : `Content-Type: ${type}`,
  });
  const body = answer.json();
  const error =
    typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  answer.expect(typeof error === 'string' && error !== '', {
    diagnosis: 'error-without-text',
    message: `The body of the ${status} must be a JSON object whose error is a text that is not empty.`,
    expected: '{ "error": "…" }',
    actual: answer.text,
  });
}

/** No route fits: 404, and no handler ran. `why` names the cause where one did. */
function expectMiss(answer: Answer, why: Named, causes: Cause[] = []): void {
  expectError(answer, 404, [
    { if: (a) => shownBy(a)?.route === colonInside.route, ...colonInside.cause },
    { if: (a) => a.status === 200, ...why },
    {
      if: (a) => a.status === 500 && why.diagnosis === 'inherited-route',
      ...why,
    },
    {
      if: (a) => a.status === 500,
      diagnosis: 'miss-threw',
      message:
        'An error was thrown where no route fits; the terminal shows which. Where match gives null there is no handler to call, and there are no params.',
    },
    ...causes,
  ]);
}

const promiseLost: OutcomeCauses = {
  crashed: {
    diagnosis: 'promise-lost',
    message:
      'A handler failed, and its error reached nobody. handle must return what the handler returns, so that its caller can catch it.',
  },
};

/** The handler's error arrives at whoever called handle: server.ts, which says so. */
function expectPassedOn(answer: Answer): void {
  const message = `The handler of ${answer.exchange.target} failed, and server.ts never heard of it. Errors of handlers are not the router's to catch: let them through.`;
  const causes = [{ if: (a: Answer) => !isMiss(a), diagnosis: 'error-swallowed', message }];
  const { method, target } = answer.exchange;
  if (isMiss(answer))
    blame(answer, {
      ...notFound(target),
      expected: 'status 500',
      actual: `status ${answer.status}`,
    });
  const ran = shownBy(answer)?.route;
  if (ran)
    answer.fail({
      ...wrongHandler(`${method} ${target}`, `${method} ${target}`, ran),
      expected: 'status 500',
      actual: `the handler of ${ran}`,
    });
  answer.expectStatus(500, causes);
  answer.expect(answer.text.includes('"caughtBy":"server.ts"'), {
    diagnosis: 'error-swallowed',
    message,
    expected: 'the JSON of server.ts, with "caughtBy":"server.ts" in it',
    actual: answer.text,
  });
}

/**
 * Waits for the answer to a miss. server.ts cuts the connection where an error comes after the head; its log tells
 * which.
 */
async function missed(t: Trial, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    const sealed = /^.*ERR_HTTP_HEADERS_SENT.*$/m.exec(t.program.stderr)?.[0];
    if (
      !(error instanceof StepFailure) ||
      !/^(connection-closed|response-cut)$/.test(error.failure.diagnosis) ||
      sealed === undefined
    )
      throw error;
    return t.fail({
      ...error.failure,
      diagnosis: 'headers-already-sent',
      message:
        'The connection was cut without a whole answer, because an error was thrown in the middle: a status or a header field was set when the head had gone. writeHead and end send it. Set everything before, and answer once: an answer does not end a function, return does.',
      actual: brief(sealed, 200),
    });
  }
}

const nowAndThen = (method: string): Named => ({
  diagnosis: 'found-now-and-then',
  message: `${method} /inbox was sent twice: once it found its route, and once it did not. Something is remembered from one request to the next; a regular expression with the flag g, for example, goes on where it stopped.`,
});

/** Why `method` is one of those under which /inbox was not found. */
function whyLost(method: string, all: string[], lost: string[], first?: Exchange): Named {
  if (lost.length === all.length) {
    if (first?.message?.status === 200) {
      return {
        diagnosis: 'only-the-first-found',
        message:
          'Five routes have the path /inbox, and none of them was found, though GET / was, the first in the list. A route that does not fit is no reason to give up: only behind the loop is it clear that none does.',
      };
    }
    return {
      diagnosis: 'nothing-found',
      message:
        'Five routes have the path /inbox, and none of them was found. Does #add keep them, and does match give back what it finds? A return inside forEach leaves only the function inside. A method is in capitals, in the list as in the request.',
    };
  }
  if (lost.length === 1) {
    return {
      diagnosis: 'method-lost',
      message: `${method} /inbox found nothing, though all other methods did. Look at what ${method.toLowerCase()}() keeps as its method.`,
    };
  }
  return {
    diagnosis: 'methods-lost',
    message: `${lost.join(', ')} found nothing under /inbox, though the other methods did. Does match go on looking when a path fits and the method does not, and does each method keep its own name?`,
  };
}

const notFound = (target: string): Named => ({
  diagnosis: 'route-not-found',
  message: `${target} is registered, and the router did not find it. Does every registration end up in the list, and does match look at all of it?`,
});

export default suite(
  '05-router',
  {
    async 'Remember and find'(t) {
      const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
      const inbox: Answer[] = [];
      const again: Answer[] = [];
      await t.each(methods, async (part, method, index) => {
        for (const answers of [inbox, again])
          answers[index] = await part.send({ method, target: '/inbox', causes: promiseLost });
      });
      const lost = methods.filter((_, index) => inbox[index] && isMiss(inbox[index]));
      const first = lost.length === methods.length ? await t.attempt({ target: '/' }) : undefined;
      for (const [index, method] of methods.entries()) {
        for (const [answer, other] of [
          [inbox[index], again[index]],
          [again[index], inbox[index]],
        ]) {
          if (!answer || !other) continue;
          const why = isMiss(other) ? whyLost(method, methods, lost, first) : nowAndThen(method);
          expectRoute(answer, { route: `${method} /inbox` }, why);
        }
      }

      const word = t.word();
      const root = await t.get('/');
      const docs = await t.get('/Docs/');
      const twice = await t.get('/twice');
      const query = await t.get(`/inbox?${word}=/users/1&${word}=B2`);
      const absolute = await t.get(`http://localhost/inbox?${word}`);
      const dots = await t.get('/users/../inbox');
      expectRoute(root, { route: 'GET /' }, notFound('GET /'));
      expectRoute(
        docs,
        { route: 'GET /Docs/' },
        {
          diagnosis: 'path-changed',
          message:
            '/Docs/ is registered with a capital and a slash at the end, and it was not found. Leave paths as they are: the one that is registered, and the one that is asked for.',
        },
      );
      expectRoute(twice, { route: 'GET /twice, the first' }, notFound('GET /twice'), [
        {
          if: (a) => a.text.includes('the second'),
          diagnosis: 'last-wins',
          message:
            'GET /twice is registered twice, and the second one answered. The first route registered wins.',
        },
      ]);
      const queryMatched = {
        diagnosis: 'query-matched',
        message:
          'With a query behind it, /inbox was not found. The query is no part of the path: compare url.pathname, not req.url.',
      };
      expectRoute(
        query,
        { route: 'GET /inbox', query: `${word}=%2Fusers%2F1&${word}=B2` },
        queryMatched,
      );
      for (const answer of [absolute, dots]) {
        const query = answer === absolute ? `${word}=` : '';
        expectRoute(
          answer,
          { route: 'GET /inbox', query },
          {
            diagnosis: 'raw-target-matched',
            message: `The URL of the request target ${answer.exchange.target} has the pathname /inbox, and the router did not find it. Compare url.pathname, not req.url.`,
          },
        );
      }

      const ask = (path: string): Promise<Answer> => t.get(`/match?method=PUT&path=${path}`);
      const known = await ask('/inbox');
      const unknown = await ask(`/${word}`);
      known.expectStatus(200);
      known.expectJSON({ found: true, params: {} }, [
        {
          if: (a) => a.text.includes('false'),
          diagnosis: 'match-finds-nothing',
          message: "match('PUT', '/inbox') gives null, though that route is registered.",
        },
        {
          if: () => true,
          diagnosis: 'match-without-params',
          message:
            'What match gives is not { handler, params }: params is an object, empty where the path names nothing.',
        },
      ]);
      unknown.expectStatus(200, [
        {
          if: (a) => a.status === 500,
          diagnosis: 'match-not-null',
          message: 'Where no route fits, match must give null. It gave something else, or threw.',
        },
      ]);
      unknown.expectJSON({ found: false }, [
        {
          if: () => true,
          diagnosis: 'match-not-null',
          message: 'Where no route fits, match must give null.',
        },
      ]);

      await answersOnce(t, twice);
      const swallowed = {
        diagnosis: 'error-swallowed',
        message:
          'A handler failed, and nobody answered: the error was caught on its way and forgotten. Let it through to the caller of handle.',
      };
      const failing = { causes: { ...promiseLost, 'no-answer': swallowed } };
      expectPassedOn(await t.get('/fails/now', failing));
      expectPassedOn(await t.get('/fails/later', failing));
    },

    async 'Say that nothing is there'(t) {
      const word = t.word();
      const prefix = {
        diagnosis: 'part-matched',
        message:
          'A path that only begins or ends like a route, or goes on after it, is another path. Compare the whole.',
      };
      const empty = {
        diagnosis: 'empty-segment-dropped',
        message:
          '//inbox was taken for /inbox. Paths are compared letter by letter: do not throw empty pieces away.',
      };
      const slash = {
        diagnosis: 'slash-ignored',
        message:
          'A slash at the end was ignored. Here it counts: /inbox/ is another path than /inbox.',
      };
      const cases = {
        diagnosis: 'case-ignored',
        message: 'Capitals were taken for small letters. Paths are compared letter by letter.',
      };
      const pattern = {
        diagnosis: 'path-became-pattern',
        message:
          'A character such as . or + in a path stands for itself. A path is not a regular expression.',
      };
      const inherited = {
        diagnosis: 'inherited-route',
        message:
          'No such route was registered. An object used as a table has entries of its own from the start.',
      };
      const shared = {
        diagnosis: 'routes-shared',
        message:
          '/elsewhere is registered with another router, and this one answered it. Each router keeps a list of its own.',
      };
      const paths: [string, Named][] = [
        [
          `/${word}`,
          {
            diagnosis: 'always-found',
            message: 'A path that nobody registered was answered with 200. The answer here is 404.',
          },
        ],
        [`/${word}/inbox`, prefix],
        [`/inbox/${word}`, prefix],
        [`/inbox${word}`, prefix],
        ['/inbo', prefix],
        ['/inbox/', slash],
        ['//inbox', empty],
        ['/Inbox', cases],
        ['/Docs', slash],
        ['/elsewhere', shared],
        ['/v1a0/status', pattern],
        ['/sum/11', pattern],
        ['/constructor', inherited],
        ['/__proto__', inherited],
      ];
      await t.each(paths, async (part, [path, why]) => {
        const answer = await missed(part, part.get(path));
        expectMiss(answer, why, [allowedEverywhere(answer)]);
      });
      const posted = await t.post(`/${word}`, { word });
      expectMiss(posted, prefix, [allowedEverywhere(posted)]);
      await goesOnAfter(t, 'GET', `/${word}`, 404);
    },

    async 'Fill the named segments'(t) {
      await seesWhatIsNamed(t);
      await comparesTheRest(t);
      await keepsParamsApart(t);
    },

    async 'Decode what was named'(t) {
      const word = t.word();
      const encoded = [...word].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
      const gets =
        (value: string) =>
        (a: Answer): boolean =>
          shownBy(a) !== undefined &&
          (shownBy(a)?.params as { id?: unknown } | undefined)?.id === value;
      const notDecoded = (sent: string): Cause => ({
        if: gets(sent),
        diagnosis: 'not-decoded',
        message: `The value arrived as it was sent, ${sent}. Decode it with decodeURIComponent.`,
      });
      const cases: [sent: string, value: string, causes: Cause[]][] = [
        [encoded, word, [notDecoded(encoded)]],
        ['a%20b', 'a b', [notDecoded('a%20b')]],
        [
          '%20a%20',
          ' a ',
          [
            {
              if: gets('a'),
              diagnosis: 'value-trimmed',
              message:
                'The spaces around the value are gone. params holds what stood in the path, decoded and nothing else.',
            },
          ],
        ],
        [
          '%20',
          ' ',
          [
            {
              if: isMiss,
              diagnosis: 'blank-is-empty',
              message:
                '/users/%20 found no route. A segment that holds a space is not empty: only one without any character is.',
            },
          ],
        ],
        [
          'Zo%C3%AB',
          'Zoë',
          [
            {
              if: gets('ZoÃ«'),
              diagnosis: 'decoded-bytes',
              message:
                'An ë became two letters: escapes are bytes of UTF-8, and decodeURIComponent knows that. unescape does not.',
            },
          ],
        ],
        [
          'a%3Fb%23c',
          'a?b#c',
          [
            {
              if: gets('a%3Fb%23c'),
              diagnosis: 'half-decoded',
              message:
                'decodeURI leaves %3F, %23 and %2F as they are, for it expects a whole URL. A single segment takes decodeURIComponent.',
            },
          ],
        ],
        [
          `${word}%2F1`,
          `${word}/1`,
          [
            {
              if: isMiss,
              diagnosis: 'decoded-before-split',
              message:
                'A %2F is a slash inside the value, not a new segment. Split the path first, then decode each value.',
            },
            {
              if: gets(`${word}%2F1`),
              diagnosis: 'half-decoded',
              message:
                'decodeURI leaves %2F as it is, for it expects a whole URL. A single segment takes decodeURIComponent.',
            },
          ],
        ],
        [
          '%2541',
          '%41',
          [
            {
              if: gets('A'),
              diagnosis: 'decoded-twice',
              message: '%2541 is an escaped %41, and it became A: it was decoded twice.',
            },
          ],
        ],
        [
          'a+b',
          'a+b',
          [
            {
              if: gets('a b'),
              diagnosis: 'plus-became-space',
              message: 'A + means a space in a query, not in a path. Here it stays a +.',
            },
          ],
        ],
      ];
      await t.each(cases, async (part, [sent, value, causes]) => {
        expectRoute(
          await part.get(`/users/${sent}`),
          { route: 'GET /users/:id', params: { id: value } },
          notFound(`/users/${sent}`),
          causes,
        );
      });
      const asked = await t.get('/match?path=/users/Zo%25C3%25AB');
      asked.expectStatus(200);
      asked.expectJSON({ found: true, params: { id: 'Zoë' } }, [
        {
          if: (a) => a.text.includes('%C3%AB'),
          diagnosis: 'match-not-decoded',
          message:
            'handle decodes the values, and match gives them as they were sent. The params that match gives are those that the handler gets.',
        },
      ]);
      const two = await t.get(`/users/%2B1/posts/%E2%82%AC`);
      expectRoute(
        two,
        { route: 'GET /users/:id/posts/:post', params: { id: '+1', post: '€' } },
        notFound('GET /users/:id/posts/:post'),
      );

      const malformed = [
        ...['%zz', '%', '%C3', '%E0%A4%A'],
        ...[`${word}/posts/%zz`, `%zz/posts/${word}`],
      ].map((text) => ['GET', `/users/${text}`]);
      const bad = [...malformed, ['PUT', '/users/%zz']];
      await t.each(bad, async (part, [method = '', escape = '']) => {
        const answer = await missed(part, part.send({ method, target: escape }));
        expectError(answer, 400, [
          {
            if: (a) => a.status !== 404 && a.status >= 400 && !a.text.includes('"caughtBy"'),
            diagnosis: 'wrong-status',
            message: `The router answered ${escape} with status ${answer.status}. A malformed escape is the client's mistake: 400.`,
          },
          {
            if: (a) => a.status === 500,
            diagnosis: 'bad-escape-threw',
            message: `decodeURIComponent threw for ${escape}, and nothing in the router caught it. A malformed escape is the client's mistake: 400.`,
          },
          {
            if: (a) => a.status === 404,
            diagnosis: 'bad-escape-not-found',
            message: `${escape} fits a route, and its escape means nothing: that is 400, the client's mistake, not 404.`,
          },
          {
            if: (a) => a.status === 200,
            diagnosis: 'bad-escape-let-through',
            message: `The escape in ${escape} stands for no text, and a handler ran. Answer 400.`,
          },
        ]);
      });
      // Where no route fits, 404 and 400 are both true.
      const nowhere = await t.get(`/${word}/%zz`);
      nowhere.expect(nowhere.status === 400 || nowhere.status === 404, {
        diagnosis: nowhere.status === 500 ? 'bad-escape-threw' : 'bad-escape-let-through',
        message: `No route fits /${word}/%zz, and its escape means nothing. The answer is 404 or 400.`,
        expected: 'status 404 or 400',
        actual: `status ${nowhere.status}`,
      });
      const query = await t.get('/inbox?q=%zz');
      query.expectStatus(200, [
        {
          if: (a) => a.status === 400,
          diagnosis: 'query-decoded',
          message:
            "The malformed escape is in the query, which is not the router's business. Look only at url.pathname.",
        },
      ]);
      expectRoute(query, { route: 'GET /inbox', query: 'q=%25zz' }, notFound('/inbox?q=%zz'));
      await goesOnAfter(t, 'GET', '/users/%zz', 400);
      for (const target of ['/fails/uri', '/fails/uri-later']) {
        const own = await t.get(target, { causes: promiseLost });
        own.expectStatus(500, [
          {
            if: (a) => a.status === 400,
            diagnosis: 'handler-error-became-400',
            message:
              'A handler failed with a URIError of its own, and the client got 400. Catch only what your decoding throws, not what handlers do.',
          },
        ]);
        expectPassedOn(own);
      }
    },

    async 'Answer HEAD as GET'(t) {
      const word = t.word();
      const paths = ['/', `/users/${word}/posts/1`, `/posts/latest?${word}`, `/later/${word}`];
      const pairs: { get: Answer; head: Answer }[] = [];
      await t.each(paths, async (part, path, index) => {
        pairs[index] = { get: await part.get(path), head: await part.head(path) };
      });
      for (const { get, head } of pairs) {
        get.expectStatus(200);
        head.expectStatus(200, [
          {
            if: (a) => a.status === 404 || a.status === 405,
            diagnosis: 'head-not-found',
            message:
              'HEAD found nothing where GET has a route. Look for the GET route when the method is HEAD.',
          },
          {
            if: (a) => a.status === 204,
            diagnosis: 'head-without-handler',
            message:
              'HEAD has the status and the header fields of GET. Run the handler of GET; Node leaves out the body.',
          },
        ]);
        for (const name of ['Content-Type', 'Content-Length']) {
          head.expectHeader(name, get.header(name) ?? '', [
            {
              if: () => true,
              diagnosis: 'head-without-handler',
              message: `The ${name} of HEAD ${head.exchange.target} must be that of GET, and it ${head.header(name) === undefined ? 'is missing' : 'is another one'}. Run the very handler that GET runs, with the same params and query; Node leaves out the body.`,
            },
          ]);
        }
        head.expectNoBody();
      }
      const missing = await t.head(`/${word}`);
      const malformed = await t.head('/users/%zz');
      const fails = await t.head('/fails/later', { causes: promiseLost });
      const mail = await t.head('/mail');
      missing.expectStatus(404, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'head-always-200',
          message: 'HEAD of a path that nobody registered is 404, as GET is.',
        },
      ]);
      missing.expectNoBody();
      missing.expectHeader('Content-Type', missing.header('Content-Type') ?? 'application/json', [
        {
          if: () => true,
          diagnosis: 'head-without-fields',
          message: `HEAD /${word} is a 404, as for GET, and has no Content-Type. HEAD has all the header fields that GET has; only the body is left out, and Node does that by itself.`,
        },
      ]);
      malformed.expectStatus(400);
      fails.expectStatus(500, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'head-without-handler',
          message: 'HEAD must run the handler of GET: this one fails, and HEAD said 200.',
        },
      ]);
      mail.expect(mail.status >= 400, {
        diagnosis: 'head-ran-another-method',
        message:
          '/mail has only a POST route, and HEAD was answered with success. HEAD stands for GET and for nothing else.',
        expected: 'status 404 or 405',
        actual: `status ${mail.status}`,
      });
    },

    async 'Say which methods there are'(t) {
      const word = t.word();
      const user = ['GET', 'HEAD', 'PUT', 'DELETE'];
      const cases: [method: string, target: string, allow: string[]][] = [
        ['DELETE', '/mail', ['POST']],
        ['HEAD', '/mail', ['POST']],
        ['POST', '/users', ['GET', 'HEAD']],
        ['PROPFIND', '/inbox', ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']],
        ['OPTIONS', '/inbox', ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']],
        ['POST', `/users/${word}`, user],
        ['POST', '/users/Zo%C3%AB', user],
        ['PATCH', '/users/me', user],
        ['PUT', `/users/${word}/posts/1`, ['GET', 'HEAD']],
      ];
      const named = (allow: string[]): string => allow.filter((name) => name !== 'HEAD').join(', ');
      // From here on the paths have named segments.
      const plain = cases.findLastIndex(([, target]) => target === '/inbox');
      await t.each(cases, async (part, [method, target, allow], index) => {
        const answer = await missed(part, part.send({ method, target }));
        expectError(answer, 405, [
          {
            if: (a) => a.status === 404,
            diagnosis: 'not-found-for-405',
            message: `The path ${target} has routes, for ${named(allow)}, and none for ${method}. A 404 says that nothing is there; this is a 405, with an Allow that lists those methods.${target.includes('%') ? ' The same path without an escape got its 405.' : index > plain ? ' Paths without a named segment got theirs: the methods of a path are found with the same comparison as its route.' : ''}`,
          },
          {
            if: (a) => method === 'OPTIONS' && a.status < 300,
            diagnosis: 'options-answered',
            message:
              'OPTIONS is a method like any other here: without a route it gets 405. The CORS lesson deals with it.',
          },
          {
            if: (a) => a.status === 501,
            diagnosis: 'wrong-status',
            message: `${method} ${target} got 501. Whatever a method is called: the path has routes and none for it, so the answer is 405.`,
          },
          {
            if: (a) => a.status === 200,
            diagnosis: 'wrong-method-ran',
            message: `${method} ${target} is not registered, and a handler ran.`,
          },
        ]);
        expectAllow(answer, allow);
      });
      await goesOnAfter(t, 'PATCH', '/users/me', 405);
      const missing = await t.send({ method: 'PUT', target: `/${word}` });
      const deep = await t.send({ method: 'PUT', target: `/users/${word}/posts/1/2` });
      const empty = await t.send({ method: 'POST', target: '/users/' });
      const removed = await t.send({ method: 'DELETE', target: '/users/me' });
      const escape = await t.send({ method: 'PATCH', target: '/users/%zz' });
      for (const answer of [missing, deep, empty]) {
        expectError(answer, 404, [allowedEverywhere(answer)]);
        answer.expectNoHeader('Allow', [
          {
            if: () => true,
            diagnosis: 'allow-on-404',
            message: 'A 404 has no Allow: nothing is there that could allow anything.',
          },
        ]);
      }
      expectRoute(removed, { route: 'DELETE /users/:id', params: { id: 'me' } }, gaveUp);
      escape.expect([400, 404, 405].includes(escape.status), {
        diagnosis: escape.status === 500 ? 'bad-escape-threw' : 'wrong-status',
        message:
          'PATCH /users/%zz has a malformed escape and no route: 400 or 405 would be right. Whoever looks for the methods of a path decodes it too, and that can throw.',
        expected: 'status 400 or 405',
        actual: `status ${escape.status}`,
      });
    },

    async 'List the routes'(t) {
      const answer = await t.get('/routes');
      const wanted = registered();
      answer.expectStatus(200, [
        {
          if: (a) => a.status === 500,
          diagnosis: 'routes-not-a-list',
          message:
            'An error was thrown on the way to GET /routes; the terminal shows which. If it is about routes: that is an array of { method, path }, read like a property, not called.',
        },
      ]);
      const parsed = answer.json();
      const given = Array.isArray(parsed) ? parsed.map(String) : [];
      answer.expect(Array.isArray(parsed), {
        diagnosis: 'routes-not-a-list',
        message: 'routes is not an array.',
        expected: 'an array with one entry for each registration',
        actual: brief(answer.text, 200),
      });
      const nameless = given.find((line) => line.includes('undefined'));
      answer.expect(nameless === undefined, {
        diagnosis: 'routes-without-names',
        message:
          'An entry of routes has no method or no path: both are undefined to whoever reads them. Each entry is an object with method and path.',
        expected: wanted[0],
        actual: nameless,
      });
      const head = given.find((line) => line.startsWith('HEAD'));
      answer.expect(head === undefined, {
        diagnosis: 'head-listed',
        message: 'HEAD was never registered, so it is not in the list.',
        expected: 'only what was registered',
        actual: head,
      });
      const twice = 'GET /twice';
      const count = (line: string, list: string[]): number =>
        list.filter((other) => other === line).length;
      const at = wanted.findIndex((line, index) => given[index] !== line);
      const differ = {
        expected: at < 0 ? `${wanted.length} entries` : `entry ${at + 1}: ${wanted[at]}`,
        actual: at < 0 ? `${given.length} entries` : `entry ${at + 1}: ${given[at] ?? '(none)'}`,
      };
      answer.expect(given.length !== wanted.length - 1 || count(twice, given) !== 1, {
        diagnosis: 'route-listed-once',
        message: `${twice} was registered twice, and is listed once. There is one entry for each registration.`,
        expected: `${twice}, two times`,
        actual: `${twice}, one time`,
      });
      answer.expect(at < 0 || [...given].sort().join() !== [...wanted].sort().join(), {
        diagnosis: 'routes-out-of-order',
        message:
          'The routes are all there, but not in the order in which they were registered. The order decides who wins.',
        ...differ,
      });
      const missing = wanted.filter((line) => count(line, given) < count(line, wanted));
      answer.expect(given.length >= wanted.length, {
        diagnosis: 'routes-missing',
        message: `Of ${wanted.length} registrations only ${given.length} are listed. ${missing[0] ?? ''} is not there, for example.`,
        ...differ,
      });
      answer.expect(at < 0 && given.length === wanted.length, {
        diagnosis: 'wrong-json',
        message: 'The list of routes is not that of the registrations.',
        ...differ,
      });
      const again = await t.get('/routes');
      again.expect(again.text === answer.text, {
        diagnosis: 'routes-change',
        message:
          'GET /routes was asked twice, and the second answer is another one. To read routes changes nothing: make a new list each time, and leave that of the router as it is.',
        expected: `the same ${given.length} entries`,
        actual: brief(again.text, 200),
      });
    },
  },
  { keepAlive: true },
);

const allowedEverywhere = (answer: Answer): Cause => ({
  if: (a) => a.status === 405,
  diagnosis: 'not-allowed-for-404',
  message: `No route has this path under any method: that is 404. 405 is for a path that exists.${answer.header('Allow')?.trim() === '' ? ' The Allow of this 405 is empty: that is how you can tell.' : ''}`,
});

/** For DELETE /users/me. */
const gaveUp: Cause = {
  if: isMiss,
  diagnosis: 'gave-up-too-early',
  message:
    'DELETE /users/me found nothing. GET /users/me fits the path, but its method is another one; DELETE /users/:id fits as well and comes later. Look at all routes before you say no.',
};

/** Allow names these methods, each once, in any order. */
function expectAllow(answer: Answer, wanted: string[]): void {
  const given = (answer.header('Allow') ?? '')
    .split(',')
    .map((method) => method.trim())
    .filter(Boolean);
  const request = `${answer.exchange.method} ${answer.exchange.target}`;
  const extra = given.filter((method) => !wanted.includes(method));
  const missing = wanted.filter((method) => !given.includes(method));
  const lower = given.some((method) => method !== method.toUpperCase());
  const causes: [boolean, Named][] = [
    [
      answer.header('Allow') === undefined,
      {
        diagnosis: 'allow-missing',
        message: `The 405 for ${request} has no Allow. It must list the methods that this path has.`,
      },
    ],
    [
      given.some((method) => !/^[\w-]+$/.test(method)),
      {
        diagnosis: 'allow-separator',
        message:
          'Allow is a list of methods with commas between them: GET, HEAD. Nothing else stands between or around them.',
      },
    ],
    [
      lower,
      {
        diagnosis: 'allow-lower-case',
        message: 'Methods are written in capitals, and case counts: get is not GET.',
      },
    ],
    [
      missing.length === 1 && missing[0] === 'HEAD',
      {
        diagnosis: 'allow-without-head',
        message: `The path of ${request} answers GET, so it answers HEAD. Allow must list both.`,
      },
    ],
    [
      extra.length === 1 && extra[0] === 'HEAD',
      {
        diagnosis: 'head-without-get',
        message: `The path of ${request} has no GET, so it has no HEAD. Allow lists HEAD only beside GET.`,
      },
    ],
    [
      extra.length === 1 && extra[0] === 'OPTIONS',
      {
        diagnosis: 'options-allowed',
        message: 'Allow lists OPTIONS, and OPTIONS gets 405 here. List only what the path answers.',
      },
    ],
    [
      extra.length > 0,
      {
        diagnosis: 'allow-too-long',
        message: `Allow lists ${extra.join(', ')} for ${request}, which that path does not have. Look only at routes that fit the path.`,
      },
    ],
    [
      missing.length > 0,
      {
        diagnosis: 'allow-too-short',
        message: `Allow leaves out ${missing.join(', ')} for ${request}. Look at every route that fits the path, not only at the first.`,
      },
    ],
    [
      new Set(given).size < given.length,
      {
        diagnosis: 'allow-twice',
        message: `Allow lists a method twice for ${request}. Two routes fit the path; name each method once.`,
      },
    ],
  ];
  for (const [holds, cause] of causes) {
    answer.expect(!holds, {
      ...cause,
      expected: `Allow: ${wanted.join(', ')}`,
      actual: `Allow: ${answer.header('Allow') ?? '(none)'}`,
    });
  }
}

/** Every answer so far was the only one: a second one fails where the first is out, and is seen in the log alone. */
async function answersOnce(t: Trial, twice: Answer): Promise<void> {
  const error = /^.*(?:ERR_HTTP_HEADERS_SENT|ERR_STREAM_WRITE_AFTER_END).*$/m;
  await t.settle();
  const [line] = error.exec(t.program.stderr) ?? [];
  if (line === undefined) return;
  const always = await ranOnAfter(t, error, { target: '/inbox' });
  const both = always ? undefined : await ranOnAfter(t, error, { target: '/twice' });
  t.fail({
    ...(both
      ? {
          diagnosis: 'both-ran',
          message:
            'GET /twice is registered twice. One handler answered, then the other ran as well, and the log shows the error that came of it. The first route that fits runs, and no other.',
        }
      : {
          diagnosis: 'ran-on-after-answer',
          message: always
            ? 'The handler has answered, then handle runs on and answers again, and the log shows the error that comes of it. Where a handler is found its promise is returned, and nothing is left to do.'
            : 'Each answer looks right, but after one of them the code ran on, and the log shows the error that came of it. An answer does not end a function: return does.',
        }),
    expected: 'no error in the log',
    actual: brief(line, 200),
    exchange: always?.exchange ?? (both && twice.exchange),
  });
}

/** The answer was the only one: nothing tripped over it afterwards, so the connection serves the next request. */
async function goesOnAfter(
  t: Trial,
  method: string,
  target: string,
  status: number,
): Promise<void> {
  const ranOn = {
    diagnosis: 'ran-on-after-answer',
    message: `${method} ${target} was answered, then the code ran on and an error was thrown: server.ts had to cut the connection. An answer does not end a function; return does.`,
  };
  const causes = { 'connection-closed': ranOn, 'connection-reset': ranOn };
  const connection = t.connect();
  await connection.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const answer = await connection.answer({ method, target, causes });
  answer.expectStatus(status);
  // To close the connection is nobody's duty and everybody's right, when it is announced.
  if (/\bclose\b/i.test(answer.header('Connection') ?? '')) return;
  await connection.write('GET /inbox HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const next = await connection
    .answer({ method: 'GET', target: '/inbox', causes })
    .catch((error: unknown) => {
      if (!(error instanceof StepFailure) || error.failure.diagnosis !== ranOn.diagnosis)
        throw error;
      return answer.fail({
        ...ranOn,
        expected: 'a connection that takes the next request',
        actual: 'the connection is closed',
      });
    });
  next.expectStatus(200);
}

/** A named segment holds what stood in its place, as text and as it was sent. */
async function seesWhatIsNamed(t: Trial): Promise<void> {
  const [one, two] = [t.word(), t.word()];
  const mixed = `${one.toUpperCase()}${two}`;
  const digits = `00${t.int(1, 9999)}`;
  const marks = `a.b_c~d!$&'()*,;=:@-${one}`;
  const long = `${one}-`.repeat(40);
  const user = 'GET /users/:id';
  const missed = (target: string, route: string): Named => ({
    diagnosis: 'named-segment-missed',
    message: `${target} fits the route ${route}, and the router did not find it. A segment that begins with : fits any one segment.`,
  });
  const paramCauses: Cause[] = [
    { if: (a) => a.status === 200 && shownBy(a)?.params === undefined, ...paramsMissing },
    {
      if: (a) => a.status === 200 && Object.keys(Object(shownBy(a)?.params)).length === 0,
      diagnosis: 'params-empty',
      message:
        'The route was found, but params is empty. Put what stands in the place of :name into params.name.',
    },
    {
      if: (a) => Object.keys(Object(shownBy(a)?.params)).some((key) => key.startsWith(':')),
      ...colonKept,
    },
    {
      if: (a) =>
        Object.values(Object(shownBy(a)?.params)).some((value) => typeof value !== 'string'),
      diagnosis: 'param-not-text',
      message:
        'A value in params is not a text. The router hands over what stood in the path; what it means is for the handler to say.',
    },
    {
      if: (a) => Object.values(Object(shownBy(a)?.params)).join() === mixed.toLowerCase(),
      diagnosis: 'param-changed',
      message:
        'The value came back in small letters. params holds what stood in the path, as it was.',
    },
  ];
  const cases: [method: string, target: string, route: string, params: object, causes?: Cause[]][] =
    [
      ['GET', `/users/${mixed}`, user, { id: mixed }],
      ['GET', `/users/${digits}`, user, { id: digits }],
      ['GET', `/users/${marks}`, user, { id: marks }],
      [
        'GET',
        `/users/${long}`,
        user,
        { id: long },
        [
          {
            if: isMiss,
            diagnosis: 'long-segment-missed',
            message: `A named segment of ${long.length} characters was not found. It may be of any length.`,
          },
        ],
      ],
      ['GET', '/users/:id', user, { id: ':id' }],
      ['GET', '/users/__proto__', user, { id: '__proto__' }],
      ['PUT', `/users/${one}`, 'PUT /users/:id', { id: one }],
      ['DELETE', `/users/${two}`, 'DELETE /users/:id', { id: two }],
      ['GET', `/users/${one}/posts/${two}`, 'GET /users/:id/posts/:post', { id: one, post: two }],
      ['GET', '/users/me', 'GET /users/me', {}],
      ['DELETE', '/users/me', 'DELETE /users/:id', { id: 'me' }, [gaveUp]],
      [
        'GET',
        '/posts/latest',
        'GET /posts/:slug',
        { slug: 'latest' },
        [
          {
            if: (a) => a.text.includes('GET /posts/latest'),
            diagnosis: 'plain-wins',
            message:
              'GET /posts/:slug was registered before GET /posts/latest and fits, so it answers. The first one registered wins, whatever it looks like.',
          },
        ],
      ],
      ['GET', `/v1.0/${one}`, 'GET /v1.0/:item', { item: one }],
      ['GET', '/v1.0/status', 'GET /v1.0/status', {}],
      ['GET', '/sum/1+1', 'GET /sum/1+1', {}],
      ['GET', '/sum/(:x)', 'GET /sum/(:x)', {}],
      ['GET', `/pair/${one}/end`, 'GET /pair/:left/end', { left: one }],
      [
        'GET',
        `/pair/${one}/${two}`,
        'GET /pair/:one/:two',
        { one, two },
        [
          {
            if: (a) => Object.hasOwn(Object(shownBy(a)?.params), 'left'),
            diagnosis: 'params-left-over',
            message:
              'params holds "left", which belongs to a route that did not fit. Begin with fresh params for each route that you try.',
          },
        ],
      ],
      [
        'GET',
        `/teams/${one}`,
        'GET /teams/:team-name',
        { 'team-name': one },
        [
          {
            if: (a) => isMiss(a) || !Object.hasOwn(Object(shownBy(a)?.params), 'team-name'),
            diagnosis: 'name-cut',
            message:
              'The route is /teams/:team-name. Everything behind the colon is the name, up to the next slash.',
          },
        ],
      ],
    ];
  await t.each(cases, async (part, [method, target, route, params, causes = []]) => {
    const answer = await part.send({ method, target });
    // What another handler was given says nothing of this one.
    const other = (shownBy(answer)?.route ?? route) !== route;
    const marksLost = target.includes(marks) && isMiss(answer);
    const pattern = /^\/(sum|v1)/.test(target) && isMiss(answer);
    expectRoute(
      answer,
      { route, params },
      marksLost
        ? {
            diagnosis: 'some-characters-missed',
            message: 'A named segment fits whatever stands there, not only letters and digits.',
          }
        : pattern
          ? {
              diagnosis: 'path-became-pattern',
              message: `${target} is a registered path, and it was not found. A character such as . + ( or ) in a path stands for itself.`,
            }
          : missed(`${method} ${target}`, route),
      [...causes, ...(other || Object.keys(params).length === 0 ? [] : paramCauses)],
    );
  });
  const asked = await t.get(`/match?method=DELETE&path=/users/${one}`);
  asked.expectStatus(200);
  asked.expectJSON({ found: true, params: { id: one } }, [
    {
      if: (a) => a.text.includes('false'),
      diagnosis: 'match-finds-nothing',
      message: `match('DELETE', '/users/${one}') gives null, though handle finds that route.`,
    },
    {
      if: (a) => a.status === 200,
      diagnosis: 'match-without-params',
      message: 'match gives { handler, params }, with the params that the handler would get.',
    },
  ]);
}

/** What is not named must be equal, and as long; an empty segment is nobody's. */
async function comparesTheRest(t: Trial): Promise<void> {
  const word = t.word();
  const empty = {
    diagnosis: 'empty-segment-matched',
    message:
      'An empty segment was taken for a value. "/users/" splits into three pieces, and the last one is empty: that is no id.',
  };
  const count = {
    diagnosis: 'segment-count-ignored',
    message: 'The path has more or fewer segments than the route. They must have equally many.',
  };
  const anchor = {
    diagnosis: 'not-anchored',
    message:
      'The route fits only a part of this path. It must fit the whole, from the first segment to the last.',
  };
  const literal = {
    diagnosis: 'plain-segment-ignored',
    message:
      'A plain segment of the route is not equal to the one in the path, and the route was taken all the same.',
  };
  const pattern = {
    diagnosis: 'path-became-pattern',
    message:
      'A character such as . + ( or ) in a path stands for itself. A path is not a regular expression.',
  };
  const slash = {
    diagnosis: 'slash-ignored',
    message: 'A slash at the end makes one more segment, an empty one: it is another path.',
  };
  const cases: [string, Named][] = [
    ['/users/', empty],
    ['/users//posts/1', empty],
    ['/users/1/posts/', empty],
    [`/users/${word}/`, slash],
    [`/users/${word}/posts`, count],
    [`/users/${word}/posts/1/2`, count],
    [`/users/${'1/'.repeat(4000)}`, count],
    ['/pair/1', count],
    [`/users/${word}/delete`, anchor],
    [`/admin/users/${word}`, anchor],
    [
      `/Users/${word}`,
      {
        diagnosis: 'case-ignored',
        message: 'Capitals were taken for small letters. Paths are compared letter by letter.',
      },
    ],
    [`/users/${word}/${word}/1`, literal],
    [`/${word}/1`, literal],
    [`/v1a0/${word}`, pattern],
    ['/sum/11', pattern],
    [`/sum/(${word})`, pattern],
  ];
  await t.each(cases, async (part, [path, why]) => {
    const answer = await part.get(path);
    expectMiss(answer, why, [allowedEverywhere(answer)]);
  });
}

/** params belongs to one request and inherits nothing. */
async function keepsParamsApart(t: Trial): Promise<void> {
  const [one, two] = [t.word(), t.word()];
  const proto = await t.get(`/proto/${one}`);
  const wanted = JSON.parse(
    `{ "params": { "__proto__": "${one}" }, "inherits": false }`,
  ) as unknown;
  proto.expectStatus(200);
  proto.expectJSON(wanted, [
    {
      if: (a) => a.text.includes('"inherits":false') && !a.text.includes(one),
      diagnosis: 'proto-lost',
      message:
        'The path names a value __proto__, and it is not in params. Either it was left out, or it was assigned to an ordinary object, where __proto__ means something else. Make params with Object.create(null) before you fill it.',
    },
    {
      if: (a) => a.text.includes('"inherits":true'),
      diagnosis: 'params-inherit',
      message:
        'params is an ordinary object: it has a toString that no path named, and a value called __proto__ is lost in it. Make it with Object.create(null).',
    },
  ]);

  // Both requests are in one packet, so the second one is routed before the first one's handler goes on.
  const connection = t.connect();
  const request = (name: string): string =>
    `GET /later/${name} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  await connection.write(request(one) + request(two));
  for (const name of [one, two]) {
    const answer = await connection.answer({ target: `/later/${name}` });
    answer.expectStatus(200);
    answer.expectJSON({ route: 'GET /later/:name', params: { name } }, [
      {
        if: (a) => a.text.includes(one) || a.text.includes(two),
        diagnosis: 'params-shared',
        message:
          'Two requests were under way at once, and one saw the params of the other. Make new params for every request; keep nothing of a request on the router.',
      },
    ]);
  }
}

/** What server.ts registers, in order, as GET /routes shows it. */
function registered(): string[] {
  const source = readFileSync(new URL('../solutions/05-router/server.ts', import.meta.url), 'utf8');
  return [...source.matchAll(/^router\.(\w+)\('([^']+)'/gm)].map(
    ([, method = '', path = '']) => `${method.toUpperCase()} ${path}`,
  );
}
