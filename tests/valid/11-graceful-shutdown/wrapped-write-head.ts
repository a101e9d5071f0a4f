// Right: says Connection: close where every head is written, by wrapping writeHead; hangs up on sockets one by one.
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export function shutdownOnSignals(server: Server, timeoutMs: number) {
  let draining = false;
  const beginnings: Array<() => void> = [];
  server.on('request', (req, res) => {
    const writeHead = res.writeHead;
    res.writeHead = function (this: ServerResponse, ...args: never[]) {
      if (draining) this.setHeader('Connection', 'close');
      return (writeHead as (...args: never[]) => ServerResponse).apply(this, args);
    } as typeof res.writeHead;
    res.on('finish', () => {
      if (draining) req.socket.end();
    });
  });
  const drain = (): void => {
    draining = true;
    console.log('Draining');
    process.off('SIGTERM', drain).off('SIGINT', drain);
    process.on('SIGTERM', () => process.exit(143)).on('SIGINT', () => process.exit(130));
    server.close(() => process.exit());
    server.closeIdleConnections();
    setTimeout(process.exit, timeoutMs, 1).unref();
    while (beginnings.length > 0) beginnings.pop()?.();
  };
  process.on('SIGTERM', drain).on('SIGINT', drain);
  return {
    health(res: ServerResponse) {
      if (server.listening) res.end('{"status":"ok"}');
      else res.writeHead(503, 'Draining', { 'Content-Type': 'application/json' }).end('{"status":"draining"}');
    },
    onDrain: (stop: () => void) => void beginnings.push(stop),
    addUpgraded: (socket: Duplex) => void beginnings.push(() => socket.destroy()),
  };
}
