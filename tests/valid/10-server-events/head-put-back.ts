// Right: async functions, head put back with unshift, the node's own getConnections, a timer for each socket, refusals by a table.
import { createHash } from 'node:crypto';
import http, { type Server } from 'node:http';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';

export async function traceEvents(server: Server): Promise<void> {
  const log = (...what: string[]): void => {
    process.stdout.write(`event: ${what.join(' ')}\r\n`);
  };
  server.on('connection', async (socket) => {
    log('connection');
    await once(socket, 'close').catch(() => new Promise((resolve) => socket.once('close', resolve)));
    log('connection', 'close');
  });
  server.on('request', (_, res) => {
    log('request');
    res.on('finish', () => log('response', 'finish')).on('close', () => log('response', 'close'));
  });
  server.on('close', () => log('close'));
  await once(server, 'listening').then(() => log('listening'), () => {});
}

export function logRequests(server: Server): void {
  server.on('request', async (req, res) => {
    const line = [req.method, req.url];
    const started = process.hrtime.bigint();
    await new Promise((resolve) => res.on('close', resolve));
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    console.log(...line, res.writableFinished ? res.statusCode : 'aborted', ms.toFixed(3) + 'ms');
  });
}

export function limitConnections(server: Server, most: number) {
  const counts = { connections: 0, requests: 0, open: 0, note: 'more than was asked for' };
  const held: Record<string, number> = Object.create(null);
  server.on('connection', (socket) => {
    const who = inspect(socket.remoteAddress);
    if ((held[who] ??= 0) === most) return void socket.end().destroy();
    held[who]++;
    counts.connections++;
    counts.open = Object.values(held).reduce((a, b) => a + b, 0);
    socket.on('close', () => {
      held[who] = (held[who] ?? 1) - 1;
      counts.open = Object.values(held).reduce((a, b) => a + b, 0);
    });
  });
  server.prependListener('request', () => {
    counts.requests = counts.requests + 1;
  });
  return counts;
}

export function handleErrors(server: Server): void {
  const codes: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  server.on('clientError', (error, socket) => {
    if (socket.destroyed || socket.writableEnded) return;
    const status = codes[(error as { code?: string }).code ?? ''] ?? 400;
    socket.end(reply(status, http.STATUS_CODES[status]));
  });
  server.on('error', async (error: { code?: string; message: string; address?: string; port?: number }) => {
    await null;
    const text = error.code === 'EADDRINUSE' ? `Another process has ${error.address}:${error.port}, so there is nothing to do here.` : inspect(error);
    process.stderr.write(text + '\n', () => process.exit(1));
  });
}

function reply(status: number, body = '', ...fields: string[]): string {
  return [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, ...fields, `content-length:${Buffer.byteLength(body)}`, 'x-powered-by: hand', 'connection:close', '', body].join('\r\n');
}

export function limitTime(server: Server, limits: { idleMs: number; headersMs: number; requestMs: number }): void {
  server.keepAliveTimeout = limits.idleMs;
  [server.headersTimeout, server.requestTimeout] = [limits.headersMs, limits.requestMs];
  server.on('connection', (socket) => {
    const timer = setTimeout(() => socket.resetAndDestroy(), limits.idleMs).unref();
    socket.once('close', () => clearTimeout(timer));
    socket.once('data', () => clearTimeout(timer));
  });
}

const guid = Buffer.from('258EAFA5-E914-47DA-95CA-C5AB0DC85B11');

export function acceptWebSockets(server: Server, path: string, talk: (socket: Duplex, head: Buffer) => void): void {
  server.on('upgrade', async (req, socket: Duplex, head) => {
    socket.on('error', function (this: Duplex) {
      this.destroy();
    });
    try {
      await Promise.resolve();
      const refusal = refuse();
      if (refusal) return void socket.end(refusal);
      const accept = createHash('sha1').update(Buffer.concat([Buffer.from(req.headers['sec-websocket-key'] ?? ''), guid])).digest('base64');
      socket.write(Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nX-Greeting: hello\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Accept:${accept}\r\n\r\n`));
      if (head.length > 0) socket.unshift(head);
      talk(socket, Buffer.alloc(0));
    } catch {
      socket.destroy();
    }

    function refuse(): string | undefined {
      const { headers } = req;
      if (headers['upgrade']?.trim().toLowerCase() !== 'websocket') return reply(426, 'WebSocket only', 'Upgrade: websocket', 'connection: upgrade');
      const url = URL.canParse(req.url ?? '', 'http://localhost') ? new URL(req.url ?? '', 'http://localhost') : undefined;
      if (url?.pathname !== path) return reply(404, 'no such thing');
      if (!(req.method === 'GET' && atobSafe(headers['sec-websocket-key']).length === 16)) return reply(400, 'bad handshake');
      return Number(headers['sec-websocket-version']) === 13 ? undefined : reply(426, 'wrong version', 'sec-websocket-version: 13');
    }
  });
}

function atobSafe(text = ''): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}
