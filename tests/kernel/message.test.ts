import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessage } from '../../scripts/kernel/message.ts';

const read = (text: string | Buffer, { method = 'GET', ended = false } = {}) =>
  readMessage(Buffer.from(text), { method, ended });

function whole(text: string | Buffer, options?: { method?: string; ended?: boolean }) {
  const reading = read(text, options);
  assert.equal(reading.state, 'done', JSON.stringify(reading));
  assert.ok(reading.state === 'done');
  return reading;
}

test('a body of a stated length ends where it says', () => {
  const { message, rest } = whole('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1');
  assert.equal(message.status, 200);
  assert.equal(message.framing, 'content-length');
  assert.equal(message.body.toString(), 'ok');
  assert.equal(rest.toString(), 'HTTP/1.1');
});

test('a stated length that was not reached is told in bytes', () => {
  const reading = read('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
  assert.ok(reading.state === 'body');
  assert.match(reading.missing, /^7 of the 10 bytes/);
});

test('chunks are joined, extensions and trailers passed over', () => {
  const { message } = whole(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n',
  );
  assert.equal(message.framing, 'chunked');
  assert.equal(message.body.toString(), 'abcde');
});

test('a chunked body without its last chunk is unfinished', () => {
  const reading = read('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  assert.ok(reading.state === 'body');
  assert.equal(reading.message.body.toString(), 'abc');
});

test('every cut of a chunked response is unfinished, none is an error', () => {
  const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n';
  for (let cut = 0; cut < text.length; cut++) {
    assert.match(read(text.slice(0, cut)).state, /^(head|body)$/, `cut at ${cut}`);
  }
  assert.equal(whole(text).message.body.toString(), '0123456789');
});

test('without a length the connection ends the body', () => {
  const text = 'HTTP/1.0 200 OK\r\n\r\nto the end';
  assert.equal(read(text).state, 'body');
  const { message } = whole(text, { ended: true });
  assert.equal(message.framing, 'close');
  assert.equal(message.body.toString(), 'to the end');
});

for (const [what, head, method] of [
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD'],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET'],
  ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 'GET'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'GET'],
] as const) {
  test(`a response to ${what} has no body`, () => {
    const { message, rest } = whole(`${head}after`, { method });
    assert.equal(message.body.length, 0);
    assert.equal(rest.toString(), 'after');
  });
}

test('interim responses are passed over', () => {
  assert.equal(
    whole('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').message
      .status,
    200,
  );
});

test('header fields keep their letters and their order', () => {
  const { message } = whole(
    'HTTP/1.1 200 OK\r\nX-a: 1\r\nSET-cookie: b\r\nset-Cookie: c\r\nContent-Length: 0\r\n\r\n',
  );
  assert.deepEqual(message.rawHeaders.slice(0, 3), [
    ['X-a', '1'],
    ['SET-cookie', 'b'],
    ['set-Cookie', 'c'],
  ]);
});

test('a reason phrase may be empty or missing', () => {
  assert.equal(whole('HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n').message.reason, '');
  assert.equal(whole('HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n').message.reason, '');
});

for (const [what, text] of [
  ['another protocol', '220 mail.example ESMTP\r\n'],
  ['a broken status line', 'HTTP/1.1 abc OK\r\n\r\n'],
  ['a line that is no header field', 'HTTP/1.1 200 OK\r\nno colon here\r\n\r\n'],
  ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n'],
  ['a chunk size that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
] as const) {
  test(`${what} is not HTTP`, () => assert.equal(read(text).state, 'not-http'));
}

test('what no server means is refused in good time, and told briefly', () => {
  const began = performance.now();
  for (const text of [
    'HTTP/1.1 100 C\r\n\r\n'.repeat(20_000),
    `HTTP/1.1 200 OK\r\nX: ${' '.repeat(200_000)}`,
    `HTTP/1.1 200 OK\r\nX: a${' '.repeat(60_000)}b\r\n${'no colon '.repeat(500)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nContent-Length: ${'x'.repeat(50_000)}\r\n\r\n`,
  ]) {
    const reading = read(text);
    assert.equal(reading.state, 'not-http');
    assert.ok('why' in reading && reading.why.length < 150);
  }
  assert.ok(performance.now() - began < 1000);
});

test('white space around a value is not part of it', () => {
  const { message } = whole('HTTP/1.1 200 OK\r\nX-A: \t a b \t\r\nContent-Length: 0\r\n\r\n');
  assert.deepEqual(message.rawHeaders[0], ['X-A', 'a b']);
});
