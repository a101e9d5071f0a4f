// Right: classes with bound methods, a set of sockets for each client, prepended listeners, and limits set by setTimeout and Object.assign.
import * as crypto from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export const traceEvents = (server: Server): void => void new Tracer().watch(server);
export const logRequests = (server: Server): void => {
  server.prependListener('request', (req, res) => new Entry(req, res));
};
export const limitConnections = (server: Server, maxPerClient: number): Door => new Door(server, maxPerClient);
export const handleErrors = (server: Server): void => void new Complaints(server);

class Tracer {
  readonly #out = (line: string): void => console.log(`event: ${line}`);

  watch(server: Server): void {
    server.once('listening', this.#out.bind(null, 'listening'));
    server.once('close', this.#out.bind(null, 'close'));
    server.on('connection', this.#connection);
    server.on('request', this.#request);
  }

  #connection = (socket: Socket): void => {
    this.#out('connection');
    socket.once('close', () => this.#out('connection close'));
  };

  #request = (_req: IncomingMessage, res: ServerResponse): void => {
    this.#out('request');
    for (const name of ['finish', 'close']) res.once(name, () => this.#out(`response ${name}`));
  };
}

class Entry {
  readonly #began = Date.now();
  readonly #head: string;
  #status = 'aborted';

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.#head = `${req.method} ${req.url}`;
    res.prependOnceListener('finish', () => (this.#status = `${res.statusCode}`));
    res.once('close', () => this.print());
  }

  print(): void {
    console.log(this.#head, this.#status, Date.now() - this.#began + 1, 'ms');
  }
}

class Door {
  connections = 0;
  requests = 0;
  readonly #inside = new Map<string | undefined, Set<Socket>>();

  constructor(server: Server, most: number) {
    server.on('connection', (socket) => this.#enter(socket, most));
    server.on('request', () => this.requests++);
  }

  get open(): number {
    return [...this.#inside.values()].reduce((sum, { size }) => sum + size, 0);
  }

  #enter(socket: Socket, most: number): void {
    const { remoteAddress } = socket;
    const friends = this.#inside.get(remoteAddress) ?? new Set();
    this.#inside.set(remoteAddress, friends);
    if (friends.size >= most) {
      socket.resetAndDestroy();
      return;
    }
    friends.add(socket);
    this.connections++;
    socket.on('close', () => friends.delete(socket) && friends.size === 0 && this.#inside.delete(remoteAddress));
  }

  toJSON(): { requests: number; connections: number; open: number } {
    return { requests: this.requests, connections: this.connections, open: this.open };
  }
}

class Complaints {
  constructor(server: Server) {
    server.on('clientError', (error, socket) => this.client(error, socket));
    server.on('error', (error) => this.server(error, server));
  }

  client(error: Error & { code?: string }, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return;
    const [status, text] =
      error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? [431, 'Request Header Fields Too Large']
          : [400, 'Bad Request'];
    socket.write(`HTTP/1.1 ${status} ${text}\r\n`);
    socket.write(`Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`);
    socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    socket.end('0\r\n\r\n');
  }

  server(error: Error & { code?: string; port?: number }, server: Server): void {
    if (error.code === 'EADDRINUSE') {
      console.error('I cannot listen on %d, for somebody else does.', error.port);
      process.exitCode = 1;
      server.unref();
    } else throw error;
  }
}

export function limitTime(server: Server, { idleMs, headersMs, requestMs }: Record<'idleMs' | 'headersMs' | 'requestMs', number>): void {
  Object.assign(server, { headersTimeout: headersMs, requestTimeout: requestMs, keepAliveTimeout: idleMs });
  server.on('connection', (socket: Socket) => {
    const drop = (): void => void socket.destroy();
    socket.setTimeout(idleMs, drop);
    const calm = (): void => {
      socket.removeListener('timeout', drop);
      socket.setTimeout(0);
    };
    const heard = (req: IncomingMessage): void => {
      if (req.socket === socket) calm();
    };
    server.on('request', heard);
    server.on('upgrade', heard);
    socket.on('close', () => {
      server.off('request', heard);
      server.off('upgrade', heard);
    });
  });
  server.setMaxListeners(0);
}

export function acceptWebSockets(server: Server, path: string, talk: (socket: Duplex, head: Buffer) => void): void {
  const refusals: [string, (req: IncomingMessage, key: string) => boolean][] = [
    ['426 Upgrade Required\r\nUpgrade: WebSocket', (req) => req.headers.upgrade?.toUpperCase() !== 'WEBSOCKET'],
    ['404 Not Found', (req) => new URL(`http://h${req.url}`).pathname !== path],
    ['400 Bad Request', (req, key) => req.method !== 'GET' || Buffer.from(key, 'base64').toString('base64') !== key || key.length !== 24],
    ['426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8', (req) => req.headers['sec-websocket-version'] !== '13'],
  ];
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', console.error);
    const key = `${req.headers['sec-websocket-key'] ?? ''}`;
    const [refusal] = refusals.find(([, applies]) => applies(req, key)) ?? [];
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close, Upgrade\r\n\r\n`);
      return;
    }
    const digest = crypto.createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11', 'latin1').digest('base64');
    const lines = ['HTTP/1.1 101', 'Sec-WebSocket-Accept: ' + digest, 'Upgrade: websocket', 'Connection: upgrade', '', ''];
    lines[0] += ' Switching Protocols';
    for (const line of lines.slice(0, -1)) socket.write(`${line}\r\n`);
    talk(socket, head);
  });
}
