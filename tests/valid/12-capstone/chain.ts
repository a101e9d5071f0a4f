// Right: a chain of middleware, each of which answers or calls the next.
import { createServer, type RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import { api } from '../08-users-api/api.ts';
import { serveStatic } from '../09-static-files/static.ts';
import { handleErrors, logRequests } from '../10-server-events/events.ts';
import { shutdownOnSignals } from '../11-graceful-shutdown/shutdown.ts';

type Station = (...args: [...Parameters<RequestListener>, () => Promise<void>]) => void | Promise<void>;

const { RATE_LIMIT = '1000', RATE_WINDOW_MS = '10000', SHUTDOWN_TIMEOUT_MS = '10000', PORT = '3000' } = process.env;
const server = createServer((req, res) => void run(0, req, res));
logRequests(server);
handleErrors(server);
const shutdown = shutdownOnSignals(server, +SHUTDOWN_TIMEOUT_MS);

const windows: Record<string, { left: number; timer: NodeJS.Timeout; ends: number }> = Object.create(null);

const health: Station = (req, res, next) => (req.method === 'GET' && req.url?.split('?')[0] === '/health' ? shutdown.health(res) : next());

const rate: Station = (req, res, next) => {
  const who = req.socket.remoteAddress ?? '-';
  const mine = (windows[who] ??= {
    left: +RATE_LIMIT,
    ends: Date.now() + +RATE_WINDOW_MS,
    timer: setTimeout(() => delete windows[who], +RATE_WINDOW_MS).unref(),
  });
  if (mine.left-- > 0) return next();
  const body = JSON.stringify({ error: 'Too many requests' }, null, 2);
  res.writeHead(429, ['Retry-After', String(Math.max(Math.ceil((mine.ends - Date.now()) / 1000), 1)), 'Content-Type', 'application/json; charset=UTF-8', 'Content-Length', String(body.length)]);
  res.end(body);
};

const users: Station = (req, res, next) => (/^\/users(?:\/|\?|$)/.test(req.url ?? '') ? api(req, res) : next());

const files = serveStatic(fileURLToPath(new URL('./public', import.meta.url)));
const stations: Station[] = [health, rate, users, (req, res) => files(req, res)];

async function run(index: number, ...[req, res]: Parameters<RequestListener>): Promise<void> {
  try {
    await stations[index]?.(req, res, () => run(index + 1, req, res));
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    if (!res.headersSent) res.writeHead(500).end('sorry');
    else res.destroy();
  }
}

server.listen({ port: +PORT, host: '127.0.0.1' }, () => {
  const address = server.address();
  if (address instanceof Object) process.stdout.write(`Server listening on http://localhost:${address.port}\n`);
});
