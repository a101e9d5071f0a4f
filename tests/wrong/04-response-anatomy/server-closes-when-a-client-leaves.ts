// Wrong: Who leaves half way is taken for the last one, and the server is closed.
// Fails: step 7, leaving-stops-server | exited
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const TEXT = 'text/plain; charset=utf-8';

const server = createServer((req, res) => {
  respond(req, res).catch((error: unknown) => fail(res, error));
});

/** Finds the page for a request; the pages below write the response. */
async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
  res.setHeader('X-Request-Id', randomUUID());

  const url = parseTarget(req.url);
  switch (url?.pathname) {
    case '/greeting':
      return greeting(res, url.searchParams);
    case '/status':
      return status(res, url.searchParams);
    case '/teapot':
      return teapot(res);
    case '/fields':
      return fields(res, url.searchParams);
    case '/cookies':
      return cookies(res, url.searchParams);
    case '/report':
      return report(res, url.searchParams);
    case '/rows':
      return rows(res, url.searchParams);
    default:
      return sendText(res, 404, 'There is nothing here.\n');
  }
}

/** Takes a request target apart without ever throwing; see the request anatomy lesson. */
function parseTarget(target = ''): URL | undefined {
  const href = target.startsWith('/') ? `http://localhost${target}` : target;
  return URL.canParse(href) ? new URL(href) : undefined;
}

/** Answers with a text, and says what it is and how many bytes it has. */
function sendText(res: ServerResponse, status: number, text: string): void {
  if (status === 204 || status === 304) {
    res.writeHead(status).end();
    return;
  }

  res.statusCode = status;
  res.setHeader('Content-Type', TEXT);
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}

/** GET /greeting?name=Ada */
function greeting(res: ServerResponse, query: URLSearchParams): void {
  sendText(res, 200, `Hello, ${query.get('name') ?? 'world'}!\n`);
}

/** GET /status?code=404 */
function status(res: ServerResponse, query: URLSearchParams): void {
  const code = Number(query.get('code'));
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    sendText(res, 400, 'Give a code from 200 to 599.\n');
    return;
  }
  sendText(res, code, `This is what ${code} looks like.\n`);
}

/** GET /teapot */
function teapot(res: ServerResponse): void {
  res.statusMessage = 'Short and stout';
  sendText(res, 418, 'No coffee here.\n');
}

/** GET /fields?name=Content-Type */
function fields(res: ServerResponse, query: URLSearchParams): void {
  const name = query.get('name') ?? '';
  res.setHeader('Content-Type', 'application/json');
  const names = res.getHeaderNames();
  const value = res.getHeader(name) ?? null;
  res.end(JSON.stringify({ names, has: res.hasHeader(name), value }));
}

/** GET /cookies?theme=dark&lang=de */
function cookies(res: ServerResponse, query: URLSearchParams): void {
  const pairs = [...query].map(([name, value]) => `${name}=${value}`);
  if (!pairs.every((pair) => /^[\w-]+=[\w-]+$/.test(pair))) {
    sendText(res, 400, 'Letters, digits, - and _ only.\n');
    return;
  }
  res.setHeader(
    'Set-Cookie',
    pairs.map((pair) => `${pair}; Path=/; HttpOnly; SameSite=Lax`),
  );
  sendText(res, 200, 'Keep these.\n');
}

/** GET /report, and with ?fail=early or ?fail=late one that fails */
async function report(res: ServerResponse, query: URLSearchParams): Promise<void> {
  const problem = new Error(query.get('why') ?? 'no reason given');
  const sentBefore = res.headersSent;
  res.setHeader('Cache-Control', 'max-age=60');
  if (query.get('fail') === 'early') throw problem;

  res.writeHead(200, { 'Content-Type': TEXT });
  await new Promise((resolve) => res.write(`before: ${sentBefore}\n`, resolve));
  if (query.get('fail') === 'late') throw problem;
  res.end(`after: ${res.headersSent}\n`);
}

/** Answers in place of a page that failed, if there is still time to. */
function fail(res: ServerResponse, error: unknown): void {
  console.error(error);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  for (const name of res.getHeaderNames()) {
    if (name !== 'x-request-id') res.removeHeader(name);
  }
  sendText(res, 500, 'Sorry, this is our fault.\n');
}

/** Row n of /rows: 10,000 bytes, the line feed included. */
function row(n: number): Buffer {
  return Buffer.from(`${n} `.padEnd(9_999, '.') + '\n');
}

/** GET /rows?count=3 */
function rows(res: ServerResponse, query: URLSearchParams): void {
  const count = Number(query.get('count'));
  if (!Number.isInteger(count) || count < 1 || count > 10_000) {
    sendText(res, 400, 'Give a count from 1 to 10000.\n');
    return;
  }
  res.writeHead(200, { 'Content-Type': TEXT });
  let next = 1;
  const writeOn = (): void => {
    while (next <= count) {
      const hasRoom = res.write(row(next));
      next += 1;
      if (!hasRoom) {
        res.once('drain', writeOn);
        return;
      }
    }
    res.end();
  };
  res.on('close', () => {
    if (!res.writableFinished) server.close();
  });
  writeOn();
}

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
});
