// Wrong: hangs up by res.socket at the answer's 'close', where it is null. (G-05)
// Fails: step 6, kept-alive-too-long
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
      if (draining) res.socket?.destroy();
    });
  });

  function drain(): void {
    if (draining) return;
    draining = true;
    console.log('Draining');
    for (const res of answers) if (!res.headersSent) res.setHeader('Connection', 'close');
    server.close();
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), timeoutMs).unref();
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
