import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brief, commandLine, printable, type Exchange } from '../../scripts/kernel/exchange.ts';
import { requestBytes, type RequestOptions } from '../../scripts/kernel/trial.ts';

const line = (options: RequestOptions | string): string => {
  const sent =
    typeof options === 'string' ? Buffer.from(options, 'latin1') : requestBytes(options, 41234);
  return commandLine({
    sent,
    received: Buffer.alloc(0),
    rest: Buffer.alloc(0),
    outcome: 'answered',
    method: '',
    target: '',
    port: 1,
    limitMs: 1000,
    closed: 'open',
    times: { over: 1 },
  } satisfies Exchange);
};

for (const [what, options, wanted] of [
  ['an ordinary request', { target: '/a/b' }, 'curl -i http://localhost:3000/a/b'],
  ['a query needs quotes', { target: '/a?b=1&c' }, "curl -i 'http://localhost:3000/a?b=1&c'"],
  [
    'another method',
    { method: 'DELETE', target: '/u/1' },
    'curl -i -X DELETE http://localhost:3000/u/1',
  ],
  ['HEAD', { method: 'HEAD', target: '/' }, 'curl -I http://localhost:3000/'],
  [
    'a body',
    { method: 'POST', target: '/u', json: { n: "O'Hara" } },
    `curl -i -H 'Content-Type: application/json' --data-binary '{"n":"O'\\''Hara"}' http://localhost:3000/u`,
  ],
  [
    'a target that curl would tidy',
    { target: '//' },
    "curl -i --request-target '//' http://localhost:3000",
  ],
  [
    'dot segments',
    { target: '/a/../b' },
    "curl -i --request-target '/a/../b' http://localhost:3000",
  ],
  [
    'an asterisk',
    { method: 'OPTIONS', target: '*' },
    "curl -i -X OPTIONS --request-target '*' http://localhost:3000",
  ],
  [
    'a host of its own',
    { target: '/', headers: { Host: '[' } },
    "curl -i -H 'Host: [' http://localhost:3000/",
  ],
] as const) {
  test(`${what} is repeated with curl`, () => assert.equal(line(options), wanted));
}

test('half a request is repeated with printf and nc', () => {
  assert.equal(line('GET / HTTP/1.1\r\nHo'), "printf 'GET / HTTP/1.1\\r\\nHo' | nc localhost 3000");
});

test('bytes that are no text are escaped for printf', () => {
  assert.match(line('POST / HTTP/1.1\r\n\r\n\u00e2\u0082%'), /\\342\\202%%' \| nc/);
});

test('nothing that is printed can steer a terminal', () => {
  assert.equal(printable(Buffer.from('a\u001b[31mred\u0007\u202e')), 'a\\x1b[31mred\\x07\\x202e');
  assert.equal(brief('two\nlines\tand a tab'), 'two\\nlines\\tand a tab');
});

test('long bodies are cut with a note', () => {
  assert.match(printable(Buffer.alloc(5000, 'x')), /^x{4096}… \(904 more bytes\)$/);
});
