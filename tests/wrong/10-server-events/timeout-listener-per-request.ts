// Wrong: each request adds a listener for 'timeout' to its socket.
// Fails: step 3, socket-listener-added-again
import { createHash } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What a server has seen so far. */
export interface Counts {
  /** Connections that are open now. */
  open: number;
  /** Connections that were let in since the start. */
  connections: number;
  /** Requests that have begun since the start. */
  requests: number;
}

/** In ms. */
export interface TimeLimits {
  /** How long a connection may stand open without a request. */
  idleMs: number;
  /** How long the head of a request may take to arrive. */
  headersMs: number;
  /** How long a whole request may take to arrive, its body included. */
  requestMs: number;
}

/** Prints `event: NAME` whenever something happens, so that the order can be seen. */
export function traceEvents(server: Server): void {
  const print = (name: string) => () => console.log(`event: ${name}`);
  server.on('listening', print('listening'));
  server.on('close', print('close'));
  server.on('connection', print('connection'));
  server.on('connection', (socket) => socket.on('close', print('connection close')));
  server.on('request', print('request'));
  server.on('request', (_req, res) => {
    res.on('finish', print('response finish'));
    res.on('close', print('response close'));
  });
}

/** Prints a line for each request once its answer is over, or its client has gone. */
export function logRequests(server: Server): void {
  server.on('request', (req, res) => {
    const { method, url } = req;
    const began = performance.now();
    res.on('close', () => {
      const status = res.writableFinished ? res.statusCode : 'aborted';
      console.log(`${method} ${url} ${status} ${Math.round(performance.now() - began)} ms`);
    });
  });
}

/** Counts, and hangs up at once on a client address that already holds `maxPerClient` connections. */
export function limitConnections(server: Server, maxPerClient: number): Counts {
  const counts: Counts = { open: 0, connections: 0, requests: 0 };
  const held = new Map<string | undefined, Set<Socket>>();
  server.on('connection', (socket) => {
    const { remoteAddress } = socket;
    const mates = held.get(remoteAddress) ?? new Set();
    if (mates.size >= maxPerClient) return socket.destroy();
    held.set(remoteAddress, mates.add(socket));
    counts.open += 1;
    counts.connections += 1;
    socket.on('close', () => {
      counts.open -= 1;
      mates.delete(socket);
      if (mates.size === 0) held.delete(remoteAddress);
    });
  });
  server.on('request', () => {
    counts.requests += 1;
  });
  return counts;
}

/** Answers what is no HTTP, and says in one sentence why the server cannot listen. */
export function handleErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) socket.destroy();
    else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, 431);
    else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') refuse(socket, 408);
    else refuse(socket, 400);
  });
  server.on('error', (error: NodeJS.ErrnoException & { port?: number }) => {
    if (error.code !== 'EADDRINUSE') throw error;
    console.error(`Port ${error.port} is taken: another program listens there.`);
    process.exit(1);
  });
}

/** Hangs up on whoever takes too long. An answer may take as long as it likes. */
export function limitTime(server: Server, { idleMs, headersMs, requestMs }: TimeLimits): void {
  server.headersTimeout = headersMs;
  server.requestTimeout = requestMs;
  server.keepAliveTimeout = idleMs;
  // Node's own listener for 'timeout' destroys the socket.
  server.on('connection', (socket) => socket.setTimeout(idleMs));
  server.on('request', (req) => req.socket.setTimeout(0));
  server.on('request', (req) => req.socket.on('timeout', () => req.socket.destroy()));
}

/** Shakes hands with WebSocket clients at `path` (RFC 6455, 4.2.2) and refuses every other upgrade. */
export function acceptWebSockets(
  server: Server,
  path: string,
  talk: (socket: Duplex, head: Buffer) => void,
): void {
  server.on('upgrade', (req, socket, head) => {
    const key = req.headers['sec-websocket-key'];

    // Node has taken its own listeners off: without this one, a reset would end the process.
    socket.on('error', () => socket.destroy());
    if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
      return refuse(socket, 426, ['Upgrade: websocket']);
    }
    if (req.url?.split('?')[0] !== path) return refuse(socket, 404);
    if (req.method !== 'GET' || !key || !/^[A-Za-z0-9+/]{22}==$/.test(key)) {
      return refuse(socket, 400);
    }
    if (req.headers['sec-websocket-version'] !== '13') {
      return refuse(socket, 426, ['Upgrade: websocket', 'Sec-WebSocket-Version: 13']);
    }
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\n' +
        'Upgrade: websocket\r\n' +
        'Connection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    talk(socket, head);
  });
}

/** Answers on a bare socket, for which there is no ServerResponse, and hangs up. */
function refuse(
  socket: Duplex,
  status: number,
  fields: string[] = [],
  reason = `${STATUS_CODES[status]}`,
): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(reason) + 1}`,
    ...fields,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}\n`, () => socket.destroy());
}
