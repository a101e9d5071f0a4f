// Right: looks like CommonJS: createRequire, one listener with if and else, callbacks, writeHead everywhere, all interfaces.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const http = require('http') as typeof import('http');
const crypto = require('crypto') as typeof import('crypto');

const server = http.createServer();

server.on('request', function (req, res) {
  const id = crypto.randomUUID();
  const target = req.url || '/';
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1));

  function answer(status: number, text: string, more: Record<string, string | string[]> = {}) {
    const body = Buffer.from(text, 'utf-8');
    if (status == 204 || status == 304) {
      res.writeHead(status, { 'x-request-id': id });
      return res.end();
    }
    res.writeHead(status, {
      'content-type': 'text/plain;charset=UTF-8',
      'content-length': String(body.length),
      'x-request-id': id,
      ...more,
    });
    if (req.method === 'HEAD') res.end();
    else res.end(body);
  }

  if (path === '/greeting') {
    const name = query.has('name') ? query.get('name') : 'world';
    answer(200, 'Hello, ' + name + '!\n');
  } else if (path === '/status') {
    const code = /^\d{3}$/.test(query.get('code') || '') ? Number(query.get('code')) : 0;
    if (code >= 200 && code < 600) answer(code, '');
    else answer(400, 'no such status');
  } else if (path === '/teapot') {
    res.writeHead(418, 'Short and stout', { 'X-Request-Id': id });
    res.end('tea');
  } else if (path === '/fields') {
    // What will be sent is kept in an object here, not in the response.
    const all: Record<string, string> = { 'x-request-id': id, 'content-type': 'application/json' };
    const name = (query.get('name') || '').toLowerCase();
    const has = Object.prototype.hasOwnProperty.call(all, name);
    res.writeHead(200, all);
    res.end(JSON.stringify({ value: has ? all[name] : null, has, names: Object.keys(all) }, null, 2));
  } else if (path === '/cookies') {
    const cookies: string[] = [];
    let fine = true;
    query.forEach(function (value, name) {
      if (/[^A-Za-z0-9_-]/.test(name + value) || name === '' || value === '') fine = false;
      cookies.push(name + '=' + value);
    });
    if (fine) answer(200, 'ok', { 'Set-Cookie': cookies });
    else answer(400, 'bad cookie');
  } else if (path === '/report') {
    report(query.get('fail'), query.get('why') || '', function (error) {
      if (!error) return;
      process.stderr.write('report: ' + error.message + '\n');
      if (res.headersSent) req.socket.destroy();
      else answer(500, 'internal error');
    });
  } else if (path === '/rows') {
    rows(Number(query.get('count')));
  } else {
    answer(404, 'not found');
  }

  function report(fail: string | null, why: string, done: (error?: Error) => void) {
    if (fail === 'early') return done(new Error(why));
    const before = res.headersSent;
    res.writeHead(200, { 'Cache-Control': 'public, max-age=60', 'X-Request-Id': id });
    res.write('before: ' + before + '\n', function () {
      if (fail === 'late') return done(new Error(why));
      res.write('after: ' + res.headersSent);
      res.end('\n');
      done();
    });
  }

  function rows(count: number) {
    if (!(count >= 1 && count <= 10000 && count % 1 === 0)) return answer(400, 'bad count');
    res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(count * 10000), 'X-Request-Id': id });
    let n = 0;
    res.on('drain', go);
    go();
    function go() {
      let more = true;
      while (more && n < count) {
        n++;
        more = res.write((n + ' ').padEnd(9999, '.') + '\n');
      }
      if (n === count) {
        res.removeListener('drain', go);
        res.end();
      }
    }
  }
});

const port = process.env.PORT || '3000';
server.listen(+port, function () {
  console.log('Server listening on http://localhost:' + port);
});
