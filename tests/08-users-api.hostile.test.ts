/**
 * The users API under 64 connections of hostile and ordinary traffic mixed: every ordinary request gets its right answer.
 * HOSTILE_MS says for how long, in ms; WORKBOOK_TARGET which folder's program, `solutions` unless it is set.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../scripts/kernel/course.ts';
import { random, type Random } from '../scripts/kernel/random.ts';
import { startListening } from '../scripts/kernel/starting.ts';

const durationMs = Number(process.env['HOSTILE_MS'] ?? 2000);
const seed = process.env['HOSTILE_SEED'] ?? String(Date.now());
const hostileClients = 48;
const ordinaryClients = 16;
/** No answer to an ordinary request may take longer, in ms, however busy the machine is. */
const patienceMs = 10_000;

interface User {
  id: number;
  name: string;
  email: string;
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

test(
  `serves everybody among hostile clients for ${durationMs} ms (seed ${seed})`,
  { timeout: durationMs + 60_000 },
  async (context) => {
    const dir = join(projectRoot, process.env['WORKBOOK_TARGET'] ?? 'solutions');
    const file = join(dir, '08-users-api', 'server.ts');
    const program = await startListening({ file, cwd: projectRoot, trusted: false }, dir);
    context.after(() => program.stop());
    const traffic = new Traffic(program.port, durationMs);
    await Promise.all([
      ...Array.from({ length: hostileClients }, (_, n) =>
        traffic.disturb(random(`${seed}/hostile/${n}`)),
      ),
      ...Array.from({ length: ordinaryClients }, (_, n) =>
        traffic.behave(random(`${seed}/ordinary/${n}`)),
      ),
    ]);
    assert.equal(program.exit, null, `the program died: ${program.stderr.slice(-2000)}`);
    assert.ok(traffic.answered > 0 && traffic.disturbances > 0, 'there was no traffic');

    const agent = new Agent();
    const left = (await ask(agent, program.port, 'GET', '/users')).body as User[];
    agent.destroy();
    assert.deepEqual(
      [...new Set(left.map(({ name }) => name))].filter((name) => name !== 'slow'),
      [],
      'a body that never came whole was stored',
    );
    assert.equal(new Set(left.map(({ id }) => id)).size, left.length, 'two users have one id');
    assert.ok(
      (program.memory() ?? 0) < 256 * 1024 * 1024,
      `the program holds ${program.memory()} bytes`,
    );
    assert.doesNotMatch(
      program.stderr,
      /ERR_HTTP_HEADERS_SENT|ERR_STREAM_WRITE_AFTER_END|UnhandledPromiseRejection/,
    );
    console.log(
      `${traffic.answered} ordinary requests answered right among ${traffic.disturbances} hostile connections`,
    );
  },
);

class Traffic {
  answered = 0;
  disturbances = 0;
  readonly #port: number;
  readonly #end: number;
  readonly #ids = new Set<number>();

  constructor(port: number, durationMs: number) {
    this.#port = port;
    this.#end = performance.now() + durationMs;
  }

  get #over(): boolean {
    return performance.now() > this.#end;
  }

  /** An ordinary client: the life of a user on one kept-alive connection, over and over, every answer compared. */
  async behave(chance: Random): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const expect = async (
      method: string,
      path: string,
      status: number,
      wanted?: unknown,
      body?: unknown,
    ): Promise<Reply> => {
      const reply = await ask(agent, this.#port, method, path, body);
      const told = `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`;
      assert.equal(reply.status, status, told);
      assert.equal(reply.headers['access-control-allow-origin'], '*', told);
      if (wanted !== undefined) assert.deepEqual(reply.body, wanted, told);
      else if (status >= 400)
        assert.equal(typeof (reply.body as { error?: unknown }).error, 'string', told);
      this.answered += 1;
      return reply;
    };
    try {
      while (!this.#over) {
        const fields = {
          name: `Zoë ${chance.word()} ${chance.int(0, 1e9)}`,
          email: `${chance.word()}@example.net`,
        };
        const created = await expect('POST', '/users', 201, undefined, { ...fields, admin: true });
        const { id } = created.body as User;
        assert.ok(!this.#ids.has(id), `the id ${id} was given twice`);
        this.#ids.add(id);
        const user = { id, ...fields };
        const path = `/users/${id}`;
        assert.deepEqual(created.body, user);
        assert.equal(created.headers.location, path);
        await expect('GET', path, 200, user);
        await expect('GET', `/users?name=${encodeURIComponent(fields.name)}`, 200, [user]);
        const changed = { id, name: 'x'.repeat(chance.int(1, 2000)), email: chance.word() };
        await expect('PUT', path, 200, changed, changed);
        await expect('PUT', path, 400, undefined, { name: 'only' });
        await expect('GET', path, 200, changed);
        await expect('GET', `${path}abc`, 400);
        await expect('PATCH', '/users', 405);
        await expect('GET', '/boom/later', 500);
        await expect('GET', '/', 200, { message: 'Users API', version: '1.0.0' });
        await expect('DELETE', path, 204);
        await expect('DELETE', path, 404);
        await sleep(chance.int(0, 5));
      }
    } finally {
      agent.destroy();
    }
  }

  /** A hostile client: one bad connection after the other. What it gets for an answer is nobody's business. */
  async disturb(chance: Random): Promise<void> {
    while (!this.#over) {
      const socket = connect({ port: this.#port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.resume();
      socket.setTimeout(patienceMs, () => socket.destroy());
      await chance.pick(attacks)(socket, chance);
      if (chance.int(0, 1)) socket.resetAndDestroy();
      else socket.destroy();
      this.disturbances += 1;
      await sleep(chance.int(0, 10));
    }
  }
}

type Attack = (socket: Socket, chance: Random) => Promise<unknown>;

const post = (length: number | string): string =>
  `POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const get = (target: string, more = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

const send = (socket: Socket, bytes: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', resolve);
    socket.write(bytes, () => {
      socket.off('close', resolve);
      resolve();
    });
  });

const attacks: Attack[] = [
  // Bytes that mean nothing, and HTTP that means nothing.
  (socket, chance) => send(socket, randomBytes(chance.int(1, 5000))),
  (socket, chance) =>
    send(
      socket,
      chance.pick([
        'GET\r\n\r\n',
        '\r\n\r\n\r\n',
        'GET / HTTP/9.9\r\n\r\n',
        'get / http/1.1\r\n\r\n',
        ' GET / HTTP/1.1\r\n\r\n',
      ]),
    ),
  (socket) => send(socket, get('/', `X-Long: ${'x'.repeat(40_000)}\r\n`)),
  (socket) => send(socket, get('/', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')),
  (socket) => send(socket, post('-1')),
  // Targets and Host fields that make a naive parser throw.
  (socket, chance) =>
    send(
      socket,
      get(
        chance.pick([
          '//',
          '/users/%zz',
          '/%',
          '/users/__proto__',
          'http://[/',
          '/users/../../..',
          `/${'a/'.repeat(5000)}`,
        ]),
      ),
    ),
  (socket, chance) =>
    send(
      socket,
      `GET / HTTP/1.1\r\nHost: ${chance.pick(['[', 'a b', 'x:99999', '', '%'])}\r\n\r\n`,
    ),
  (socket) => send(socket, 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  (socket) => send(socket, get('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')),
  // Leaving in the middle: of the header section, of a body, of the answer.
  (socket) => send(socket, 'POST /users HTTP/1.1\r\nHost: loc'),
  (socket) => send(socket, `${post(500)}{"name":"half","email":"half"}`),
  (socket) =>
    send(
      socket,
      `PUT /users/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"name":"half",`,
    ),
  (socket) => send(socket, get('/users').repeat(20)),
  async (socket) => {
    await send(socket, get('/boom/halfway'));
    await sleep(5);
  },
  // Bodies that are too long, malformed, or poisoned.
  async (socket, chance) => {
    await send(socket, post(10_000_000));
    for (let n = 0; n < chance.int(1, 20); n++) await send(socket, 'x'.repeat(16_000));
  },
  async (socket) => {
    await send(
      socket,
      'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (let n = 0; n < 10; n++) await send(socket, `2000\r\n${'y'.repeat(0x2000)}\r\n`);
    await sleep(5);
  },
  (socket) =>
    send(
      socket,
      'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n',
    ),
  (socket, chance) => {
    const body = chance.pick([
      '{bad',
      'null',
      '[]',
      '{"__proto__":{"name":"half","email":"half"}}',
      '['.repeat(20_000),
      '{"name":1,"email":2}',
      '\ufeff{}',
      '""',
    ]);
    return send(socket, post(Buffer.byteLength(body)) + body);
  },
  // A body that comes drop by drop, and at last is whole.
  async (socket) => {
    const body = '{"name":"slow","email":"slow"}';
    await send(socket, post(body.length));
    for (let at = 0; at < body.length; at += 5) {
      await send(socket, body.slice(at, at + 5));
      await sleep(20);
    }
  },
  // Nothing at all, for a while.
  (_socket, chance) => sleep(chance.int(0, 100)),
];

function ask(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  body?: unknown,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      Origin: 'http://page.example',
      ...(text !== undefined && {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      }),
    };
    const req = request({ agent, port, host: '127.0.0.1', method, path, headers }, (res) => {
      const pieces: Buffer[] = [];
      res.on('data', (piece: Buffer) => pieces.push(piece));
      res.on('error', reject);
      res.on('end', () => {
        const whole = Buffer.concat(pieces).toString('utf8');
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: whole === '' ? undefined : JSON.parse(whole),
        });
      });
    });
    req.setTimeout(patienceMs, () =>
      req.destroy(new Error(`${method} ${path} got no answer within ${patienceMs} ms`)),
    );
    req.on('error', (error) =>
      reject(new Error(`${method} ${path}: ${error.message}`, { cause: error })),
    );
    req.end(text);
  });
}
