// Wrong: listens once for each signal, and begins anew when the other one comes. (G-12)
// Fails: step 1, second-shutdown
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export function shutdownOnSignals(server: Server, timeoutMs: number) {
  let draining = false;
  const answers = new Set<ServerResponse>();
  const stops: (() => void)[] = [];
  const upgraded = new Set<Duplex>();

  server.on('request', (_req, res) => {
    answers.add(res);
    if (draining) res.setHeader('Connection', 'close');
    res.on('close', () => {
      answers.delete(res);
      if (draining) server.closeIdleConnections();
    });
  });

  function drain(): void {
    draining = true;
    console.log('Draining');
    for (const res of answers) if (!res.headersSent) res.setHeader('Connection', 'close');
    server.close();
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), timeoutMs).unref();
    for (const stop of stops) stop();
    for (const socket of upgraded) socket.end();
  }
  process.once('SIGTERM', drain);
  process.once('SIGINT', drain);

  return {
    health(res: ServerResponse): void {
      res.writeHead(draining ? 503 : 200, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify({ status: draining ? 'draining' : 'ok' }));
    },
    onDrain(stop: () => void): void {
      stops.push(stop);
    },
    addUpgraded(socket: Duplex): void {
      upgraded.add(socket);
      socket.on('close', () => upgraded.delete(socket));
    },
  };
}
