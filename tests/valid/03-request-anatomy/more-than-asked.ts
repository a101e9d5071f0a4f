// Right: one async iterator over the server's requests, further members in every answer, problem details in errors.
import { once, on } from 'node:events';
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';

const clients = { left: 0, halfSent: 0 };
const server = new Server();

const parse = (raw = ''): URL | null => {
  const local = raw.startsWith('/') ? 'http://localhost'.concat(raw) : raw;
  try {
    const url = new URL(local);
    return ['http:', 'https:'].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
};

async function collect(req: IncomingMessage): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  req.on('data', (piece: Uint8Array) => void pieces.push(piece));
  await finished(req, { writable: false });
  return Buffer.concat(pieces);
}

async function answer(req: IncomingMessage, url: URL | null): Promise<[number, object]> {
  if (!url)
    return [400, { title: 'Bad Request', error: 'The request target is no URL.', status: 400 }];
  const { searchParams: query, pathname: path } = url;
  if (path === '/line') {
    const { method, httpVersion, statusCode, statusMessage, url: target } = req;
    return [200, { method, target, httpVersion, statusCode, statusMessage, path }];
  }
  if (path === '/search') {
    const page = query.get('page');
    if (page !== null && !(/^[0-9]+$/.test(page) && BigInt(page) > 0n))
      return [400, { error: 'page', page }];
    return [
      200,
      {
        q: query.get('q'),
        tags: query.getAll('tag'),
        page: page === null ? 1 : Number(page),
        all: [...query],
      },
    ];
  }
  if (path === '/headers') {
    const values = (name: string): string[] =>
      req.rawHeaders.flatMap((value, i, all) =>
        i % 2 === 1 && all[i - 1]?.toLowerCase() === name ? [value] : [],
      );
    const tags = values('x-tag')
      .join()
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean);
    const cookie = values('cookie').length > 0 ? values('cookie').join('; ') : null;
    return [
      200,
      {
        type: values('content-type')[0] ?? null,
        cookie,
        tags,
        names: req.rawHeaders.filter((_, i) => i % 2 < 1),
        count: req.rawHeaders.length / 2,
      },
    ];
  }
  if (path === '/peer') {
    const { address, family, port } = Object.fromEntries(
      (['Address', 'Family', 'Port'] as const).map((key) => [
        key.toLowerCase(),
        req.socket[`remote${key}`],
      ]),
    );
    return [
      200,
      {
        address,
        family,
        port,
        encrypted: false,
        loopback: String(address).replace(/^.*:/, '').startsWith('127.') || address === '::1',
      },
    ];
  }
  if (path === '/body') {
    const before = req.complete;
    const bytes = await collect(req);
    return [
      200,
      {
        bytes: bytes.length,
        text: bytes.toString('utf-8'),
        complete: { before, after: req.complete, at: Date.now() },
      },
    ];
  }
  if (path === '/wait') {
    await Promise.race([
      once(req.socket, 'close'),
      new Promise((resolve) => setTimeout(resolve, 5000).unref()),
    ]);
    return [200, {}];
  }
  if (path === '/left') return [200, { ...clients, since: process.uptime() }];
  return [404, { title: 'Not Found', error: 'No such path.', path }];
}

function write(res: ServerResponse, status: number, data: object): void {
  if (res.destroyed) return;
  res.setHeaders(
    new Map([
      ['Content-Type', 'application/json'],
      ['X-Content-Type-Options', 'nosniff'],
    ]),
  );
  res.statusCode = status;
  res.end(` ${JSON.stringify(data, null, '\t')} `);
}

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
await once(server, 'listening');
console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);

for await (const [req, res] of on(server, 'request') as AsyncIterable<
  [IncomingMessage, ServerResponse]
>) {
  res.on('close', () => {
    if (res.writableFinished) return;
    clients.left += 1;
    clients.halfSent += Number(!req.complete);
  });
  answer(req, parse(req.url)).then(
    ([status, data]) => write(res, status, data),
    () => res.destroy(),
  );
}
