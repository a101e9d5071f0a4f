// Right: looks at writableNeedDrain on a timer in place of a drain listener; every request is logged; headers in odd case.
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const textType = 'Text/Plain; Charset=UTF-8';

async function rows(res: ServerResponse, count: number): Promise<void> {
  res.setHeader('content-TYPE', textType);
  for (let n = 1; n <= count && !res.destroyed; n++) {
    while (res.writableNeedDrain && !res.destroyed) await sleep(1);
    res.write(`${String(n)} ${'.'.repeat(9998 - String(n).length)}\n`);
  }
  res.end();
}

createServer(async (req, res) => {
  const began = performance.now();
  res.on('close', () => console.log(req.method, req.url, res.statusCode, `${(performance.now() - began).toFixed(1)} ms`));
  res.setHeader('x-REQUEST-id', randomUUID());

  const plain = (code: number, body: string, message?: string): void => {
    const length = new TextEncoder().encode(body).length;
    if (code === 204 || code === 304) res.writeHead(code);
    else if (message) res.writeHead(code, message, { 'content-TYPE': textType, 'content-LENGTH': length });
    else res.writeHead(code, { 'content-TYPE': textType, 'content-LENGTH': length });
    if (code !== 204 && code !== 304 && req.method !== 'HEAD') res.write(body);
    res.end();
  };

  try {
    const url = new URL(`http://x${req.url}`);
    const { searchParams: query } = url;
    const path = url.pathname;
    if (path === '/greeting') return plain(200, ['Hello, ', query.get('name') ?? 'world', '!\n'].join(''));
    if (path === '/status') {
      return /^[2345][0-9][0-9]$/.test(query.get('code') ?? '') ? plain(Number(query.get('code')), 'status\n') : plain(400, 'bad\n');
    }
    if (path === '/teapot') return plain(418, '', 'Short and stout');
    if (path === '/fields') {
      res.setHeader('Content-Type', 'application/json');
      const name = query.get('name') ?? 'none';
      const body = JSON.stringify({ names: res.getHeaderNames(), has: res.getHeader(name) !== undefined, value: res.getHeader(name) ?? null });
      for (const piece of body) res.write(piece);
      res.end();
      return;
    }
    if (path === '/cookies') {
      const set: string[] = [];
      for (const [name, value] of query) {
        if (!/^[-\w]+$/.test(name) || !/^[-\w]+$/.test(value)) return plain(400, 'bad cookie\n');
        set.push(`${name}=${value};HttpOnly`);
      }
      res.setHeader('SET-COOKIE', set.reverse());
      return plain(200, 'set\n');
    }
    if (path === '/report') {
      res.setHeader('Cache-Control', 'max-age=60');
      if (query.get('fail') === 'early') throw query.get('why');
      res.write(`before: ${res.headersSent}\n`);
      await sleep(2);
      if (query.get('fail') === 'late') throw query.get('why');
      res.end(`after: ${res.headersSent}\n`);
      return;
    }
    if (path === '/rows') {
      const count = Number(query.get('count'));
      if (!Number.isInteger(count) || count < 1 || count > 10000) return plain(400, 'bad count\n');
      return await rows(res, count);
    }
    plain(404, 'no\n');
  } catch (reason) {
    console.warn(`${req.method} ${req.url} failed: ${String(reason)}`);
    if (res.headersSent) res.socket?.destroy();
    else {
      res.removeHeader('Cache-Control');
      plain(500, 'oops\n');
    }
  }
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);
});
