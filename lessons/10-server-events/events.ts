import { createHash } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
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
  // TODO(step 1): Print the order of events
  server.on('request', (_req, res) => {
    res.writeHead(501).end('TODO(step 1): Print the order of events\n');
  });
}

/** Prints a line for each request once its answer is over, or its client has gone. */
export function logRequests(server: Server): void {
  // TODO(step 2): Log a request when it is over
  server.on('request', () => {});
}

/** Counts, and hangs up at once on a client address that already holds `maxPerClient` connections. */
export function limitConnections(server: Server, maxPerClient: number): Counts {
  const counts: Counts = { open: 0, connections: 0, requests: 0 };
  // TODO(step 3): Count and limit connections
  server.on('connection', () => {});
  return counts;
}

/** Answers what is no HTTP, and says in one sentence why the server cannot listen. */
export function handleErrors(server: Server): void {
  // TODO(step 4): Handle both kinds of error
  server.on('clientError', (_error, socket) => {
    refuse(socket, 501, [], 'TODO(step 4): Handle both kinds of error');
  });
}

/** Hangs up on whoever takes too long. An answer may take as long as it likes. */
export function limitTime(server: Server, { idleMs, headersMs, requestMs }: TimeLimits): void {
  // TODO(step 5): Limit the time of silence
  server.on('connection', () => {});
}

/** Shakes hands with WebSocket clients at `path` (RFC 6455, 4.2.2) and refuses every other upgrade. */
export function acceptWebSockets(
  server: Server,
  path: string,
  talk: (socket: Duplex, head: Buffer) => void,
): void {
  server.on('upgrade', (req, socket, head) => {
    const key = req.headers['sec-websocket-key'];

    // TODO(step 7): Refuse every other upgrade
    if (req.url !== path) return refuse(socket, 501, [], 'TODO(step 7): Refuse every other upgrade');
    // TODO(step 6): Shake hands with a WebSocket
    refuse(socket, 501, [], 'TODO(step 6): Shake hands with a WebSocket');
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
