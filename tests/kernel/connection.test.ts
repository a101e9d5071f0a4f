import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import { Connection } from '../../scripts/kernel/connection.ts';

const servers: net.Server[] = [];
after(() => servers.forEach((server) => server.close()));

/** A server that does as it is told with each connection; gives its port. */
async function serving(handle: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    handle(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  return address.port;
}

const request = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

async function exchangeWith(handle: (socket: net.Socket) => void, limit = 100) {
  const connection = new Connection(await serving(handle));
  await connection.write(request);
  const exchange = await connection.attempt({ limit });
  connection.destroy();
  return exchange;
}

test('an answer that comes byte by byte is read whole', async () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc';
  const exchange = await exchangeWith((socket) => {
    let at = 0;
    const next = (): void => {
      if (at < text.length) socket.write(text[at++] ?? '', () => setImmediate(next));
    };
    next();
  });
  assert.equal(exchange.outcome, 'answered');
  assert.equal(exchange.message?.body.toString(), 'abc');
  assert.equal(exchange.method, 'GET');
  assert.equal(exchange.target, '/x');
});

test('silence is no answer', async () => {
  const exchange = await exchangeWith((socket) => socket.resume());
  assert.equal(exchange.outcome, 'no-answer');
  assert.equal(exchange.closed, 'open');
});

test('a half response is never ended', async () => {
  const exchange = await exchangeWith((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
  );
  assert.equal(exchange.outcome, 'response-never-ended');
  assert.match(exchange.note ?? '', /6 of the 9 bytes/);
});

test('a response without end is endless', async () => {
  const exchange = await exchangeWith((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = (): void => {
      if (!socket.destroyed) socket.write('3\r\nabc\r\n', () => setImmediate(more));
    };
    more();
  });
  assert.equal(exchange.outcome, 'response-endless');
});

test('a close without a word is a closed connection', async () => {
  assert.equal(
    (await exchangeWith((socket) => socket.once('data', () => socket.end()))).outcome,
    'connection-closed',
  );
});

test('a reset is told from a close', async () => {
  assert.equal(
    (await exchangeWith((socket) => socket.once('data', () => socket.resetAndDestroy()))).outcome,
    'connection-reset',
  );
});

test('nobody there is refused', async () => {
  const port = await serving(() => {});
  await new Promise((resolve) => servers.pop()?.close(resolve));
  const connection = new Connection(port);
  await connection.write(request);
  assert.equal((await connection.attempt({ limit: 500 })).outcome, 'refused');
});

test('two responses on one connection come one after the other', async () => {
  const port = await serving((socket) =>
    socket.on('data', () =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nb',
      ),
    ),
  );
  const connection = new Connection(port);
  await connection.write(request);
  const first = await connection.attempt();
  const second = await connection.attempt();
  connection.destroy();
  assert.deepEqual([first.message?.status, second.message?.status], [200, 201]);
  assert.equal(second.message?.body.toString(), 'b');
});

const starvedForGood = { sample() {}, starved: () => true };

test('a program that is starved gets more time', async () => {
  const port = await serving((socket) =>
    socket.once('data', () =>
      setTimeout(() => socket.write('HTTP/1.1 204 No Content\r\n\r\n'), 150),
    ),
  );
  const connection = new Connection(port, starvedForGood);
  await connection.write(request);
  const exchange = await connection.attempt({ limit: 60 });
  connection.destroy();
  assert.equal(exchange.outcome, 'answered');
});

test('even a starved program gets only so much', async () => {
  const port = await serving((socket) => socket.resume());
  const connection = new Connection(port, starvedForGood);
  await connection.write(request);
  const exchange = await connection.attempt({ limit: 20 });
  connection.destroy();
  assert.equal(exchange.outcome, 'no-answer');
  assert.ok(exchange.times.over < 1500);
});

test('bytes are skipped without being kept', async () => {
  const port = await serving((socket) =>
    socket.once('data', () => socket.end(Buffer.alloc(3_000_000, 'x'))),
  );
  const connection = new Connection(port);
  await connection.write(request);
  assert.equal(await connection.skip(2_999_990), 2_999_990);
  assert.ok(await connection.until((received) => received.length === 10));
  connection.destroy();
});
