// Right: listeners as async functions with once(), one interval that sweeps silent sockets, other errors thrown from a microtask.
import { once } from 'node:events';
import * as http from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { webcrypto } from 'node:crypto';

type State = { since: number; busy: number };
const states = new Map<Socket, State>();

export const traceEvents = (server: http.Server): void => {
  const line = (...words: string[]) => void process.stdout.write(['event:', ...words].join(' ') + '\n');
  void once(server, 'listening').then(() => line('listening')).catch(() => {});
  server.on('close', line.bind(null, 'close'));
  server.on('connection', async (socket) => {
    line('connection');
    await new Promise((done) => socket.on('close', done));
    line('connection', 'close');
  });
  server.on('request', (_, res) => {
    line('request');
    res.on('close', () => line('response', 'close')).on('finish', () => line('response', 'finish'));
  });
};

export const logRequests = (server: http.Server): void =>
  void server.on('request', function (req, res) {
    const label = performance.mark(`${Math.random()}`);
    let state = 'aborted';
    res.once('finish', () => (state = `${res.statusCode}`));
    res.once('close', () => console.log([req.method, req.url, state, performance.measure('r', label.name).duration.toFixed(0), 'ms'].join(' ')));
  });

export const limitConnections = (server: http.Server, max: number) => {
  const c = { open: 0, connections: 0, requests: 0 };
  server.on('connection', (socket) => {
    const mine = [...states.keys()].filter((other) => !other.destroyed && other.remoteAddress === socket.remoteAddress);
    if (mine.length >= max) return void socket.destroy();
    states.set(socket, { since: Date.now(), busy: 0 });
    c.open = states.size;
    c.connections += 1;
    socket.on('close', () => {
      states.delete(socket);
      c.open = states.size;
    });
  });
  server.on('request', () => (c.requests += 1));
  return c;
};

export const handleErrors = (server: http.Server): void => {
  server.on('clientError', async (error: NodeJS.ErrnoException, socket) => {
    await null;
    if (socket.writableEnded || socket.destroyed) return;
    const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ''] ?? 400;
    const text = http.STATUS_CODES[status] ?? '';
    socket.write(`HTTP/1.1 ${status} ${text}\r\n`);
    socket.write(`content-length: ${text.length}\r\n`);
    socket.write(`connection: close\r\n\r\n`);
    socket.write(text);
    socket.end();
  });
  server.on('error', (error: NodeJS.ErrnoException & { port?: number }) => {
    if (error.code === 'EADDRINUSE') {
      process.exitCode = 1;
      console.error('Cannot listen on port', error.port);
      sweeper && clearInterval(sweeper);
    } else queueMicrotask(() => { throw error; });
  });
};

let sweeper: NodeJS.Timeout | undefined;
export const limitTime = (server: http.Server, { idleMs, headersMs, requestMs }: Record<'idleMs' | 'headersMs' | 'requestMs', number>): void => {
  server.headersTimeout = headersMs;
  server.requestTimeout = requestMs;
  server.keepAliveTimeout = idleMs;
  server.on('request', (req, res) => {
    const state = states.get(req.socket);
    if (!state) return;
    state.busy++;
    res.on('close', () => {
      state.busy--;
      state.since = Infinity; // Node's keepAliveTimeout takes over
    });
  });
  server.on('connection', (socket) => socket.once('data', () => { const s = states.get(socket); if (s) s.since = Infinity; }));
  sweeper = setInterval(() => {
    for (const [socket, { since, busy }] of states) if (busy === 0 && Date.now() - since > idleMs) socket.end().destroySoon();
  }, 20);
  sweeper.unref();
};

export const acceptWebSockets = (server: http.Server, path: string, talk: (socket: Duplex, head: Buffer) => void): void => {
  server.on('upgrade', async (req, socket, head) => {
    socket.on('error', (error) => void error);
    const s = states.get(socket as Socket);
    if (s) s.since = Infinity;
    const answer = (status: number, ...fields: string[]) =>
      socket.end(`HTTP/1.1 ${status} No\r\n${['Connection: close', ...fields].join('\r\n')}\r\n\r\nNo.`);
    const h = new Headers(req.headers as Record<string, string>);
    if ((h.get('upgrade') ?? '').toUpperCase() !== 'WEBSOCKET') return answer(426, 'upgrade: WebSocket');
    if ((req.url ?? '').replace(/\?.*/, '') !== path) return answer(404);
    const key = h.get('sec-websocket-key') ?? '';
    if (req.method !== 'GET' || !/^[a-z\d+/]{21}[AQgw]==$/i.test(key)) return answer(400);
    if (h.get('sec-websocket-version') !== '13') return answer(426, 'Upgrade: websocket', 'Sec-Websocket-Version: 13');
    const digest = await webcrypto.subtle.digest('SHA-1', new TextEncoder().encode(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'));
    if (socket.destroyed) return;
    socket.cork();
    socket.write('HTTP/1.1 101 Switching Protocols\r\n');
    socket.write('Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n');
    socket.write(`Sec-WebSocket-Accept: ${btoa(String.fromCharCode(...new Uint8Array(digest)))}\r\n\r\n`);
    process.nextTick(() => socket.uncork());
    talk(socket, head);
  });
};
