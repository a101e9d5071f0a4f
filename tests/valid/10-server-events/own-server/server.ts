// Right: a whole program of its own in one file, with require, on all interfaces, headers set one by one, and a pause for each answer.
import { createRequire } from 'node:module';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const require = createRequire(import.meta.url);
const http = require('node:http') as typeof import('node:http');
const crypto = require('node:crypto') as typeof import('node:crypto');

const number = (name: string, otherwise: number): number => parseInt(process.env[name] ?? '', 10) || otherwise;
const idle = number('IDLE_MS', 5000);
const most = number('MAX_CONNECTIONS', 100);
const say = (what: string): boolean => process.stdout.write(`event: ${what}\n`);

const sockets = new Map<Socket, string>();
let total = 0;
let asked = 0;

const server: Server = new http.Server(
  {
    connectionsCheckingInterval: 20,
    headersTimeout: number('HEADERS_MS', 60000),
    requestTimeout: number('REQUEST_MS', 300000),
    keepAliveTimeout: idle,
  },
  answer,
);

server.addListener('listening', () => {
  say('listening');
  const at = server.address() as { port: number };
  process.stdout.write(`Server listening on http://localhost:${at.port}\n`);
});
server.addListener('close', () => say('close'));

server.addListener('connection', (socket: Socket) => {
  say('connection');
  socket.once('close', () => {
    sockets.delete(socket);
    say('connection close');
  });
  const from = String(socket.remoteAddress);
  if ([...sockets.values()].filter((other) => other === from).length === most) {
    socket.end();
    setImmediate(() => socket.destroy());
    return;
  }
  sockets.set(socket, from);
  total++;
  const timer = setTimeout(() => socket.destroy(), idle);
  timers.set(socket, timer);
});

const timers = new WeakMap<Socket, NodeJS.Timeout>();

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  clearTimeout(timers.get(req.socket));
  asked++;
  say('request');
  const start = process.hrtime();
  let whole = false;
  res.once('finish', () => {
    whole = true;
    say('response finish');
  });
  res.once('close', () => {
    say('response close');
    const [s, ns] = process.hrtime(start);
    console.info('%s %s %s %s ms', req.method, req.url, whole ? res.statusCode : 'aborted', (s * 1e3 + ns / 1e6).toFixed(2));
  });
  await Promise.resolve();
  const path = /^[^?]*/.exec(req.url ?? '')?.[0];
  if (req.method === 'GET' && path === '/') {
    res.setHeader('content-type', 'text/plain');
    res.end('Hello');
  } else if (req.method === 'GET' && path === '/slow') {
    res.write('first\n');
    const wait = setTimeout(() => res.end('last\n'), Number(/ms=(\d+)/.exec(req.url ?? '')?.[1]));
    res.once('close', () => clearTimeout(wait));
  } else if (req.method === 'POST' && path === '/upload') {
    req.resume().on('end', () => res.end('thank you'));
  } else if (req.method === 'GET' && path === '/counts') {
    res.setHeader('content-type', 'application/json');
    res.write('{\n  "open" : ');
    res.end(`${sockets.size},\n  "connections" : ${total},\n  "requests" : ${asked}\n}`);
  } else if (req.method === 'GET' && path === '/limits') {
    res.setHeader('content-type', 'application/json');
    const { headersTimeout, requestTimeout, keepAliveTimeout } = server;
    res.end(JSON.stringify({ keepAliveTimeout, requestTimeout, headersTimeout }, null, 2));
  } else if (req.method === 'POST' && path === '/close') {
    server.close();
    res.end();
  } else {
    res.statusCode = 404;
    res.end();
  }
}

const words: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

server.addListener('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
  const status = words[error.code ?? ''] ?? '400 Bad Request';
  // No Content-Length: the end of the connection ends the body.
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n${status.slice(4)}`);
});

server.addListener('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE') process.stderr.write(`Somebody else has port ${process.env['PORT']}.\n`);
  else console.error(error);
  process.exit(1);
});

server.addListener('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
  socket.on('error', () => {});
  clearTimeout(timers.get(socket));
  const no = (status: string, more = ''): void => {
    socket.end(`HTTP/1.1 ${status}\r\n${more}content-length: 0\r\nconnection: close\r\n\r\n`);
  };
  const { upgrade, 'sec-websocket-key': key, 'sec-websocket-version': version } = req.headers;
  if (!/^websocket$/i.test(upgrade ?? '')) return no('426 Upgrade Required', 'upgrade: websocket\r\n');
  if (!/^\/echo(\?|$)/.test(req.url ?? '')) return no('404 Not Found');
  if (req.method !== 'GET' || Buffer.from(key ?? '', 'base64').length !== 16) return no('400 Bad Request');
  if (version !== '13') return no('426 Upgrade Required', 'upgrade: websocket\r\nsec-websocket-version: 13\r\n');
  const accept = crypto.createHash('sha1').update(key ?? '').update('258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest();
  socket.write(`HTTP/1.1 101 Welcome\r\nsec-websocket-accept: ${accept.toString('base64')}\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\n`);
  let bytes = Buffer.alloc(0);
  const take = (more: Buffer): void => {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= 6 && bytes.length >= 6 + ((bytes[1] ?? 0) & 127)) {
      const size = (bytes[1] ?? 0) & 127;
      const body = bytes.subarray(6, 6 + size).map((byte, index) => byte ^ (bytes[2 + (index % 4)] ?? 0));
      socket.write(Buffer.from([bytes[0] ?? 0, size, ...body]));
      if (((bytes[0] ?? 0) & 15) === 8) socket.end();
      bytes = bytes.subarray(6 + size);
    }
  };
  take(head);
  socket.on('data', take);
  socket.on('end', () => socket.end());
});

server.listen({ port: Number(process.env['PORT'] ?? 3000), host: process.env['HOST'] });
