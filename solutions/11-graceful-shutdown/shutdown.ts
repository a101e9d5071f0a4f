import type { Server, ServerResponse } from 'node:http';
//#region step 2
import { Server as NetServer, type Socket } from 'node:net';
//#endregion
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

  //#region step 1
  //: server.on('request', (_req, res) => {
  //:   res.writeHead(501).end('TODO(step 1): Finish what is in flight\n');
  //: });
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
  //#endregion

  //#region step 2: Hang up after the answer
  //: server.on('request', () => {});
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
  //#endregion

  //#region step 6: Lose nothing under load
  //: server.on('request', (_req, res) => res.on('close', () => {}));
  server.on('request', (_req, res) => {
    res.on('close', () => {
      if (draining) hangUpSoon();
    });
  });
  //#endregion

  //#region step 5
  const stops = new Set<() => void>();
  const upgraded = new Set<Duplex>();
  //#endregion

  /** Runs at the first signal, and at every further one. */
  function drain(): void {
    //#region step 1: Finish what is in flight
    if (draining) return;
    draining = true;
    console.log('Draining');
    // server.close() would also hang up on whoever seems idle: here that is hangUpIdle's work.
    NetServer.prototype.close.call(server);
    //#endregion
    //#region step 2
    for (const answers of connections.values()) {
      const last = [...answers].at(-1);
      if (last && !last.headersSent) last.setHeader('Connection', 'close');
    }
    hangUpSoon();
    //#endregion

    //#region step 4: Cut what is late
    //: const cut = (): void => {};
    setTimeout(() => {
      console.error(`Not done after ${timeoutMs} ms: cutting what is left`);
      process.exit(1);
    }, timeoutMs).unref();
    //#endregion
    //#region step 5
    for (const stop of stops) stop();
    for (const socket of upgraded) socket.end();
    //#endregion
  }

  //#region step 2
  /** A moment later, because a request may be on its way on a connection that seems idle. */
  function hangUpSoon(): void {
    setTimeout(hangUpIdle, 100).unref();
  }

  function hangUpIdle(): void {
    //#endregion
    //#region step 6
    // To Node an answer is over with its end(), though a slow client may still be reading it.
    const owed = [...connections.values()].flatMap((answers) => [...answers]);
    if (owed.some((res) => res.writableEnded)) return;
    //#endregion
    //#region step 2
    server.closeIdleConnections();
    //#endregion
    //#region step 5
    // Before 26.4, Node doesn't count a connection as idle that has never sent a byte.
    for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
    //#endregion
    //#region step 2
  }
  //#endregion

  return {
    health(res) {
      //#region step 3: Say that you are draining
      //: res.writeHead(501).end('TODO(step 3): Say that you are draining\n');
      res.writeHead(draining ? 503 : 200, { 'Content-Type': 'application/json; charset=utf-8' });
      res.end(`${JSON.stringify({ status: draining ? 'draining' : 'ok' })}\n`);
      //#endregion
    },
    onDrain(stop) {
      //#region step 5
      //: // Step 5 needs this one as well.
      if (draining) stop();
      else stops.add(stop);
      //#endregion
    },
    addUpgraded(socket) {
      //#region step 5: Close what http has forgotten
      //: socket.end('HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\nTODO(step 5): Close what http has forgotten\n');
      upgraded.add(socket);
      socket.on('close', () => upgraded.delete(socket));
      if (draining) socket.end();
      //#endregion
    },
  };
}
