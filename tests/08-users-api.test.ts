import { stripVTControlCharacters } from 'node:util';
import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief, type Exchange } from '../scripts/kernel/exchange.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { RequestOptions, Trial } from '../scripts/kernel/trial.ts';
import { ranOnAfter } from './support/ran-on.ts';

interface User {
  id: number;
  name: string;
  email: string;
}

const origin = 'http://page.example';
/** The longest body that readBodyJSON takes, in bytes. */
const bodyLimit = 64 * 1024;

export default suite(
  '08-users-api',
  {
    async 'Put the pieces together'(t) {
      const word = t.word();
      const headers = { Origin: origin };
      const asksToDelete = {
        method: 'OPTIONS',
        target: '/users/1',
        headers: { ...headers, 'Access-Control-Request-Method': 'DELETE' },
      };
      const [root, head, missing, wrong, preflight, plain] = await Promise.all([
        t.get('/', {
          headers,
          causes: {
            'no-answer': {
              diagnosis: 'no-answer',
              message:
                'GET / got no answer. Where cors(req, res) says false it has not answered: then the request goes on to the router, and router.handle runs the handler, which answers.',
            },
          },
        }),
        t.head('/'),
        t.get(`/${word}`, { headers }),
        t.send({ method: 'PATCH', target: '/users', headers }),
        t.send(asksToDelete),
        t.send({ method: 'OPTIONS', target: `/${word}`, headers }),
      ]);
      root.expectStatus(200);
      expectJSONType(root);
      root.expectJSON({ message: 'Users API', version: '1.0.0' });
      head.expectStatus(200);
      expectError(missing, 404);
      expectError(await t.get(`/users/1/${word}`), 404);
      expectError(wrong, 405, [
        {
          if: (a) => a.status === 404,
          diagnosis: 'not-found-for-405',
          message: '/users exists, only not for PATCH: your router answers that with 405. Let it.',
        },
      ]);
      expectAllow(wrong, ['GET', 'HEAD', 'POST'], ['PUT', 'DELETE', 'PATCH']);

      preflight.expectStatus(204, [
        {
          if: (a) => a.status === 404 || a.status === 405,
          diagnosis: 'preflight-routed',
          message:
            'A preflight came to the router, which knows no OPTIONS. Call cors(req, res) first, and stop where it says true.',
        },
      ]);
      preflight.expectNoBody();
      preflight.expectHeader(
        'Access-Control-Allow-Methods',
        (value) => /\bDELETE\b/.test(value) && /\bPUT\b/.test(value),
      );
      preflight.expectHeader('Access-Control-Allow-Headers', /\bcontent-type\b/i);
      plain.expect(plain.status === 404, {
        diagnosis: 'every-options-answered',
        message: `OPTIONS /${word} is no preflight, for it has no Access-Control-Request-Method. It is routed like every other request: 404.`,
        expected: 'status 404',
        actual: `status ${plain.status}`,
      });
      // The HEAD came without an Origin.
      for (const answer of [root, preflight, plain, head]) expectCors(answer);
      const odd = await survivesTargets(t);
      await answersOnce(t, {
        preflight: asksToDelete,
        missing: { target: `/${word}` },
        odd: odd && { method: odd.exchange.method, target: odd.exchange.target },
      });
    },

    async 'Catch every error once'(t) {
      const failing = new Map<string, Exchange>();
      await t.each(['/boom', '/boom/later', '/boom/null'], async (part, target) => {
        const answer = await part.get(target, {
          headers: { Origin: origin },
          causes: {
            'no-answer': {
              diagnosis: 'no-answer',
              message: `The handler of ${target} failed, and the client waits for an answer that nobody gives. ${target === '/boom/null' ? 'It throws null, which is no Error: whatever is thrown gets its 500.' : 'Whoever catches the error has to answer: 500.'}`,
            },
            'connection-closed': {
              diagnosis: 'connection-closed',
              message: `The handler of ${target} failed, and the connection was closed without an answer. Nothing had been sent yet, so a 500 could still be; only an answer that has begun is cut off.`,
            },
          },
        });
        failing.set(target, answer.exchange);
        expectError(answer, 500, [
          {
            if: (a) => a.status === 400,
            diagnosis: 'wrong-status',
            message: `The handler of ${answer.exchange.target} failed, and the client was told 400, as if the mistake were the client's. Only an HttpError says so itself, with its own status; anything else is 500.`,
          },
        ]);
        expectCors(answer);
        expectSilence(answer);
        await part.settle(); // What dies a moment later died of this one.
      });
      const half = await t.attempt({ target: '/boom/halfway' });
      await t.settle();
      const open = half.outcome === 'no-answer' || half.outcome === 'response-never-ended';
      t.check(half.outcome !== 'answered' && !open, {
        diagnosis: open ? 'half-answer-left-open' : 'half-answer-made-whole',
        message: open
          ? 'GET /boom/halfway fails in the middle of its answer, and the client waits for the rest. Nobody will send it: cut the connection with res.destroy().'
          : 'GET /boom/halfway fails in the middle of its answer, and the client was told that the answer is whole. The status line has gone and says 200: only res.destroy() can still tell the client.',
        expected: 'a connection that is cut in the middle of the answer',
        actual: open ? 'a connection that stays open' : 'an answer that ends as if it were whole',
        exchange: half,
      });

      const after = await t.get('/');
      after.expectStatus(200);
      for (const [detail, where, exchange] of [
        ['cellar', '/boom', failing.get('/boom')],
        ['attic', '/boom/later', failing.get('/boom/later')],
        ['roof', '/boom/halfway', half],
      ] as const) {
        const log = (): string => `${t.program.stderr}${t.program.stdout}`;
        const logged = await t.until(() => log().includes(`The ${detail}`));
        const stack = (): boolean => /\bat\b.*\bserver\.[cm]?[jt]s\b/.test(log());
        t.check(logged && (stack() || (await t.until(stack, 100))), {
          diagnosis: 'error-not-logged',
          message: `GET ${where} failed, and ${
            logged
              ? 'the log holds the message of the error and not its stack, which says where it happened. Hand the error itself to console.error.'
              : `the server's own log says nothing of it. Hand the error${/^\{\}$/m.test(log()) ? ' itself' : ''} to console.error: it is all that you will have.${/^\{\}$/m.test(log()) ? ' JSON.stringify makes {} of an error.' : ''}`
          }`,
          expected: `the error of ${where} on stderr`,
          actual: t.program.stderr.slice(-300) || '(nothing)',
          exchange,
        });
      }
    },

    async 'Create users and list them'(t) {
      const given = { name: `Zoë €${t.word()}`, email: `${t.word()}@example.net` };
      const created = await t.post('/users', given, { headers: { Origin: origin } });
      const user = expectCreated(t, created, given);
      expectCors(created);

      const list = await listOf(t);
      t.check(
        list.some(({ id }) => id === user.id),
        {
          diagnosis: 'not-stored',
          message: `A user was created with 201, and GET /users does not list it. 201 promises that it is there.${list.length === 0 ? ' The list is empty: is the user stored, and does GET /users list everybody where the query has no name? query.get gives null then.' : ''}`,
          expected: JSON.stringify(user),
          actual: JSON.stringify(list).slice(0, 300),
        },
      );

      await takesOnlyItsFields(t, user);
      await refusesBadBodies(t);
      await findsByName(t, user);
      await keepsIdsApart(t, user);
    },

    async 'Find one by id'(t) {
      const user = await create(t);
      const { id } = user;
      const found = await t.get(`/users/${id}`, { headers: { Origin: origin } });
      found.expectStatus(200, [
        {
          if: (a) => a.status === 404,
          diagnosis: 'created-not-found',
          message: `User ${id} was created, and GET /users/${id} says 404. Either two kinds of value are compared (params.id is a text, the id in the store is a number), or the id is taken for a place in a list.`,
        },
        {
          if: (a) => a.status === 400,
          diagnosis: 'good-id-refused',
          message: `${id} is a whole positive number, and it was refused.`,
        },
      ]);
      expectJSONType(found);
      found.expectJSON(user, [
        {
          if: (a) => Array.isArray(parsed(a)),
          diagnosis: 'user-in-an-array',
          message: `GET /users/${id} answers with an array. It is about one user, and answers with that one: filter gives an array, find gives one of its items.`,
        },
        ...extraCauses(found, user),
      ]);
      expectCors(found);
      (await t.head(`/users/${id}?x=1`)).expectStatus(200, [
        {
          if: (a) => a.status === 400 || a.status === 404,
          diagnosis: 'head-refused',
          message: `GET /users/${id} was answered with 200, and HEAD /users/${id}?x=1 was not. HEAD is answered as GET is, and a query is no part of the path: params.id is free of it.`,
        },
      ]);

      for (const more of [t.int(100_000, 900_000), 2 ** 32]) {
        expectError(await t.get(`/users/${id + more}`, { headers: { Origin: origin } }), 404, [
          {
            if: (a) => a.status === 200 && idIn(a) === id,
            diagnosis: 'id-cut',
            message: `GET /users/${id + more} was answered with user ${id}. The number was cut to 32 bits, as |, ~ and >> do. Another number is another id, and nobody has this one.`,
          },
          ...absentCauses,
        ]);
      }
      await refusesOddIds(t, 'GET', user);

      // Beyond what a number can hold exactly, "no such user" and "no such id" are both true.
      const huge = await t.get(`/users/${'9'.repeat(400)}`);
      huge.expect(huge.status === 400 || huge.status === 404, {
        diagnosis: 'huge-id',
        message: 'An id with more digits than a number can hold got neither 400 nor 404.',
        expected: 'status 400 or 404',
        actual: `status ${huge.status}`,
      });
    },

    async 'Replace one'(t) {
      const namesake = await create(t, { name: t.word(), email: `Mc ${t.word()}` });
      const user = await create(t, { name: namesake.name, email: namesake.email });
      const next = await create(t);
      const target = `/users/${user.id}`;
      const given = { name: t.word(), email: `${t.word()}@example.net` };
      // Whoever remembers lists remembers these.
      await Promise.all([listOf(t), listed(t, `?name=${user.name}`)]);
      const put = (json: unknown, at = target): Promise<Answer> =>
        t.send({ method: 'PUT', target: at, json });

      const replaced = await put({ ...given, id: next.id, admin: true });
      const refused = replaced.status >= 400 && replaced.status < 500;
      const withoutMore = refused ? await put(given) : undefined;
      replaced.expectStatus(200, [
        {
          if: () => withoutMore?.status === 200,
          diagnosis: 'extra-fields-refused',
          message: `PUT was refused with status ${replaced.status} because its body holds more than name and email; without that it is taken. As with POST, whatever else a body brings is ignored, an id too.`,
        },
        {
          if: (a) => a.status === 404,
          diagnosis: 'existing-not-replaced',
          message: `User ${user.id} was created, and PUT ${target} says 404. What params holds is text, and the id in the store is a number: to a Map, and to ===, '1' and 1 are two things.`,
        },
        {
          if: () => refused,
          diagnosis: 'good-user-refused',
          message: `PUT with a name and an email was refused with status ${replaced.status}. Is the body there when its fields are looked at? readBodyJSON gives a promise: without await there are no fields in it.`,
        },
        {
          if: (a) => a.status === 201,
          diagnosis: 'replaced-as-created',
          message: 'PUT on a user who was there answers 200. 201 says that something new was made.',
        },
        {
          if: (a) => a.status === 204,
          diagnosis: 'replaced-without-body',
          message: 'PUT answers 200 with the user as it is now.',
        },
      ]);
      const wanted = { id: user.id, ...given };
      replaced.expectJSON(wanted, [
        {
          if: (a) => a.text.includes(user.name) && !a.text.includes(given.name),
          diagnosis: 'old-user-answered',
          message:
            'PUT answered with the user as it was before. It answers with the user as it is now.',
        },
        ...idCauses(wanted, next.id),
        ...extraCauses(replaced, wanted),
      ]);
      const [one, other, like, list, before, after] = await Promise.all([
        t.get(target),
        t.get(`/users/${next.id}`),
        t.get(`/users/${namesake.id}`),
        listOf(t),
        listed(t, `?name=${user.name}`),
        listed(t, `?name=${given.name}`),
      ]);
      one.expectJSON(wanted, [
        {
          if: (a) => a.text.includes(user.name),
          diagnosis: 'replacement-not-stored',
          message: 'PUT answered with the new user, and GET still gives the old one.',
        },
      ]);
      other.expectJSON(next, [
        {
          if: () => true,
          diagnosis: 'wrong-user-replaced',
          message: `PUT ${target} changed user ${next.id}, whose id was in the body. The id in the path says who is meant; the one in the body says nothing.`,
        },
      ]);
      like.expectJSON(namesake, [
        {
          if: (a) => a.text.includes(given.name),
          diagnosis: 'wrong-user-replaced',
          message: `PUT ${target} changed user ${namesake.id} as well, who had the same name and email. The id in the path says who is meant, and nobody else.`,
        },
      ]);
      const places = list.map(({ id }) => id).filter((id) => id === user.id || id === next.id);
      const times = places.filter((id) => id === user.id).length;
      t.check(places.join() === `${user.id},${next.id}`, {
        diagnosis: 'order-changed',
        message: `After PUT /users/${user.id}, GET /users ${times === 1 ? `has user ${user.id} and user ${next.id} no longer in the order in which they were created` : `lists user ${user.id} ${times === 0 ? 'no more' : `${times} times`}`}. A user who is replaced keeps the place in the list.`,
        expected: `[${user.id}, ${next.id}]`,
        actual: `[${places.join(', ')}]`,
      });
      const shown = JSON.stringify(list.find(({ id }) => id === user.id));
      t.check(shown.includes(given.name) && shown.includes(given.email), {
        diagnosis: 'replacement-not-listed',
        message: `After PUT ${target}, GET ${target} gives the new user, and GET /users still lists the old one. Both must come from the same store.`,
        expected: JSON.stringify(wanted),
        actual: shown,
      });
      for (const [{ users, exchange }, owner] of [
        [before, namesake.id],
        [after, user.id],
      ] as const) {
        const ids = users.map(({ id }) => id);
        t.check(ids.join() === `${owner}`, {
          diagnosis: 'replacement-not-listed',
          message: `After PUT ${target}, GET ${target} gives the new user, and GET /users?name=… ${owner === user.id ? 'does not find the user under the new name' : 'still goes by the old name'}. It must look at the users as they are now.`,
          expected: `only user ${owner}`,
          actual: ids.length === 0 ? 'nobody' : `user ${ids.join(', user ')}`,
          exchange,
        });
      }

      // A blank, and what is no e-mail address and somebody else's besides: POST takes both.
      const odd = { name: ' ', email: namesake.email };
      const taken = await put(odd, `/users/${next.id}`);
      taken.expectStatus(200, [
        {
          if: (a) => a.status >= 400,
          diagnosis: 'good-user-refused',
          message: `PUT was refused with status ${taken.status}. In its body the name is a blank, and the email looks like none and is somebody else's as well. PUT takes what POST takes: any two texts that are not empty.`,
        },
      ]);
      taken.expectJSON({ id: next.id, ...odd }, [
        {
          if: () => true,
          diagnosis: 'fields-changed',
          message:
            'PUT did not keep name and email as they came: blanks around them and capital letters stay.',
        },
      ]);

      const partial = await put({ name: t.word() });
      expectError(partial, 400, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'put-merges',
          message:
            'PUT without an email was accepted. PUT replaces the whole user, so it needs all of it; changing a part is PATCH.',
        },
      ]);
      for (const [json, fault] of [
        [{ name: '', email: 'a@b.c' }, 'the name is empty'],
        [{ name: 1, email: 'a@b.c' }, 'the name is a number'],
        [null, 'it is null'],
      ] as const)
        expectError(await put(json), 400, acceptedBad(fault));
      expectError(
        await t.send({
          method: 'PUT',
          target,
          body: JSON.stringify(given),
          headers: { 'Content-Type': 'text/plain' },
        }),
        415,
      );
      (await t.get(target)).expectJSON(wanted, [
        {
          if: () => true,
          diagnosis: 'changed-by-refused-put',
          message:
            'A PUT was refused, and it changed the user all the same. Check everything first, store last.',
        },
      ]);

      const absent = user.id + t.int(100_000, 900_000);
      expectError(await put(given, `/users/${absent}`), 404, [
        {
          if: (a) => a.status < 300,
          diagnosis: 'put-creates',
          message:
            'PUT made a user out of nothing. Ids are given by POST alone; for an unknown one PUT answers 404.',
        },
      ]);
      expectError(await t.get(`/users/${absent}`), 404, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'put-creates',
          message: 'PUT answered 404 and stored the user all the same.',
        },
      ]);
      await refusesOddIds(t, 'PUT', { ...wanted });
      await hangsUp(t, 'PUT', target);
      (await t.get(target)).expectJSON(wanted, [
        { if: (a) => a.text.includes(halfUser.name), ...halfStored },
      ]);
    },

    async 'Delete one'(t) {
      const user = await create(t);
      // Has the same name and email, and stays.
      const next = await create(t, { name: user.name, email: user.email });
      const target = `/users/${user.id}`;
      const byName = `?name=${user.name}`;
      await Promise.all([listOf(t), listed(t, byName)]);
      await refusesOddIds(t, 'DELETE', user);
      const [wrong, everybody] = [
        await t.post(target, { name: 'a', email: 'b' }),
        await t.send({ method: 'DELETE', target: '/users' }),
      ];
      expectError(wrong, 405);
      expectError(everybody, 405);
      expectAllow(wrong, ['GET', 'HEAD', 'PUT', 'DELETE'], ['POST', 'PATCH']);

      // Whoever asks at the same time, the user is there to be deleted only once.
      const all = await Promise.all(
        [1, 2].map(() => t.send({ method: 'DELETE', target, headers: { Origin: origin } })),
      );
      const [first, second] = all.filter(({ status }) => status < 300);
      if (!first) {
        all[0]?.expectStatus(204, [
          {
            if: (a) => a.status === 404,
            diagnosis: 'existing-not-deleted',
            message: `User ${user.id} was created, and DELETE ${target} says 404. What params holds is text, and the id in the store is a number: to a Map, and to ===, '1' and 1 are two things.`,
          },
        ]);
        return;
      }
      const left = second && (await t.get(target));
      left?.expect(left.status !== 200 || idIn(left) !== user.id, {
        diagnosis: 'not-deleted',
        message: `DELETE ${target} was answered with ${first.status}, and the user is still there.`,
        expected: 'status 404',
        actual: `status 200, and user ${user.id}`,
      });
      first.expectStatus(204, [
        {
          if: (a) => a.status === 200,
          diagnosis: 'deleted-with-200',
          message: 'There is nothing to say about a user who is gone: 204, without a body.',
        },
      ]);
      first.expectNoBody();
      expectCors(first);
      first.expectNoHeader('Content-Length', [
        {
          if: () => true,
          diagnosis: 'length-on-204',
          message: 'A 204 has no body, and so no Content-Length (RFC 9110, 8.6).',
        },
      ]);
      left?.expect(left.status !== 200, {
        diagnosis: 'id-is-a-place',
        message: `DELETE ${target} was sent twice at once and succeeded both times, and now GET ${target} answers with another user. An id stays with its user; a place in a list moves up when one before it goes.`,
        expected: 'one 204, then 404',
        actual: all.map(({ status }) => status).join(', '),
      });
      first.expect(second === undefined, {
        diagnosis: 'deleted-twice',
        message: `DELETE ${target} was sent twice at once, and it succeeded both times. Whoever comes second finds nobody: 404. See what was there before you say that it is gone.`,
        expected: 'one 204, then 404',
        actual: all.map(({ status }) => status).join(', '),
      });
      for (const answer of all) if (answer !== first) expectError(answer, 404);
      expectError(await t.get(target), 404, [
        {
          if: (a) => a.status === 200 && idIn(a) !== user.id,
          diagnosis: 'id-is-a-place',
          message: `DELETE said 204, and now GET ${target} answers with another user. An id stays with its user; a place in a list moves up when one before it goes.`,
        },
        {
          if: (a) => a.status === 200,
          diagnosis: 'not-deleted',
          message: 'DELETE said 204, and the user is still there.',
        },
      ]);
      expectError(await t.send({ method: 'PUT', target, json: { name: 'a', email: 'b' } }), 404, [
        {
          if: (a) => a.status < 300,
          diagnosis: 'put-creates',
          message: 'PUT brought a deleted user back. It replaces who is there, and creates nobody.',
        },
      ]);
      (await t.get(`/users/${next.id}`)).expectJSON(next, [
        {
          if: () => true,
          diagnosis: 'wrong-user-deleted',
          message: `DELETE ${target} took away user ${next.id} as well, or instead. The two have the same name and email; the id in the path says who is meant, and nobody else.`,
        },
      ]);
      const still = (await listOf(t)).find(({ id }) => id === user.id);
      t.check(still === undefined, {
        diagnosis: 'not-deleted',
        message: `DELETE ${target} said 204 and GET ${target} says 404, but GET /users still lists the user.`,
        expected: `a list without user ${user.id}`,
        actual: JSON.stringify(still),
      });
      const found = await listed(t, byName);
      t.check(!found.users.some(({ id }) => id === user.id), {
        diagnosis: 'not-deleted',
        message: `DELETE ${target} said 204 and GET ${target} says 404, but GET /users?name=… still finds the user.`,
        expected: `only user ${next.id}`,
        actual: JSON.stringify(found.users).slice(0, 300),
        exchange: found.exchange,
      });
      await neverGivesAnIdTwice(t, [user, next]);
      await doesNotResurrect(t);
      await startsNoNewCount(t);
    },

    async 'Tell what it serves'(t) {
      await t.program.waitForOutput(/Server listening on/, 1000);
      const wanted = [
        'GET /',
        'GET /users',
        'POST /users',
        'GET /users/:id',
        'PUT /users/:id',
        'DELETE /users/:id',
        'GET /boom',
        'GET /boom/later',
        'GET /boom/null',
        'GET /boom/halfway',
      ];
      let { program } = t;
      const listed = (): string[] =>
        [
          // Colours are a matter of taste.
          ...stripVTControlCharacters(program.stdout).matchAll(
            /^[ \t]*(GET|POST|PUT|PATCH|DELETE)[ \t]+(\/\S*)[ \t]*\r?$/gm,
          ),
        ].map(([, method, path]) => `${method} ${path}`);
      const whole = (): Promise<boolean> =>
        t.until(() => wanted.every((line) => listed().includes(line)), 300);
      await whole();
      if (listed().join('\n') !== wanted.join('\n')) {
        // Lines that tell of requests may look the same: what a program prints before the first one counts.
        program = await t.start();
        await program.waitForOutput(/Server listening on/, 1000);
        await whole();
      }
      const lines = listed();
      const missing = wanted.filter((line) => !lines.includes(line));
      const failure = {
        expected: wanted.join('\n'),
        actual: program.stdout.slice(0, 600) || '(nothing)',
      };
      t.check(lines.length > 0, {
        diagnosis: 'routes-not-printed',
        message: program.stdout.includes('/users')
          ? 'The server printed paths, but no line that is a route: the method in capitals, white space, the path, and nothing else. A method may be missing or stand behind its path, or there is something else between the two or around them, such as quotes or commas.'
          : program.stderr.includes('/users/:id')
            ? 'The server printed its routes on stderr, where errors go. Print them where "Server listening" stands, on stdout: console.log does.'
            : 'At its start the server printed no routes. One line for each: the method, white space, the path.',
        ...failure,
      });
      t.check(missing.length === 0, {
        diagnosis: missing.every((line) => line.includes('/boom'))
          ? 'routes-by-heart'
          : 'routes-missing',
        message: missing.every((line) => line.includes('/boom'))
          ? `The list leaves out ${missing.join(', ')}, which server.ts registers. Print what router.routes says, not what you know by heart, and print it when everything is registered.`
          : `The list leaves out ${missing.join(', ')}. Print all of router.routes.`,
        ...failure,
      });
      const extra = lines.find(
        (line, index) => !wanted.includes(line) || lines.indexOf(line) < index,
      );
      t.check(extra === undefined, {
        diagnosis: 'routes-invented',
        message:
          extra !== undefined && wanted.includes(extra)
            ? `The list has "${extra}" twice. Each route has one line.`
            : `The list has "${extra}", and this API has no such route. Print what router.routes says.`,
        ...failure,
      });
    },
  },
  { keepAlive: true },
);

function expectJSONType(answer: Answer): void {
  const type = answer.header('Content-Type');
  answer.expect(/^application\/json\s*(;|$)/i.test(type ?? ''), {
    diagnosis: 'not-declared-as-json',
    message: `The ${answer.status} for ${answer.exchange.method} ${answer.exchange.target} ${answer.text === '' && answer.exchange.method !== 'HEAD' ? 'has no body, and ' : ''}does not say that its body is JSON. Every body of this API is, and so is that of every error: sendJSON says so.`,
    expected: 'Content-Type: application/json',
    actual: type === undefined ? 'no Content-Type' : `Content-Type: ${type}`,
  });
}

/** An error in JSON: an object whose error is a text. */
function expectError(answer: Answer, status: number, causes: Cause[] = []): void {
  answer.expectStatus(status, causes);
  expectJSONType(answer);
  const body = answer.json();
  const error =
    typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  answer.expect(typeof error === 'string' && error !== '', {
    diagnosis: 'error-without-text',
    message: `The body of the ${status} must be a JSON object with a string called error, which says what was wrong.`,
    expected: '{ "error": "…" }',
    actual: answer.text,
  });
  if (/\r\nOrigin: /.test(answer.exchange.sent.toString('latin1'))) expectCors(answer);
}

function expectCors(answer: Answer): void {
  const allowed = answer.header('Access-Control-Allow-Origin');
  answer.expect(allowed === '*' || allowed === origin, {
    diagnosis: 'cors-missing',
    message: `The ${answer.status} for ${answer.exchange.method} ${answer.exchange.target} has no Access-Control-Allow-Origin. A page sees no answer without it, errors included: call cors before anything else, ${/\r\nOrigin: /.test(answer.exchange.sent.toString('latin1')) ? '' : 'with an Origin in the request or without, '}and keep what it has set.`,
    expected: 'Access-Control-Allow-Origin: *',
    actual:
      allowed === undefined
        ? 'no Access-Control-Allow-Origin'
        : `Access-Control-Allow-Origin: ${allowed}`,
  });
}

/** Allow names these methods, and none of those. OPTIONS may stand there as well. */
function expectAllow(answer: Answer, wanted: string[], never: string[]): void {
  const given = (answer.header('Allow') ?? '').split(',').map((method) => method.trim());
  answer.expect(
    wanted.every((method) => given.includes(method)) &&
      !never.some((method) => given.includes(method)),
    {
      diagnosis: 'wrong-allow',
      message: `The 405 for ${answer.exchange.method} ${answer.exchange.target} must say in Allow what that path can do. Your router does; hand it the request as it is.`,
      expected: `Allow: ${wanted.join(', ')}`,
      actual:
        answer.header('Allow') === undefined ? 'no Allow' : `Allow: ${answer.header('Allow')}`,
    },
  );
}

/** A 500 that keeps the error to itself. */
function expectSilence(answer: Answer): void {
  const told =
    /cellar|attic/.test(answer.text + answer.reason + answer.rawHeaders.join()) ||
    /\.[cm]?[jt]s:\d/.test(answer.text);
  answer.expect(!told, {
    diagnosis: 'error-told',
    message:
      'The 500 tells the client what went wrong inside: a message, a file or a stack. That belongs in the log; the client gets a general text.',
    expected: 'an answer without details',
    actual: answer.text,
  });
}

/** Request targets and Host fields that make the naive parser throw. Gives back the answer where there was no URL. */
async function survivesTargets(t: Trial): Promise<Answer | undefined> {
  await t.each(['[', 'x:99999', ''], async (part, host) => {
    const answer = await part.get('/', { headers: { Host: host } });
    answer.expect(answer.status === 200 || answer.status === 400, {
      diagnosis: 'host-in-the-url',
      message:
        'A Host field that is no host changed the answer to GET /. Host is text typed by the client; the path does not depend on it.',
      expected: 'status 200 or 400',
      actual: `status ${answer.status}`,
    });
  });
  let refused: Answer | undefined;
  await t.each(['//', '//localhost/users', '*'], async (part, target) => {
    const method = target === '*' ? 'OPTIONS' : 'GET';
    const answer = await part.send({ method, target, headers: { Origin: origin } });
    if (answer.status === 400) refused = answer;
    answer.expect(answer.status === 400 || answer.status === 404, {
      diagnosis: 'odd-target-answered',
      message: `The request target ${answer.exchange.target} is no path of this API. It gets 400 or 404.`,
      expected: 'status 400 or 404',
      actual: `status ${answer.status}`,
    });
    expectError(answer, answer.status);
  });
  (await t.get('http://localhost/?x=1')).expectStatus(200, [
    {
      if: () => true,
      diagnosis: 'absolute-form-refused',
      message:
        'A request target may be a whole URL (RFC 9112, 3.2.2): GET http://localhost/ is GET /.',
    },
  ]);
  return refused;
}

/** Every answer so far was the only one: code that runs on fails where the answer is out, and is seen in the log alone. */
async function answersOnce(
  t: Trial,
  requests: { preflight: RequestOptions; missing: RequestOptions; odd: RequestOptions | undefined },
): Promise<void> {
  const error = /^.*(?:ERR_HTTP_HEADERS_SENT|Cannot read properties of (?:null|undefined)).*$/m;
  await t.settle();
  const [line] = error.exec(t.program.stderr) ?? [];
  if (line === undefined) return;
  const afterPreflight = await ranOnAfter(t, error, requests.preflight);
  const afterMissing = await ranOnAfter(t, error, requests.missing);
  const afterOdd = requests.odd && (await ranOnAfter(t, error, requests.odd));
  t.fail({
    diagnosis: 'ran-on-after-answer',
    message: afterPreflight
      ? 'The preflight was answered, but then the code ran on, and the log shows the error that came of it. When cors(req, res) gives true it has answered, and nothing is left to do: return.'
      : afterMissing
        ? 'A path that is not there was answered with 404, but then the code ran on, and the log shows the error that came of it. Each request goes to the router once, the router answers it, and nobody sets a header field after that.'
        : afterOdd
          ? 'A target that is no URL was answered with 400, but then the code ran on, and the log shows the error that came of it. You have answered there yourself, and nothing is left to do but return.'
          : 'Each answer looks right, but after one of them the code ran on, and the log shows the error that came of it. An answer does not end a function: return does.',
    expected: 'no error in the log',
    actual: brief(line, 200),
    exchange: (afterPreflight ?? afterMissing ?? afterOdd)?.exchange,
  });
}

/** The ids that each program has given so far. */
const idsOf = new WeakMap<object, Set<number>>();

/** What may be wrong with a check that refuses this user. */
function whyRefused(t: Trial, answer: Answer, given: { name: string; email: string }): string {
  const sent = parsedText(answer.exchange.sent.toString('utf8').replace(/^[^]*?\r\n\r\n/, ''));
  if (Object.keys(Object(sent)).length > 2)
    return 'Its body holds more than these two. Whatever else a body brings is ignored, and no reason to refuse it.';
  if (given.name.trim() === '')
    return 'Its name and its email are blanks. A blank is a text that is not empty, and is kept as it came.';
  if (given.name.length > 100)
    return `Its name has ${given.name.length} letters, and its email more. A text may be as long as a body.`;
  if (!given.email.includes('@'))
    return `Its email is ${JSON.stringify(given.email)}. Here every text that is not empty will do, whatever it looks like.`;
  return idsOf.has(t.program)
    ? 'Others were taken, so look at what is asked of the two texts beyond not being empty. Two users may have the same name and the same email, and both may be long.'
    : 'Is the body there when its name and email are looked at? readBodyJSON gives a promise: without await there are no fields in it.';
}

function expectCreated(t: Trial, answer: Answer, given: { name: string; email: string }): User {
  answer.expectStatus(201, [
    {
      if: (a) => a.status === 200,
      diagnosis: 'created-with-200',
      message: 'Something new was made, so the status is 201.',
    },
    {
      if: (a) => a.status === 500,
      diagnosis: 'create-failed',
      message: 'POST /users ended in a 500. The server printed why.',
    },
    {
      if: (a) => a.status >= 400 && a.status < 500,
      diagnosis: 'good-user-refused',
      message: `A user with a name and an email was refused with status ${answer.status}. ${whyRefused(t, answer, given)}`,
    },
  ]);
  expectJSONType(answer);
  const body = answer.json() as Partial<User> | null;
  const id = body?.id;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1) {
    answer.fail({
      diagnosis: 'bad-new-id',
      message: `The created user has ${id === undefined ? 'no id' : `the id ${JSON.stringify(id)}`}. An id is a number, whole and positive: the first may be 1.${
        Object.values(Object(body)).some((value) => Object.hasOwn(Object(value), 'id'))
          ? ' The user is wrapped in another object; the body of the 201 is the user itself.'
          : ''
      }`,
      expected: '{ "id": 1, "name": …, "email": … }',
      actual: answer.text,
    });
  }
  const ids = idsOf.get(t.program) ?? new Set();
  idsOf.set(t.program, ids);
  answer.expect(!ids.has(id), {
    diagnosis: 'ids-collide',
    message: `Two users got the id ${id}. Neither the clock nor chance nor the length of the list can promise a new one every time; a counter that only ever goes up can.`,
    expected: 'an id that nobody ever had',
    actual: answer.text,
  });
  ids.add(id);
  const user = { id, ...given };
  const back = Object(body) as Partial<User>;
  const shorter = (['name', 'email'] as const).find(
    (key) => given[key].length > 100 && String(back[key]).length < given[key].length,
  );
  answer.expectJSON(user, [
    {
      if: () => shorter !== undefined && back[shorter] !== undefined,
      diagnosis: 'text-cut',
      message: `The ${shorter} had ${given[shorter ?? 'name'].length} letters, and came back with ${String(back[shorter ?? 'name']).length}. Name and email are kept as they came, however long they are.`,
    },
    ...extraCauses(answer, user),
  ]);
  const location = answer.header('Location');
  const base = `http://localhost:${t.program.port}`;
  const leads =
    location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined;
  const here =
    ['localhost', '127.0.0.1'].includes(leads?.hostname ?? '') &&
    ['', String(t.program.port)].includes(leads?.port ?? '');
  answer.expect(here && leads?.pathname === `/users/${id}`, {
    diagnosis: location === undefined ? 'no-location' : 'wrong-location',
    message:
      location === undefined
        ? 'The 201 has no Location. It says where the new user can be had. Is it set, and before sendJSON? A header field that is set when the answer has gone is lost.'
        : `Location does not lead to the new user, whose path is /users/${id}${leads ? `; it leads to ${brief(here ? leads.pathname : leads.href, 80)}` : ''}.`,
    expected: `Location: /users/${id}`,
    actual: location === undefined ? 'no Location' : `Location: ${location}`,
  });
  return user;
}

async function create(
  t: Trial,
  given = { name: t.word(), email: `${t.word()}@example.net` },
): Promise<User> {
  return expectCreated(t, await t.post('/users', given), given);
}

const listOf = async (t: Trial): Promise<User[]> => (await listed(t)).users;

async function listed(
  t: Trial,
  query = '',
  fields: Record<string, string> = {},
): Promise<{ users: User[]; exchange: Exchange }> {
  const answer = await t.get(`/users${query}`, { headers: { Origin: origin, ...fields } });
  answer.expectStatus(200);
  expectJSONType(answer);
  expectCors(answer);
  const list = answer.json();
  answer.expect(Array.isArray(list), {
    diagnosis: 'list-not-an-array',
    message: 'GET /users answers with a JSON array, and not with an object that holds one.',
    expected: '[…]',
    actual: answer.text,
  });
  const items = list as unknown[];
  const odd = items.findIndex((item) => !isUserLike(item));
  if (odd >= 0) {
    answer.fail({
      diagnosis: 'list-without-users',
      message: `GET /users${query === '' ? '' : '?name=…'} answers with an array of users, each { "id", "name", "email" }, and one of its items is ${
        items[odd] === null
          ? 'null. An array has holes where delete list[n] took something away, or where list[id] = user jumped over a place; JSON makes null of them'
          : `something else: ${brief(JSON.stringify(items[odd]), 60)}`
      }.`,
      expected: '[{ "id": …, "name": …, "email": … }, …]',
      actual: brief(answer.text, 300),
    });
  }
  return { users: items as User[], exchange: answer.exchange };
}

const isUserLike = (item: unknown): boolean =>
  typeof item === 'object' && item !== null && ['id', 'name', 'email'].every((key) => key in item);

/** The user holds something that the body brought along, or lacks something. */
function extraCauses(answer: Answer, user: User): Cause[] {
  const keys = Object.keys(Object(parsed(answer)));
  const extra = keys.find((key) => !Object.hasOwn(user, key));
  const missing = Object.keys(user).filter((key) => !keys.includes(key));
  const brought = extra !== undefined && answer.exchange.sent.includes(`"${extra}"`);
  return [
    {
      if: () => missing.length > 0,
      diagnosis: 'user-not-whole',
      message: `The ${answer.status} for ${answer.exchange.method} ${answer.exchange.target} lacks ${missing.join(' and ')}. Its body is the whole user: id, name and email.`,
    },
    {
      if: () => extra !== undefined,
      diagnosis: 'body-trusted',
      message: `The user holds ${extra} besides id, name and email. ${brought ? 'Take the fields that you know by name out of the body, and nothing else.' : 'A user has these three, and nothing else.'}`,
    },
  ];
}

/** The id came from the body, or as a text. */
const idCauses = (user: User, sent: number): Cause[] => [
  {
    if: (a) => idIn(a) === sent,
    diagnosis: 'id-from-body',
    message:
      "The id in the body became the id of the user. Ids are the server's to give; what the body says about them is ignored.",
  },
  {
    if: (a) => (idIn(a) as unknown) === String(user.id),
    diagnosis: 'id-as-text',
    message:
      'The id came back as a text, with quotes around it. It is a number in the answer to POST, and stays one. What params holds is text.',
  },
];

const parsed = (answer: Answer): unknown => parsedText(answer.text);

function parsedText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const idIn = (answer: Answer): number | undefined =>
  (parsed(answer) as Partial<User> | null | undefined)?.id;

async function takesOnlyItsFields(t: Trial, taken: User): Promise<void> {
  const given = { name: t.word(), email: `${t.word()}@example.net` };
  const answer = await t.post('/users', { id: taken.id, admin: true, constructor: 1, ...given });
  if (idIn(answer) === taken.id) {
    // Whether it was the body or bad luck is seen in an id that nobody would hit upon.
    const id = t.int(1_000_000, 9_000_000);
    const again = await t.post('/users', { id, ...given });
    answer.expect(idIn(again) !== id, {
      diagnosis: 'id-from-body',
      message: `The body said "id": ${taken.id}, and the new user got it, though somebody has it already. Ids are the server's to give.`,
      expected: 'a new id',
      actual: answer.text,
    });
  }
  expectCreated(t, answer, given);

  // Refused or left out: but it may not come through.
  const poisoned = await t.post(
    '/users',
    `{"name":"${given.name}","email":"${given.email}","__proto__":{"admin":true}}`,
    { headers: { 'Content-Type': 'application/json' } },
  );
  if (poisoned.status === 201) expectCreated(t, poisoned, given);
  else expectError(poisoned, 400, acceptedBad('it has a key __proto__'));
  const bare = { name: t.word(), email: t.word() };
  const withCharset = await t.post('/users', JSON.stringify(bare), {
    headers: { 'Content-Type': 'Application/JSON; charset=utf-8' },
  });
  expectCreated(t, withCharset, bare);
}

/** What may have become of a body that is no user, for this reason. */
const acceptedBad = (fault: string): Cause[] => [
  {
    if: (a) => a.status < 300 && Object.hasOwn(Object(parsed(a)), 'error'),
    diagnosis: 'error-with-success',
    message: `This body does not make a user: ${fault}. The answer says so in its error, and its status says that all went well. An HttpError knows its status: hand that to sendJSON as well as the message.`,
  },
  {
    if: (a) => a.status < 300,
    diagnosis: 'bad-user-accepted',
    message: `This body does not make a user: ${fault}. It was accepted all the same. name and email must both be there, be strings, and not be empty.`,
  },
  {
    if: (a) => a.status === 500,
    diagnosis: 'bad-body-is-500',
    message: `This body does not make a user: ${fault}. That is the client's mistake, 400, and the answer is 500. Either the code stumbles over such a body, or it throws an HttpError whose status is not used.`,
  },
];

async function refusesBadBodies(t: Trial): Promise<void> {
  const before = (await listOf(t)).length;
  const email = 'a@b.c';
  const bad: [json: unknown, fault: string][] = [
    [{ name: 'Ann' }, 'it has no email'],
    [{ email }, 'it has no name'],
    [{ name: '', email }, 'the name is empty'],
    [{ name: 'Ann', email: '' }, 'the email is empty'],
    [{ name: 7, email }, 'the name is a number'],
    [{ name: 'Ann', email: 7 }, 'the email is a number'],
    [{ name: null, email }, 'the name is null'],
    [{ name: ['Ann'], email }, 'the name is an array'],
    [null, 'it is null'],
    [[{ name: 'Ann', email }], 'it is an array that holds one'],
    ['Ann', 'it is a string'],
  ];
  const headers = { Origin: origin };
  await t.each(bad, async (part, [json, fault]) => {
    const answer = await part.send({ method: 'POST', target: '/users', json, headers });
    expectError(answer, 400, acceptedBad(fault));
  });

  const type = { 'Content-Type': 'application/json' };
  const good = JSON.stringify({ name: 'Ann', email });
  const undeclared: Cause[] = [
    {
      if: (a) => a.status === 201,
      diagnosis: 'any-type-accepted',
      message:
        'A body that is not declared as JSON was accepted. Every page on the web may send you text/plain without asking.',
    },
    {
      if: (a) => a.status === 400,
      diagnosis: 'wrong-status',
      message:
        'The body is not declared as JSON, and that has a status of its own, 415. The error of readBodyJSON carries it.',
    },
  ];
  const refused: [body: string, headers: Record<string, string>, status: number, Cause[]][] = [
    [good.slice(0, -1), type, 400, acceptedBad('its last brace is missing, so it is not JSON')],
    ['', type, 400, acceptedBad('it is empty')],
    [good, { 'Content-Type': 'text/plain' }, 415, undeclared],
    [good, { 'Content-Type': 'application/jsonx' }, 415, undeclared],
    [good, {}, 415, undeclared],
  ];
  const texts = new Map<number, string>();
  await t.each(refused, async (part, [body, type, status, causes]) => {
    const answer = await part.post('/users', body, { headers: { ...type, ...headers } });
    expectError(answer, status, causes);
    texts.set(status, answer.text);
  });
  const tooLong = await refusesLongBodies(t);
  tooLong.expect(tooLong.text !== texts.get(415), {
    diagnosis: 'message-lost',
    message:
      'The 413 and the 415 have the same text, although the HttpErrors of readBodyJSON say different things. The message of an HttpError is the error of the answer.',
    expected: 'two different texts',
    actual: tooLong.text,
  });

  await hangsUp(t, 'POST', '/users');
  // On a connection of its own, for the store is one for all connections.
  const { users: after } = await listed(t, '', { Connection: 'close' });
  const stored = after.find(({ name }) => name === halfUser.name);
  t.check(stored === undefined, {
    ...halfStored,
    expected: `no user called ${halfUser.name}`,
    actual: JSON.stringify(stored),
  });
  t.check(after.length >= before, {
    diagnosis: 'user-lost',
    message: `GET /users listed ${before} users, then some bodies were refused, and now it lists ${after.length}, though nobody was deleted. The store is one for all requests and all connections.`,
    expected: `${before} users`,
    actual: `${after.length} users`,
  });
  t.check(after.length === before, {
    diagnosis: 'refused-but-stored',
    message: `Every one of these bodies was refused, and GET /users lists ${after.length - before} more users than before. Check first, store last.`,
    expected: `${before} users`,
    actual: `${after.length} users`,
  });
}

/** One byte too many, and all of it sent, so that nothing is in the way of the answer. */
async function refusesLongBodies(t: Trial): Promise<Answer> {
  const connection = t.connect();
  const frame = JSON.stringify({ name: '', email: 'a@b.c' }).length;
  const body = JSON.stringify({ name: 'x'.repeat(bodyLimit + 1 - frame), email: 'a@b.c' });
  const hungUp = {
    diagnosis: 'hung-up-on-413',
    message:
      'The body was too long, and the connection was cut before the answer could be read. Answer 413 first.',
  };
  await connection.write(
    `POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await connection.write(body);
  const answer = await connection.answer({
    method: 'POST',
    target: '/users',
    causes: { 'connection-closed': hungUp, 'connection-reset': hungUp },
  });
  expectError(answer, 413, [
    {
      if: (a) => a.status === 201,
      diagnosis: 'long-body-accepted',
      message: `A body of ${body.length} bytes was accepted. readBodyJSON takes ${bodyLimit} at most.`,
    },
    {
      if: (a) => a.status === 400 || a.status === 500,
      diagnosis: 'long-body-misnamed',
      message:
        'The body was too long, and that has a status of its own: 413. The error of readBodyJSON carries it.',
    },
  ]);
  return answer;
}

async function findsByName(t: Trial, user: User): Promise<void> {
  // Whoever has the same name and email is another user all the same.
  const twin = await create(t, { name: user.name, email: user.email });
  // What is in a name stays as it came: capitals, blanks, and what means something elsewhere.
  const odd = ` Mc${t.word()} <b>&amp; "100%41" (1+1?) `;
  const alone = await create(t, { name: odd, email: `Mc${t.word()}@Example.NET` });
  const blank = await create(t, { name: ' ', email: ' ' });
  const query = `?name=${encodeURIComponent(user.name).replaceAll('%20', '+')}`;
  const [all, named, single, part, small, mail, empty] = await Promise.all([
    listed(t),
    listed(t, query),
    listed(t, `?name=${encodeURIComponent(odd)}&x=1`),
    listed(t, `?name=${encodeURIComponent(user.name.slice(0, -1))}`),
    listed(t, `?name=${encodeURIComponent(odd.toLowerCase())}`),
    listed(t, `?name=${encodeURIComponent(user.email)}`),
    listed(t, '?x=1&name='),
  ]);
  const stored = all.users.map(({ id }) => id).filter((id) => id === user.id || id === twin.id);
  t.check(stored.length === 2 && stored[0] !== stored[1], {
    diagnosis: 'user-lost',
    message: `Users ${user.id} and ${twin.id} were created, one after the other, and GET /users does not list each of them once. Does each POST make an object of its own, and does it stay?`,
    expected: JSON.stringify([user, twin]),
    actual: JSON.stringify(all.users).slice(0, 400),
    exchange: all.exchange,
  });
  const ids = named.users.map(({ id }) => id);
  const wanted = [user.id, twin.id];
  const everybody = named.users.length === all.users.length;
  t.check(ids.join() === wanted.join(), {
    diagnosis: everybody ? 'query-ignored' : 'query-misread',
    message: everybody
      ? "GET /users?name=… lists everybody. The query is in the third argument of the handler: query.get('name')."
      : `Users ${wanted.join(' and ')} have exactly this name, in this order of creation. GET /users?name=… lists ${
          ids.length === 2 && wanted.every((id) => ids.includes(id))
            ? 'them in another order'
            : ids.length === 1
              ? 'only one of them'
              : ids.length === 0
                ? 'nobody: in a query, + stands for a space and %E2%82%AC for a letter of three bytes, which query.get has decoded already'
                : 'others'
        }.`,
    expected: JSON.stringify([user, twin]),
    actual: JSON.stringify(named.users).slice(0, 400),
    exchange: named.exchange,
  });
  const forgetful = single.users.length === all.users.length;
  t.check(single.users.map(({ id }) => id).join() === `${alone.id}`, {
    diagnosis: forgetful ? 'query-ignored' : 'query-misread',
    message: forgetful
      ? 'GET /users?name=…&x=1 lists everybody, and with ?name=… alone it did not. Whatever else stands in a query, its name is asked for.'
      : 'One user has exactly this name, and GET /users?name=…&x=1 does not list this one alone. query.get has decoded the name already, without what stands behind it, and it is no pattern: compare it with === with the name as it came in the body.',
    expected: JSON.stringify([alone]),
    actual: JSON.stringify(single.users).slice(0, 400),
    exchange: single.exchange,
  });
  for (const [found, what] of [
    [part, 'only the beginning of a name'],
    [small, 'the same name in other capitals'],
    [mail, 'an email, and no name'],
  ] as const) {
    t.check(found.users.length === 0, {
      diagnosis: 'query-misread',
      message: `GET /users?name=… was asked for ${what}, and it lists somebody. Only whose name is exactly this is listed.`,
      expected: '[]',
      actual: JSON.stringify(found.users).slice(0, 400),
      exchange: found.exchange,
    });
  }
  t.check(empty.users.length === 0, {
    diagnosis: 'empty-query-is-none',
    message:
      "name= in the query asks for users with an empty name, and there are none. An absent parameter is null, an empty one is ''; both are false to an if.",
    expected: '[]',
    actual: JSON.stringify(empty.users).slice(0, 400),
    exchange: empty.exchange,
  });
  const created = [user, twin, alone, blank].map(({ id }) => id);
  const order = all.users.map(({ id }) => id).filter((id) => created.includes(id));
  t.check(order.join() === created.join(), {
    diagnosis: 'list-out-of-order',
    message: `Users ${created.join(', ')} were created in this order, and GET /users does not list them so. The list is in the order of creation, whatever their names are.`,
    expected: `[${created.join(', ')}]`,
    actual: `[${order.join(', ')}]`,
    exchange: all.exchange,
  });
  const inborn = await t.get('/users?name=constructor');
  inborn.expect(inborn.status === 200 && inborn.text.trim() === '[]', {
    diagnosis: 'query-misread',
    message:
      'Nobody is called constructor, and GET /users?name=constructor did not answer with an empty array. Every plain object has something under this name from birth; a Map has only what was put into it.',
    expected: 'status 200, []',
    actual: brief(`status ${inborn.status}, ${inborn.text}`, 200),
  });
}

/**
 * Sends a request and only the first bytes of its body, and waits until the server has begun with it. Its 100 Continue
 * says so (RFC 9110, 10.1.1); where none comes, time will do.
 */
async function begin(
  t: Trial,
  method: string,
  target: string,
  body: string,
  bytes: number,
): Promise<ReturnType<Trial['connect']>> {
  const connection = t.connect();
  const fields = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue`;
  await connection.write(
    `${method} ${target} HTTP/1.1\r\n${fields}\r\n\r\n${body.slice(0, bytes)}`,
  );
  await connection.until((received) => received.includes('100 Continue'), 500);
  return connection;
}

async function keepsIdsApart(t: Trial, earlier: User): Promise<void> {
  // The body of the first comes in two pieces, and a second user is created in between.
  const given = { name: t.word(), email: t.word() };
  const body = JSON.stringify(given);
  const slow = await begin(t, 'POST', '/users', body, 5);
  const quick = await create(t);
  await slow.write(body.slice(5));
  const late = await slow.answer({ method: 'POST', target: '/users' });
  const collides: Cause = {
    if: (a) => idIn(a) === quick.id,
    diagnosis: 'ids-collide',
    message: `Two users have the id ${quick.id}: the second was created while the body of the first was still on its way. Give the id when the body has come, and nothing is awaited any more.`,
  };
  if (collides.if(late)) {
    const meant = (await clockGivesIds(t))
      ? 'The ids seem to come from a clock, and both were given in the same instant. A counter that only ever goes up gives a new one every time.'
      : undefined;
    late.fail({
      ...collides,
      ...(meant !== undefined && { message: `Two users have the id ${quick.id}. ${meant}` }),
      expected: 'two different ids',
      actual: late.text,
    });
  }
  const lateUser = expectCreated(t, late, given);
  const kept = await listOf(t);
  const forgotten = [quick, lateUser].find(({ id }) => !kept.some((user) => user.id === id));
  t.check(forgotten === undefined, {
    diagnosis: 'user-lost',
    message:
      'A user was created while the body of another was still on its way, and afterwards GET /users does not list one of the two. Either the store was read, then awaited, and written back as it no longer was; or the list leaves users out.',
    expected: JSON.stringify(forgotten),
    actual: JSON.stringify(kept).slice(-300),
  });

  const places = kept.map(({ id }) => id).filter((id) => id === earlier.id || id === quick.id);
  t.check(places.join() === `${earlier.id},${quick.id}`, {
    diagnosis: 'list-out-of-order',
    message: `User ${quick.id} was created after user ${earlier.id}, and GET /users does not list them so. The list is in the order of creation.`,
    expected: `[${earlier.id}, ${quick.id}]`,
    actual: `[${places.join(', ')}]`,
  });

  // A bad body whose id was taken back would give away the id of the one that came after it.
  const bad = '{"name":""}';
  const refused = await begin(t, 'POST', '/users', bad, 5);
  const between = await create(t);
  await refused.write(bad.slice(5));
  await refused.answer({ method: 'POST', target: '/users' });
  const fields = { name: t.word(), email: t.word() };
  const next = await t.post('/users', fields);
  next.expect(idIn(next) !== between.id, {
    diagnosis: 'ids-collide',
    message: `Two users have the id ${between.id}: the first was created while a bad body was on its way, the second after that had been refused. A refusal must not turn the counter back; numbers may stay unused.`,
    expected: 'two different ids',
    actual: next.text,
  });
  expectCreated(t, next, fields);

  const many = Array.from({ length: 20 }, () => ({ name: t.word(), email: t.word() }));
  const [long] = many;
  if (long) Object.assign(long, { name: long.name.repeat(50), email: long.email.repeat(60) });
  const users: User[] = [];
  const waiting = [...many];
  const createSome = async (): Promise<void> => {
    for (let fields = waiting.shift(); fields; fields = waiting.shift())
      users.push(expectCreated(t, await t.post('/users', fields), fields));
  };
  // As many at a time as there are open connections: a new one costs more than a request.
  await Promise.all(Array.from({ length: 8 }, createSome));
  const list = await listOf(t);
  const lost = [...kept, ...users].find(({ id }) => !list.some((user) => user.id === id));
  t.check(lost === undefined, {
    diagnosis: 'user-lost',
    message: `${many.length} users were created, several at a time, and one of them, or of those before them, is not in the list. Either the store was read, then awaited, and written back as it no longer was; or the list leaves users out.`,
    expected: brief(JSON.stringify(lost ?? null), 300),
    actual: JSON.stringify(list).slice(-300),
  });
  const placeOf = (user: User): number => list.findIndex(({ id }) => id === user.id);
  const tooEarly = users.find((user) => placeOf(user) < placeOf(quick));
  t.check(tooEarly === undefined, {
    diagnosis: 'list-out-of-order',
    message: `User ${tooEarly?.id} was created after user ${quick.id}, and GET /users lists ${tooEarly?.id} before ${quick.id}. The list is in the order of creation. (Sorted as texts, 10 stands before 9.)`,
    expected: `user ${quick.id}, and behind it user ${tooEarly?.id}`,
    actual: list.map(({ id }) => id).join(', '),
  });
}

/** Whether the ids differ where a moment goes by between two users; only then is the clock at fault. */
async function clockGivesIds(t: Trial): Promise<boolean> {
  const body = JSON.stringify({ name: t.word(), email: t.word() });
  const slow = await begin(t, 'POST', '/users', body, 5);
  const quick = await t.post('/users', { name: t.word(), email: t.word() });
  await t.until(() => false, 20);
  await slow.write(body.slice(5));
  const late = await slow.attempt({ method: 'POST', target: '/users' });
  return late.outcome === 'answered' && idIn(new Answer(late)) !== idIn(quick);
}

const absentCauses: Cause[] = [
  {
    if: (a) => a.status === 200,
    diagnosis: 'absent-found',
    message:
      'Nobody has this id, and the answer is 200. Look whether the store has a user before you send one.',
  },
  {
    if: (a) => a.status === 400,
    diagnosis: 'absent-is-400',
    message: 'The id is well written, only nobody has it: 404. 400 is for what is no id at all.',
  },
  {
    if: (a) => a.status === 500,
    diagnosis: 'absent-is-500',
    message: 'Nobody has this id, and that ended in a 500. It is no accident but an answer: 404.',
  },
];

/** What is no whole positive number in plain digits, though half of it may be, gets 400 and touches nobody. */
async function refusesOddIds(
  t: Trial,
  method: 'GET' | 'PUT' | 'DELETE',
  user: User,
): Promise<void> {
  const { id } = user;
  const half = [`${id}abc`, `${id}.9`, `${id}%20x`];
  const other = [
    `0${id}`,
    `0x${id.toString(16)}`,
    `${id}.0`,
    `+${id}`,
    `%20${id}`,
    `${id}%20`,
    `${id}%0A`,
  ];
  const none = ['0', `-${id}`, 'abc', 'Infinity', '1e+21', 'constructor', '%D9%A1', '%zz'];
  const json = { name: 'a', email: 'b' };
  // The methods share one notion of an id: GET shows it whole, and one text of each kind tells whether the others have it.
  const texts = [half, other, none].flatMap((list) => (method === 'GET' ? list : list.slice(0, 1)));
  const check = async (part: Trial, text: string): Promise<void> => {
    const answer = await part.send({
      method,
      target: `/users/${text}`,
      headers: { Origin: origin },
      ...(method === 'PUT' && { json }),
    });
    const done = (a: Answer): boolean => a.status < 300;
    expectError(answer, 400, [
      {
        if: (a) => done(a) && half.includes(text),
        diagnosis: 'half-a-number',
        message: `The id ${text} was taken for ${id}. Only its beginning was looked at: parseInt drops what it cannot read, and so does a pattern that says nothing of the end. Look at the whole text.`,
      },
      {
        if: (a) => done(a) && other.includes(text),
        diagnosis: 'other-spelling',
        message: `The id ${text} was taken for ${id}. Number knows many spellings of a number; an id has one: digits, and no zero in front.${text.includes('%0A') ? ' %0A is the end of a line, where a pattern with the flag m ends as well.' : ''}`,
      },
      {
        if: done,
        diagnosis: 'no-number-accepted',
        message: `${text} is no whole positive number, and it was accepted as an id.${['constructor', '__proto__'].includes(text) ? ' Every plain object has something under this name: look at the text before you look anybody up.' : ''}`,
      },
      {
        if: (a) => a.status === 404,
        diagnosis: 'bad-id-is-404',
        message: `${text} is no id at all: 400, the client's mistake. 404 is for an id that nobody has.`,
      },
      {
        if: (a) => a.status === 500,
        diagnosis: 'bad-id-is-500',
        message: `The id ${text} ended in a 500. It is the client's mistake: 400.`,
      },
    ]);
  };
  // What was deleted by mistake can't be deleted again.
  if (method === 'DELETE') for (const text of texts) await check(t, text);
  else await t.each(texts, check);
  if (method === 'GET') return;
  (await t.get(`/users/${id}`)).expectJSON(user, [
    {
      if: () => true,
      diagnosis: 'bad-id-took-effect',
      message: `A ${method} with something that is no id was refused, and it touched user ${id} all the same.`,
    },
  ]);
}

const halfUser = { name: 'half', email: 'half' };
const halfStored = {
  diagnosis: 'half-a-body-stored',
  message: 'A client left before the whole body had come, and what had come was stored.',
};

/** Sends a body without its last byte, and hangs up. What has come of it would be a user. */
async function hangsUp(t: Trial, method: string, target: string): Promise<void> {
  const body = JSON.stringify(halfUser);
  const leaving = await begin(t, method, target, `${body} `, body.length);
  leaving.reset();
  await t.settle();
}

async function neverGivesAnIdTwice(t: Trial, earlier: User[]): Promise<void> {
  const given = new Set(earlier.map(({ id }) => id));
  for (let round = 1; round <= 2; round++) {
    const answer = await t.post('/users', { name: t.word(), email: t.word() });
    const id = idIn(answer);
    if (id !== undefined && given.has(id)) {
      answer.fail({
        diagnosis: 'id-given-twice',
        message: `The id ${id} was given a second time, after a user was deleted. The length of the list and its highest id go down with a DELETE; a counter of what was ever created must not.`,
        expected: 'an id that nobody ever had',
        actual: answer.text,
      });
    }
    answer.expectStatus(201);
    if (id !== undefined) given.add(id);
    if (round < 2) (await t.send({ method: 'DELETE', target: `/users/${id}` })).expectStatus(204);
  }
}

/** A user who is deleted while a PUT's body is on its way stays deleted. */
async function doesNotResurrect(t: Trial): Promise<void> {
  const user = await create(t);
  const target = `/users/${user.id}`;
  const body = JSON.stringify({ name: t.word(), email: t.word() });
  const slow = await begin(t, 'PUT', target, body, 5);
  (await t.send({ method: 'DELETE', target })).expectStatus(204);
  await slow.write(body.slice(5));
  const late = await slow.answer({ method: 'PUT', target });
  const message =
    'A user was deleted while the body of a PUT was on its way, and the PUT brought the user back. What was true before an await may be false after it: look the user up when the body has come.';
  expectError(late, 404, [
    { if: (a) => a.status < 300, diagnosis: 'deleted-user-came-back', message },
  ]);
  expectError(await t.get(target), 404, [
    { if: (a) => a.status === 200, diagnosis: 'deleted-user-came-back', message },
  ]);
}

/** Where nobody is left, counting goes on all the same. */
async function startsNoNewCount(t: Trial): Promise<void> {
  const given = idsOf.get(t.program) ?? new Set();
  const targets = (await listOf(t)).map(({ id }) => `/users/${id}`);
  const deletes = t.connect();
  await deletes.write(
    targets.map((target) => `DELETE ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''),
  );
  for (const target of targets) {
    const { outcome } = await deletes.attempt({ method: 'DELETE', target });
    if (outcome !== 'answered') break; // A server may close a connection when it likes.
  }
  const answer = await t.post('/users', { name: t.word(), email: t.word() });
  answer.expectStatus(201);
  answer.expect(!given.has(idIn(answer) ?? 0), {
    diagnosis: 'id-given-twice',
    message: `All users were deleted, and the next one got the id ${idIn(answer)}, which somebody had before. Nobody gets an id twice, even where nobody is left.`,
    expected: 'an id that nobody ever had',
    actual: answer.text,
  });
}
