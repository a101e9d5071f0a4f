// Right: an async handler that waits a turn before it looks at anything, a stream consumer for the body, one catch round all.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';

const stats = { left: 0, halfSent: 0 };

class BadRequest extends Error {}

const target = ({ url = '' }: IncomingMessage): URL => {
  const text = url.startsWith('/') ? `http://x${url}` : url;
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw new BadRequest(`bad target ${url}`);
  return new URL(text);
};

const answers: Record<string, (req: IncomingMessage, url: URL) => unknown> = Object.assign(
  Object.create(null),
  {
    '/line': ({ method, url: target, httpVersion, statusCode }: IncomingMessage) => ({
      method,
      target,
      httpVersion,
      statusCode,
    }),
    '/search': (_: IncomingMessage, { searchParams }: URL) => {
      const [page = '1'] = searchParams.getAll('page');
      if (!/^0*[1-9]\d*$/.test(page)) throw new BadRequest('bad page');
      const [q = null] = searchParams.getAll('q');
      return { q, tags: searchParams.getAll('tag'), page: Number.parseInt(page) };
    },
    '/headers': (req: IncomingMessage) => ({
      type: req.headersDistinct['content-type']?.[0] ?? null,
      cookie: req.headersDistinct.cookie?.join('; ') ?? null,
      tags: (req.headersDistinct['x-tag'] ?? [])
        .flatMap((value) => value.split(','))
        .map((value) => value.trim()),
      names: req.rawHeaders.filter((_, index) => index % 2 === 0),
    }),
    '/peer': ({ socket }: IncomingMessage) => ({
      address: socket.remoteAddress,
      port: socket.remotePort,
      encrypted: socket instanceof TLSSocket,
      loopback: ['127', '::1', '::ffff:127'].includes(socket.remoteAddress?.split('.')[0] ?? ''),
    }),
    '/body': async (req: IncomingMessage) => {
      const before = req.complete;
      const bytes = await buffer(req);
      return {
        bytes: bytes.length,
        text: new TextDecoder().decode(bytes),
        complete: { before, after: req.complete },
      };
    },
    '/wait': () => new Promise((resolve) => void setTimeout(resolve, 5000, {})),
    '/left': () => stats,
  },
);

async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
  await turn();
  try {
    const url = target(req);
    const answer = answers[url.pathname];
    const [status, data] = answer
      ? [200, await answer(req, url)]
      : [404, { error: 'none', path: url.pathname }];
    res
      .writeHead(status, 'Custom Reason', [['Content-Type', 'application/json']].flat())
      .end(JSON.stringify(data));
  } catch (error) {
    if (res.headersSent) return void res.destroy();
    const bad = error instanceof BadRequest;
    res.writeHead(bad ? 400 : 500, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ error: bad ? error.message : 'Something failed' }));
  }
}

const server = createServer((req, res) => {
  res.on('close', () => {
    if (!res.writableFinished) stats.left += 1;
    if (!res.writableFinished && !req.complete) stats.halfSent += 1;
  });
  void respond(req, res);
});
const port = Number(process.env.PORT ?? 3000);
server.listen({ port, host: '127.0.0.1' }, () =>
  console.log(`Server listening on http://localhost:${port}`),
);
