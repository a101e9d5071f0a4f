// Right: a whole program in one file, with require, on all interfaces, which counts what is in flight and looks after its sockets itself.
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const require = createRequire(import.meta.url);
const http = require('http') as typeof import('node:http');
const net = require('net') as typeof import('node:net');

const limit = process.env['SHUTDOWN_TIMEOUT_MS'] === undefined ? 10000 : Number(process.env['SHUTDOWN_TIMEOUT_MS']);
const state = { draining: false, beat: undefined as NodeJS.Timeout | undefined };
const busy = new Map<Socket, number>();
const seen = new WeakMap<Socket, number>();
const upgraded = new Set<Socket>();

const app = new http.Server();

app.on('connection', (socket) => {
  busy.set(socket, 0);
  socket.once('close', () => busy.delete(socket));
});

app.on('request', async (req: IncomingMessage, res: ServerResponse) => {
  console.log(`started ${req.method} ${req.url}`);
  const { socket } = req;
  busy.set(socket, (busy.get(socket) ?? 0) + 1);
  res.once('close', () => {
    busy.set(socket, (busy.get(socket) ?? 1) - 1);
    seen.set(socket, socket.bytesRead);
    tidy();
  });
  res.shouldKeepAlive &&= !state.draining;
  const [path] = String(req.url).split('?');
  if (req.method === 'GET' && path === '/') res.end('hi');
  else if (req.method === 'GET' && path === '/health') {
    if (state.draining) res.statusCode = 503;
    res.setHeader('content-type', 'application/json; charset=utf-8');
    res.end(JSON.stringify({ status: state.draining ? 'draining' : 'ok' }));
  } else if (req.method === 'GET' && path === '/slow') {
    res.write('first\n');
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, Number(new URL(`http://x${req.url}`).searchParams.get('ms')));
      res.once('close', () => resolve(clearTimeout(timer)));
    });
    res.end('last\n');
  } else if (req.method === 'POST' && path === '/echo') {
    req.pipe(res);
    req.once('close', () => req.complete || res.destroy());
  } else if (req.method === 'POST' && path === '/upload') {
    const pieces: Buffer[] = [];
    req.on('data', (piece: Buffer) => pieces.push(piece));
    req.on('end', () => {
      if (state.draining) res.setHeader('connection', 'close');
      res.end(`${Buffer.concat(pieces).length} bytes`);
    });
  } else {
    res.statusCode = 404;
    res.end();
  }
});

app.on('upgrade', (_req, socket: Socket, head) => {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.unshift(head);
  socket.pipe(socket);
  upgraded.add(socket);
  socket.once('close', () => upgraded.delete(socket));
  state.beat ??= setInterval(() => console.log(`${upgraded.size} upgraded`), 5000);
});

/** Closes whatever carries nothing: no answer on its way, and no request that has begun. */
function tidy(): void {
  if (!state.draining) return;
  for (const [socket, answers] of busy) {
    if (answers === 0 && socket.bytesRead === (seen.get(socket) ?? 0)) socket.end(() => socket.destroy());
  }
}

function leave(): void {
  if (state.draining) return;
  state.draining = true;
  console.log('Draining connections: %d', busy.size);
  console.log('told to stop');
  net.Server.prototype.close.call(app, () => {
    clearInterval(state.beat);
    clearTimeout(late);
  });
  const late = setTimeout(() => process.exit(1), limit);
  for (const socket of upgraded) socket.end();
  tidy();
}

process.on('SIGINT', leave);
process.on('SIGTERM', leave);
if (process.env['SHUTDOWN_PIPE']) {
  const stop = (socket: Socket): void => {
    socket.destroy();
    leave();
  };
  net.createServer(stop).listen(process.env['SHUTDOWN_PIPE']).unref();
}

app.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log('Server listening on http://localhost:' + (app.address() as { port: number }).port);
});
