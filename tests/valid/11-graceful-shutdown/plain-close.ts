// Right: server.close() with a callback that exits, closeIdleConnections after each answer, and a second signal that ends the process with status 1.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export function shutdownOnSignals(server: Server, timeoutMs: number) {
  const inFlight = new Set<ServerResponse>();
  const sockets: Duplex[] = [];
  const callbacks: Array<() => void> = [];
  let stopping = false;

  function stop(signal: NodeJS.Signals): void {
    if (stopping) {
      console.error(`${signal} again: leaving at once`);
      process.exit(1);
    }
    stopping = true;
    console.log(`Draining after ${signal}…`);
    for (const res of inFlight) res.shouldKeepAlive = false;
    server.close((error) => process.exit(error ? 1 : 0));
    server.closeIdleConnections();
    setTimeout(() => {
      server.closeAllConnections();
      process.exit(1);
    }, timeoutMs);
    callbacks.forEach((callback) => callback());
    sockets.forEach((socket) => socket.destroy());
  }

  server.on('request', (_req: IncomingMessage, res: ServerResponse) => {
    inFlight.add(res);
    if (stopping) res.setHeader('connection', 'close');
    res.on('close', () => {
      inFlight.delete(res);
      if (stopping) server.closeIdleConnections();
    });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);

  return {
    health(res: ServerResponse): void {
      res.statusCode = stopping ? 503 : 200;
      res.setHeader('Content-Type', 'application/json');
      res.setHeader('Cache-Control', 'no-store');
      res.end(stopping ? '{"status":"draining"}' : '{ "status": "ok" }');
    },
    onDrain: (stop: () => void): unknown => callbacks.push(stop),
    addUpgraded: (socket: Duplex): unknown => sockets.push(socket),
  };
}
