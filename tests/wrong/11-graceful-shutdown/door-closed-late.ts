// Wrong: says that it drains and closes the door 800 ms later.
// Fails: step 1, still-accepting
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Shutdown {
  /** Answers a health check: 200 while the server takes on work, 503 once it is draining. */
  health(res: ServerResponse): void;
  /** Has `stop` called when the draining begins: for timers, and whatever else keeps the process alive. */
  onDrain(stop: () => void): void;
  /** Takes charge of a socket that http has handed over, and ends it when the draining begins. */
  addUpgraded(socket: Duplex): void;
}

/**
 * Drains the server on SIGTERM or SIGINT, so that the process ends when the last answer is out: with status 0, or with 1
 * where `timeoutMs` passed first.
 */
export function shutdownOnSignals(server: Server, timeoutMs: number): Shutdown {
  let draining = false;

  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);

  /** The answers that each connection waits for, oldest first: more than one where the client has sent ahead. */
  const connections = new Map<Socket, Set<ServerResponse>>();
  server.on('connection', (socket) => {
    connections.set(socket, new Set());
    socket.on('close', () => connections.delete(socket));
  });
  server.prependListener('request', (req, res) => {
    const answers = connections.get(req.socket);
    answers?.add(res);
    if (draining) res.setHeader('Connection', 'close');
    res.on('close', () => answers?.delete(res));
  });

  server.on('request', (_req, res) => {
    res.on('close', () => {
      if (draining) hangUpSoon();
    });
  });

  const stops = new Set<() => void>();
  const upgraded = new Set<Duplex>();

  /** Runs at the first signal, and at every further one. */
  function drain(): void {
    if (draining) return;
    draining = true;
    console.log('Draining');
    // server.close() would also hang up on whoever seems idle: here that is hangUpIdle's work.
    setTimeout(() => NetServer.prototype.close.call(server), 800);
    for (const answers of connections.values()) {
      const last = [...answers].at(-1);
      if (last && !last.headersSent) last.setHeader('Connection', 'close');
    }
    hangUpSoon();

    setTimeout(() => {
      console.error(`Not done after ${timeoutMs} ms: cutting what is left`);
      process.exit(1);
    }, timeoutMs).unref();
    for (const stop of stops) stop();
    for (const socket of upgraded) socket.end();
  }

  /** A moment later, because a request may be on its way on a connection that seems idle. */
  function hangUpSoon(): void {
    setTimeout(hangUpIdle, 100).unref();
  }

  function hangUpIdle(): void {
    // To Node an answer is over with its end(), though a slow client may still be reading it.
    const owed = [...connections.values()].flatMap((answers) => [...answers]);
    if (owed.some((res) => res.writableEnded)) return;
    server.closeIdleConnections();
    // Before 26.4, Node doesn't count a connection as idle that has never sent a byte.
    for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
  }

  return {
    health(res) {
      res.writeHead(draining ? 503 : 200, { 'Content-Type': 'application/json; charset=utf-8' });
      res.end(`${JSON.stringify({ status: draining ? 'draining' : 'ok' })}\n`);
    },
    onDrain(stop) {
      if (draining) stop();
      else stops.add(stop);
    },
    addUpgraded(socket) {
      upgraded.add(socket);
      socket.on('close', () => upgraded.delete(socket));
      if (draining) socket.end();
    },
  };
}
