// Right: stream.finished() for the log, ServerResponse on bare sockets, one server-wide timeout that spares busy sockets, refused with a reset.
import { createHash } from 'node:crypto';
import { ServerResponse, IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { finished, type Duplex } from 'node:stream';
import { writeSync } from 'node:fs';

const say = console.info;

export function traceEvents(server: Server): void {
  for (const name of ['listening', 'close'] as const) server.addListener(name, () => say('event: ' + name));
  server.prependListener('connection', (socket: Socket) => {
    say('event: connection');
    socket.once('close', () => say('event: connection close'));
  });
  server.prependListener('request', (_req, res) => {
    say('event: request');
    for (const name of ['finish', 'close']) res.once(name, () => say(`event: response ${name}`));
  });
}

export function logRequests(server: Server): void {
  server.on('request', (req, res) => {
    const start = Date.now();
    const { method, url } = req;
    finished(res, (error) => {
      say('%s %s %s %d ms', method, url, error ? 'aborted' : String(res.statusCode), Date.now() - start);
    });
  });
}

export function limitConnections(server: Server, maxPerClient: number) {
  const clients = new Map<string, number>();
  let connections = 0;
  let requests = 0;
  server.on('connection', (socket) => {
    const client = socket.remoteAddress ?? '?';
    const held = clients.get(client) ?? 0;
    if (held + 1 > maxPerClient) {
      socket.resetAndDestroy();
      return;
    }
    clients.set(client, held + 1);
    connections++;
    socket.once('close', () => clients.set(client, (clients.get(client) ?? 1) - 1));
  });
  server.prependListener('request', () => void requests++);
  return {
    get open() {
      let open = 0;
      for (const held of clients.values()) open += held;
      return open;
    },
    get connections() {
      return connections;
    },
    get requests() {
      return requests;
    },
  };
}

/** A whole response on a bare socket, with Node's own class. */
function respond(socket: Duplex, req: IncomingMessage | undefined, status: number, text: string, fields: Record<string, string> = {}): void {
  const res = new ServerResponse(req ?? new IncomingMessage(socket as Socket));
  res.shouldKeepAlive = false;
  res.assignSocket(socket as Socket);
  for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
  res.statusCode = status;
  res.end(text);
  res.on('finish', () => (socket as Socket).destroySoon());
}

export function handleErrors(server: Server): void {
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    if (socket.destroyed || !socket.writable) return;
    const [status, text] =
      error.code === 'HPE_HEADER_OVERFLOW' ? [431, 'Request Header Fields Too Large'] as const
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? [408, 'Request Timeout'] as const
      : [400, 'Bad Request'] as const;
    socket.end([`HTTP/1.1 ${status} ${text}`, 'Connection: close', 'Transfer-Encoding: chunked', '', text.length.toString(16), text, '0', '', ''].join('\r\n'));
  });
  server.once('error', function listener(this: Server, error: Error & { code?: string; port?: number }) {
    if (error.code === 'EADDRINUSE') {
      writeSync(2, `Port ${error.port} is in use.\n`);
      process.exit(1);
    }
    // Nobody listens any more, so this throws.
    server.emit('error', error);
  });
}

export function limitTime(server: Server, limits: { idleMs: number; headersMs: number; requestMs: number }): void {
  Object.assign(server, { headersTimeout: limits.headersMs, requestTimeout: limits.requestMs, keepAliveTimeout: limits.idleMs, timeout: limits.idleMs });
  const busy = new WeakSet<object>();
  server.on('request', (req, res) => {
    const { socket } = req;
    busy.add(socket);
    res.on('close', () => busy.delete(socket));
  });
  server.on('upgrade', (_req, socket) => {
    busy.add(socket);
    (socket as Socket).setTimeout(0);
  });
  server.on('timeout', (socket) => {
    if (!busy.has(socket)) socket.destroy();
  });
}

export function acceptWebSockets(server: Server, path: string, talk: (socket: Duplex, head: Buffer) => void): void {
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => {});
    const { headers, method } = req;
    const no = (status: number, text: string, fields = {}) => respond(socket, req, status, text, fields);
    const url = req.url ?? '';
    const [wanted] = url.split('?');
    switch (true) {
      case headers.upgrade?.toLowerCase() !== 'websocket':
        return no(426, 'no', { Upgrade: 'websocket', Connection: 'Upgrade, close' });
      case wanted !== path:
        return no(404, 'no');
      case method !== 'GET' || Buffer.from(headers['sec-websocket-key'] ?? '', 'base64').toString('base64') !== headers['sec-websocket-key'] || headers['sec-websocket-key'].length !== 24 || !headers['sec-websocket-key'].endsWith('=='):
        return no(400, 'no');
      case headers['sec-websocket-version'] !== '13':
        return no(426, 'no', { 'Sec-WebSocket-Version': '13, 8' });
    }
    const hash = createHash('sha1');
    hash.end(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    const res = new ServerResponse(req);
    res.assignSocket(socket as Socket);
    res.writeHead(101, { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-accept': (hash.read() as Buffer).toString('base64') });
    res.flushHeaders();
    res.detachSocket(socket as Socket);
    talk(socket, head);
  });
}
