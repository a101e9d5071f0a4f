import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const TEXT = 'text/plain; charset=utf-8';

const server = createServer((req, res) => {
  void respond(req, res); // Nothing catches an error yet: step 6.
});

/** Finds the page for a request; the pages below write the response. */
async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
  // Every response gets its request id here: step 3.

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
  // TODO(step 5): Leave the body out
  if (status === 204 || status === 304) {
    res.writeHead(501).end('TODO(step 5): Leave the body out\n');
    return;
  }

  // TODO(step 1): Say what the body is
  res.writeHead(501).end('TODO(step 1): Say what the body is\n');
}

/** GET /greeting?name=Ada */
function greeting(res: ServerResponse, query: URLSearchParams): void {
  sendText(res, 200, `Hello, ${query.get('name') ?? 'world'}!\n`);
}

/** GET /status?code=404 */
function status(res: ServerResponse, query: URLSearchParams): void {
  // TODO(step 2): Choose the status line
  res.writeHead(501).end('TODO(step 2): Choose the status line\n');
}

/** GET /teapot */
function teapot(res: ServerResponse): void {
  res.writeHead(501).end('TODO(step 2): Choose the status line\n');
}

/** GET /fields?name=Content-Type */
function fields(res: ServerResponse, query: URLSearchParams): void {
  // TODO(step 3): Set and read header fields
  res.writeHead(501).end('TODO(step 3): Set and read header fields\n');
}

/** GET /cookies?theme=dark&lang=de */
function cookies(res: ServerResponse, query: URLSearchParams): void {
  // TODO(step 4): Hand out cookies, refuse line breaks
  res.writeHead(501).end('TODO(step 4): Hand out cookies, refuse line breaks\n');
}

/** GET /report, and with ?fail=early or ?fail=late one that fails */
async function report(res: ServerResponse, query: URLSearchParams): Promise<void> {
  // TODO(step 6): Fail before and after the first byte
  res.writeHead(501).end('TODO(step 6): Fail before and after the first byte\n');
}

/** Answers in place of a page that failed, if there is still time to. */
function fail(res: ServerResponse, error: unknown): void {
  res.writeHead(501).end('TODO(step 6): Fail before and after the first byte\n');
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
  // TODO(step 7): Wait for drain
  res.writeHead(501).end('TODO(step 7): Wait for drain\n');
}

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
});
