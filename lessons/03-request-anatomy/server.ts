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
  // TODO(step 2): Take any request target
  // This is the line that most tutorials have. One request can make it throw.
  return new URL(req.url ?? '', `http://${req.headers.host}`);
}

/** `/line`: the request line, and what a request does not have. */
function line(req: IncomingMessage, res: ServerResponse): void {
  // TODO(step 1): Say what was asked
  res.writeHead(501).end('TODO(step 1): Say what was asked\n');
}

/** Any path that no other function answers. */
function notFound(url: URL, res: ServerResponse): void {
  res.writeHead(501).end('TODO(step 2): Take any request target\n');
}

/** `/search?q=…&tag=…&tag=…&page=…` */
function search(url: URL, res: ServerResponse): void {
  // TODO(step 3): Read the query
  res.writeHead(501).end('TODO(step 3): Read the query\n');
}

/** `/headers`: some header fields, and the names of all of them. */
function headers(req: IncomingMessage, res: ServerResponse): void {
  // TODO(step 4): Read the header fields
  res.writeHead(501).end('TODO(step 4): Read the header fields\n');
}

/** `/peer`: who is at the other end of the connection. */
function peer(req: IncomingMessage, res: ServerResponse): void {
  // TODO(step 5): Say who is calling
  res.writeHead(501).end('TODO(step 5): Say who is calling\n');
}

/** `/body`: what the client sent. */
async function body(req: IncomingMessage, res: ServerResponse): Promise<void> {
  // TODO(step 6): Read the body
  res.writeHead(501).end('TODO(step 6): Read the body\n');
}

/** `/wait`: answers after five seconds, so that there is time to hang up. Finished. */
function wait(res: ServerResponse): void {
  const timer = setTimeout(() => sendJSON(res, 200, { waited: true }), 5_000);
  res.on('close', () => clearTimeout(timer));
}

/** Counts this client if it leaves before it has its whole answer. Runs for every request. */
function countIfGone(req: IncomingMessage, res: ServerResponse): void {
  // TODO(step 7): Notice who left
}

/** `/left`: how many clients left. */
function left(res: ServerResponse): void {
  res.writeHead(501).end('TODO(step 7): Notice who left\n');
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
