// This file is finished. It mounts what you write in shutdown.ts, and has enough to do while it is shut down.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import { shutdownOnSignals } from './shutdown.ts';

const { env } = process;
const port = Number(env.PORT ?? 3000);

const server = createServer();
const shutdown = shutdownOnSignals(server, Number(env.SHUTDOWN_TIMEOUT_MS ?? 10_000));
server.on('request', handle);
server.on('upgrade', upgrade);

/** Beats while sockets are upgraded, as such things do. */
let pulse: NodeJS.Timeout | undefined;
shutdown.onDrain(() => clearInterval(pulse));
shutdown.onDrain(() => console.log('told to stop'));

server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  console.log(`Server listening on http://localhost:${listening}`);
});

// Windows ends a process that is sent a signal, so there the tests connect to a pipe instead.
if (env.SHUTDOWN_PIPE) {
  createNetServer((socket) => {
    socket.destroy();
    process.emit('SIGTERM');
  })
    .listen(env.SHUTDOWN_PIPE)
    .unref();
}

function handle(req: IncomingMessage, res: ServerResponse): void {
  if (res.headersSent) return; // A step that is not done yet has answered.
  console.log(`started ${req.method} ${req.url}`);
  const [path, query] = (req.url ?? '').split('?', 2);
  switch (`${req.method} ${path}`) {
    case 'GET /':
      return text(res, 200, 'Hello\n');
    case 'GET /health':
      return shutdown.health(res);
    case 'GET /slow':
      return slow(res, Number(new URLSearchParams(query).get('ms') ?? 1_000));
    case 'POST /echo':
      // Sends every piece of the body back as it comes.
      res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
      pipeline(req, res, () => {});
      return;
    case 'POST /upload':
      return upload(req, res);
    default:
      return text(res, 404, 'Not found\n');
  }
}

function text(res: ServerResponse, status: number, body: string): void {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.writeHead(status).end(body);
}

/** Sends one line at once and another `ms` later. */
function slow(res: ServerResponse, ms: number): void {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.write('first\n');
  const timer = setTimeout(() => res.end('last\n'), Math.min(ms, 60_000) || 0);
  res.on('close', () => clearTimeout(timer));
}

/** Answers when the whole body has come. */
function upload(req: IncomingMessage, res: ServerResponse): void {
  let size = 0;
  req.on('data', (chunk: Buffer) => (size += chunk.length));
  req.on('end', () => text(res, 200, `${size} bytes\n`));
}

/** Speaks a small protocol of its own, `echo`: whatever comes goes back. */
function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => socket.destroy());
  if (req.headers.upgrade !== 'echo') {
    socket.end('HTTP/1.1 426 Upgrade Required\r\nUpgrade: echo\r\nConnection: close\r\n\r\n');
    return;
  }
  shutdown.addUpgraded(socket);
  if (!socket.writable) return; // The server is draining, or a step that is not done yet has answered.
  pulse ??= setInterval(() => {}, 1_000);
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
  socket.write(head);
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
  socket.on('end', () => socket.end());
}
