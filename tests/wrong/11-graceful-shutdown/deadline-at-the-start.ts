// Wrong: sets its deadline when the program starts.
// Fails: step 4, cut-too-early
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

  setTimeout(() => process.exit(1), timeoutMs).unref();
  function drain(): void {
    if (draining) return;
    draining = true;
    console.log('Draining');
    for (const res of answers) if (!res.headersSent) res.setHeader('Connection', 'close');
    server.close();
    server.closeIdleConnections();
    for (const stop of stops) stop();
    for (const socket of upgraded) socket.end();
  }
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);

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
