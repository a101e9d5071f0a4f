// Wrong: RATE_LIMIT is made a number where it is not set, too: NaN, which no count is below.
// Fails: step 1, wrong-default-limit
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { requestURL } from '../05-router/target.ts';
import { api } from '../08-users-api/api.ts';
import { serveStatic } from '../09-static-files/static.ts';
import { handleErrors, logRequests } from '../10-server-events/events.ts';
import { shutdownOnSignals } from '../11-graceful-shutdown/shutdown.ts';

const { env } = process;
const root = join(import.meta.dirname, 'public');

const files = serveStatic(root);

/** Sends each request where it belongs. */
async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = requestURL(req.url)?.pathname ?? '';
  if (req.method === 'GET' && path === '/health') return shutdown.health(res);
  if (isTooMany(req, res)) return;
  if (path === '/users' || path.startsWith('/users/')) return api(req, res);
  await files(req, res);
}

const limit = (Number(env.RATE_LIMIT) ?? 1000);
const windowMs = Number(env.RATE_WINDOW_MS ?? 10_000);
const clients = new Map<string, { requests: number; until: number }>();

/** Counts a request for its client's address. When it is one too many, answers 429 (RFC 6585) and returns true. */
function isTooMany(req: IncomingMessage, res: ServerResponse): boolean {
  const address = req.socket.remoteAddress ?? '';
  const now = performance.now();
  let client = clients.get(address);
  if (!client || client.until <= now) {
    client = { requests: 0, until: now + windowMs };
    clients.set(address, client);
  }
  client.requests += 1;
  if (client.requests <= limit) return false;
  res.setHeader('Retry-After', Math.ceil((client.until - now) / 1000));
  res.writeHead(429, { 'Content-Type': 'application/json; charset=utf-8' });
  res.end(JSON.stringify({ error: 'Too many requests' }));
  return true;
}

// An address that has not come back is forgotten, so that the map does not grow for ever.
const forgetting = setInterval(() => {
  const now = performance.now();
  for (const [address, client] of clients) if (client.until <= now) clients.delete(address);
}, windowMs);

const server = createServer((req, res) => {
  route(req, res).catch((error: unknown) => {
    console.error(error);
    if (res.headersSent) res.destroy();
    else res.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('500 Internal Server Error\n');
  });
});

logRequests(server);
handleErrors(server);

const shutdown = shutdownOnSignals(server, Number(env.SHUTDOWN_TIMEOUT_MS ?? 10_000));
shutdown.onDrain(() => clearInterval(forgetting));

const port = Number(env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
});
