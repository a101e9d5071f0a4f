// Right: a class with a Map of pages, a response class of its own, appendHeader, pipeline for the rows, JSON for every refusal.
import { randomUUID } from 'node:crypto';
import http, { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

class Reply<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  constructor(request: Request) {
    super(request);
    this.setHeader('x-request-id', randomUUID());
  }

  text(status: number, text: string): void {
    this.setHeader('content-type', 'text/plain; charset=utf-8');
    this.whole(status, Buffer.from(text));
  }

  json(status: number, data: unknown): void {
    if (!this.hasHeader('content-type')) this.setHeader('content-type', 'application/json; charset=utf-8');
    this.whole(status, Buffer.from(`${JSON.stringify(data)}\n`));
  }

  whole(status: number, body: Buffer): void {
    if ([204, 205, 304].includes(status)) {
      this.removeHeader('content-type');
      this.writeHead(status);
      this.end();
      return;
    }
    this.setHeader('content-length', body.byteLength);
    this.writeHead(status);
    this.write(body);
    this.end();
  }
}

type Page = (reply: Reply, query: URLSearchParams) => void | Promise<void>;

class Site {
  readonly #pages = new Map<string, Page>();

  page(path: string, page: Page): this {
    this.#pages.set(path, page);
    return this;
  }

  async handle(request: IncomingMessage, reply: Reply): Promise<void> {
    try {
      const [path = '', ...rest] = (request.url ?? '').split('?');
      const page = this.#pages.get(path);
      if (page) await page(reply, new URLSearchParams(rest.join('?')));
      else reply.json(404, { error: 'not found' });
    } catch (error) {
      console.log('failed:', error);
      if (reply.headersSent) {
        reply.socket?.destroy();
        return;
      }
      reply.removeHeader('cache-control');
      reply.json(500, { error: 'internal' });
    }
  }
}

function* lines(count: number): Generator<Buffer> {
  for (let n = 1; n <= count; n++) {
    const line = Buffer.alloc(10_000, '.');
    line.write(`${n} `);
    line[9999] = 0x0a;
    yield line;
  }
}

const site = new Site()
  .page('/greeting', (reply, query) => {
    const [name = 'world'] = query.getAll('name');
    reply.text(200, `Hello, ${name}!\n`);
  })
  .page('/status', (reply, query) => {
    const code = Number(query.get('code') || NaN);
    const known = code >= 200 && code <= 599 && Math.trunc(code) === code;
    reply.json(known ? code : 400, { code: query.get('code') });
  })
  .page('/teapot', (reply) => {
    reply.statusMessage = 'Short and stout';
    reply.json(418, {});
  })
  .page('/fields', (reply, query) => {
    const name = query.get('name') ?? '';
    reply.setHeader('Content-Type', 'application/json');
    const { [name.toLowerCase()]: value = null } = reply.getHeaders();
    reply.json(200, { has: value !== null, value, names: Object.keys(reply.getHeaders()) });
  })
  .page('/cookies', (reply, query) => {
    const allowed = /^[a-z\d_-]+$/i;
    if ([...query].flat().some((part) => !allowed.test(part))) return reply.json(400, { error: 'cookie' });
    for (const [name, value] of query) reply.appendHeader('Set-Cookie', `${name}=${value}; Path=/; Secure`);
    reply.json(200, {});
  })
  .page('/report', async (reply, query) => {
    const mode = query.get('fail');
    const break_ = (): never => {
      throw new Error(query.get('why') ?? '');
    };
    reply.setHeader('cache-control', 'max-age=60, private');
    if (mode === 'early') break_();
    const first = `before: ${reply.headersSent}\n`;
    reply.flushHeaders();
    await new Promise<void>((resolve, reject) => {
      reply.write(first, (error) => (error ? reject(error) : resolve()));
    });
    if (mode === 'late') break_();
    reply.end(`after: ${reply.headersSent}\n`);
  })
  .page('/rows', async (reply, query) => {
    const count = Number(query.get('count'));
    if (!Number.isSafeInteger(count) || count < 1 || count > 1e4) return reply.json(400, { error: 'count' });
    reply.setHeader('content-type', 'text/plain; charset=utf-8');
    await pipeline(Readable.from(lines(count), { objectMode: false }), reply).catch(() => undefined);
  });

const server = http.createServer({ ServerResponse: Reply }, (request, reply) => void site.handle(request, reply));
const port = Number(process.env['PORT'] ?? 3000);
server.listen({ port, host: '127.0.0.1' });
server.once('listening', () => console.log(`Server listening on http://localhost:${port}`));
