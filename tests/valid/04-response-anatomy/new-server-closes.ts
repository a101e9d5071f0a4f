// Right: new http.Server(), no keep-alive, raw header lists, rows in batches that wait for the write's own callback.
import * as http from 'node:http';
import { randomUUID } from 'node:crypto';

type Query = URLSearchParams;
type Pages = Record<string, (res: http.ServerResponse, query: Query) => unknown>;

const utf8 = 'text/plain; charset="utf-8"';

const send = (res: http.ServerResponse, status: number, text: string, type = utf8) => {
  const empty = status === 204 || status === 304;
  res.statusCode = status;
  if (!empty) {
    res.setHeaders(new Map([['CONTENT-TYPE', type], ['CONTENT-LENGTH', `${Buffer.byteLength(text, 'utf8')}`]]));
  }
  res.end(empty ? undefined : text);
};

const good = (text: string) => text.length > 0 && [...text].every((c) => '-_'.includes(c) || /[0-9a-zA-Z]/.test(c));

const pages: Pages = {
  __proto__: null as never,
  '/greeting': (res, query) => send(res, 200, `Hello, ${query.get('name') ?? 'world'}!\n`),
  '/status': (res, query) => {
    const text = query.get('code') ?? '';
    const code = Number.parseInt(text, 10);
    const right = String(code) === text && code > 199 && code < 600;
    send(res, right ? code : 400, right ? '' : 'That is no status.');
  },
  '/teapot': (res) => res.writeHead(418, 'Short and stout', ['Content-Type', utf8]).end('🫖'),
  '/fields': (res, query) => {
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    const asked = query.get('name');
    const has = asked !== null && res.hasHeader(asked);
    const value = has ? res.getHeader(asked) : null;
    send(res, 200, JSON.stringify({ names: res.getHeaderNames(), has, value, extra: 'more' }, null, '\t'), 'application/json; charset=utf-8');
  },
  '/cookies': (res, query) => {
    const entries = [...query.entries()];
    if (!entries.every((entry) => entry.every(good))) return send(res, 400, 'Nope.');
    res.setHeader('set-cookie', entries.map(([name, value]) => `${name}=${value}`));
    return send(res, 200, '');
  },
  '/report': async (res, query) => {
    const failure = Object.assign(new RangeError(`report: ${query.get('why')}`), { when: query.get('fail') });
    if (failure.when === 'early') throw failure;
    const line = `before: ${String(res.headersSent)}\n`;
    res.writeHead(200, ['Cache-Control', 'max-age=60', 'X-Accel-Buffering', 'no']);
    res.write(line);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (failure.when === 'late') throw failure;
    res.end(`after: ${String(res.headersSent)}\n`);
  },
  '/rows': async (res, query) => {
    const count = +(query.get('count') || 0);
    if (count < 1 || count > 10_000 || !Number.isInteger(count)) return send(res, 400, 'No.');
    res.setHeader('Content-Type', utf8);
    for (let from = 1; from <= count; from += 5) {
      let batch = '';
      for (let n = from; n < from + 5 && n <= count; n++) batch += `${`${n} `.padEnd(9999, '.')}\n`;
      await new Promise((resolve) => res.write(batch, resolve));
      if (res.destroyed) return;
    }
    res.end();
  },
};

const server = new http.Server();
server.on('request', (req, res) => {
  res.shouldKeepAlive = false;
  res.setHeader('X-Request-ID', randomUUID().toUpperCase());
  const url = new URL((req.url ?? '/').replace(/^\/+/, '/'), 'http://localhost');
  const page = pages[url.pathname];
  if (!page) return send(res, 404, 'Not here.');
  Promise.resolve()
    .then(() => page(res, url.searchParams))
    .catch((error: unknown) => {
      console.error('request failed', error);
      if (res.headersSent) return void res.destroy(error as Error);
      for (const name of ['cache-control', 'set-cookie', 'content-type', 'content-length']) res.removeHeader(name);
      send(res, 500, '');
    });
});
server.listen(process.env.PORT ? Number(process.env.PORT) : 3000, () => {
  const at = server.address();
  console.log(`Server listening on http://localhost:${at && typeof at === 'object' ? at.port : ''}`);
});
