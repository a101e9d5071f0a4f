// Wrong: The error is caught, and ends the process.
// Fails: step 6, half-body-crash
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Since the start: how many clients left before they had their whole answer, and how many of those
 * had not even sent their whole request.
 */
const gone = { left: 0, halfSent: 0 };

/** Sends one JSON answer. Finished: every step uses it. */
function sendJSON(res: ServerResponse, status: number, data: unknown): void {
  res.writeHead(status, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify(data));
}

/** The request target as a URL, or null where it is none. Never throws. (RFC 9112, 3.2) */
function parseTarget(req: IncomingMessage): URL | null {
  const target = req.url ?? '';
  if (target.startsWith('/')) return new URL(`http://localhost${target}`);
  if (/^https?:\/\//i.test(target) && URL.canParse(target)) return new URL(target);
  return null;
}

/** `/line`: the request line, and what a request does not have. */
function line(req: IncomingMessage, res: ServerResponse): void {
  sendJSON(res, 200, {
    method: req.method,
    target: req.url,
    httpVersion: req.httpVersion,
    statusCode: req.statusCode,
  });
}

/** Any path that no other function answers. */
function notFound(url: URL, res: ServerResponse): void {
  sendJSON(res, 404, { error: 'Not found', path: url.pathname });
}

/** `/search?q=…&tag=…&tag=…&page=…` */
function search(url: URL, res: ServerResponse): void {
  const query = url.searchParams;
  const page = query.get('page') ?? '1';
  if (!/^[1-9]\d*$/.test(page)) {
    sendJSON(res, 400, { error: 'page is a whole number from 1 up' });
    return;
  }
  sendJSON(res, 200, { q: query.get('q'), tags: query.getAll('tag'), page: Number(page) });
}

/** `/headers`: some header fields, and the names of all of them. */
function headers(req: IncomingMessage, res: ServerResponse): void {
  // Node has joined the lines of X-Tag with commas; to HTTP that is the same list. (RFC 9110, 5.3)
  const tags = String(req.headers['x-tag'] ?? '').split(',');
  sendJSON(res, 200, {
    type: req.headers['content-type'] ?? null,
    cookie: req.headers.cookie ?? null,
    tags: tags.map((tag) => tag.trim()).filter((tag) => tag !== ''),
    names: req.rawHeaders.filter((_, index) => index % 2 === 0),
  });
}

/** `/peer`: who is at the other end of the connection. */
function peer(req: IncomingMessage, res: ServerResponse): void {
  const address = req.socket.remoteAddress ?? '';
  // Where a server listens on IPv6 as well, an IPv4 address arrives as ::ffff:127.0.0.1.
  const loopback = address === '::1' || address.replace('::ffff:', '').startsWith('127.');
  sendJSON(res, 200, {
    address,
    port: req.socket.remotePort,
    encrypted: 'encrypted' in req.socket, // Only a TLS connection has this property.
    loopback,
  });
}

/** `/body`: what the client sent. */
async function body(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const before = req.complete;
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const bytes = Buffer.concat(chunks); // Whole first, letters after: a chunk may end inside one.
    const complete = { before, after: req.complete };
    sendJSON(res, 200, { bytes: bytes.length, text: bytes.toString('utf8'), complete });
  } catch {
    console.error('A client hung up.');
    process.exit(1);
  }
}

/** `/wait`: answers after five seconds, so that there is time to hang up. Finished. */
function wait(res: ServerResponse): void {
  const timer = setTimeout(() => sendJSON(res, 200, { waited: true }), 5_000);
  res.on('close', () => clearTimeout(timer));
}

/** Counts this client if it leaves before it has its whole answer. Runs for every request. */
function countIfGone(req: IncomingMessage, res: ServerResponse): void {
  res.on('close', () => {
    if (res.writableFinished) return;
    gone.left += 1;
    if (!req.complete) gone.halfSent += 1;
  });
}

/** `/left`: how many clients left. */
function left(res: ServerResponse): void {
  sendJSON(res, 200, gone);
}

const server = createServer((req, res) => {
  countIfGone(req, res);
  const url = parseTarget(req);
  if (url === null) return sendJSON(res, 400, { error: 'Bad request target' });

  switch (url.pathname) {
    case '/line':
      return line(req, res);
    case '/search':
      return search(url, res);
    case '/headers':
      return headers(req, res);
    case '/peer':
      return peer(req, res);
    case '/body':
      return void body(req, res);
    case '/wait':
      return wait(res);
    case '/left':
      return left(res);
    default:
      return notFound(url, res);
  }
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${port}`);
});
