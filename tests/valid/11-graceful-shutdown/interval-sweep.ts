// Right: server.close(), and an interval without a hold on the process that closes what is idle until all are gone.
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export const shutdownOnSignals = (server: Server, timeoutMs: number) => {
  const to = { end: [] as Duplex[], call: [] as (() => void)[] };
  let since = 0;
  const busy: Set<ServerResponse> = new Set();
  server.addListener('request', (_, res) => {
    busy.add(res);
    if (since) res.appendHeader('Connection', 'close');
    res.addListener('close', () => busy.delete(res));
  });
  const drain = async (): Promise<void> => {
    if (since) return console.log('(still draining)');
    since = Date.now();
    server.close();
    console.log('Draining, %d in flight', busy.size);
    busy.forEach((res) => res.headersSent || res.setHeader('connection', 'close'));
    to.call.forEach((call) => call());
    to.end.forEach((socket) => socket.end());
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      if (Date.now() - since < timeoutMs) return;
      clearInterval(sweep);
      server.closeAllConnections();
      process.exit(1);
    }, 25).unref();
  };
  process.on('SIGTERM', () => void drain()).on('SIGINT', () => void drain());
  return {
    health: (res: ServerResponse) => {
      const status = since ? 'draining' : 'ok';
      res.writeHead(since ? 503 : 200, 'whatever', ['Content-Type', 'application/json']).end(`{"status": "${status}", "since": ${since}}`);
    },
    onDrain: (call: () => void) => void to.call.push(call),
    addUpgraded: (socket: Duplex) => void to.end.push(socket),
  };
};
