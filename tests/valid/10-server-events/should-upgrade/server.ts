// This file is finished. It mounts what you write in events.ts, so that curl and the tests can reach it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  acceptWebSockets,
  handleErrors,
  limitConnections,
  limitTime,
  logRequests,
  traceEvents,
} from './events.ts';
import { echo } from './websocket.ts';

const { env } = process;
const port = Number(env.PORT ?? 3000);
const host = env.HOST ?? '127.0.0.1';

// How often Node looks whose time is over, in ms. Its own choice is 30 000, which is long to wait for in a lesson.
const options = {
  connectionsCheckingInterval: 50,
  shouldUpgradeCallback: (req: IncomingMessage) => req.headers.upgrade?.toLowerCase() === 'websocket',
};
const server = createServer(options);

traceEvents(server);
logRequests(server);
const counts = limitConnections(server, Number(env.MAX_CONNECTIONS ?? 100));
handleErrors(server);
limitTime(server, {
  idleMs: Number(env.IDLE_MS ?? 5_000),
  headersMs: Number(env.HEADERS_MS ?? 60_000),
  requestMs: Number(env.REQUEST_MS ?? 300_000),
});
acceptWebSockets(server, '/echo', echo);
server.on('request', handle);

server.listen(port, host, () => {
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  console.log(`Server listening on http://localhost:${listening}`);
});

function handle(req: IncomingMessage, res: ServerResponse): void {
  if (res.headersSent) return; // A step that is not done yet has answered.
  const [path, query] = (req.url ?? '').split('?', 2);
  switch (`${req.method} ${path}`) {
    case 'GET /':
      return text(res, 200, 'Hello\n');
    case 'GET /slow':
      return slow(res, Number(new URLSearchParams(query).get('ms') ?? 1_000));
    case 'POST /upload':
      return upload(req, res);
    case 'GET /counts':
      return json(res, counts);
    case 'GET /limits':
      return json(res, {
        headersTimeout: server.headersTimeout,
        requestTimeout: server.requestTimeout,
        keepAliveTimeout: server.keepAliveTimeout,
      });
    case 'POST /close':
      text(res, 200, 'Closing\n');
      server.close();
      return;
    default:
      return text(res, 404, 'Not found\n');
  }
}

function text(res: ServerResponse, status: number, body: string): void {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.writeHead(status).end(body);
}

function json(res: ServerResponse, data: unknown): void {
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.end(`${JSON.stringify(data)}\n`);
}

/** Sends one line at once and another `ms` later. */
function slow(res: ServerResponse, ms: number): void {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.write('first\n');
  const timer = setTimeout(() => res.end('last\n'), Math.min(ms, 60_000) || 0);
  res.on('close', () => clearTimeout(timer));
}

/** Says how long the body was. */
function upload(req: IncomingMessage, res: ServerResponse): void {
  let size = 0;
  req.on('data', (chunk: Buffer) => (size += chunk.length));
  req.on('end', () => text(res, 200, `${size} bytes\n`));
}
