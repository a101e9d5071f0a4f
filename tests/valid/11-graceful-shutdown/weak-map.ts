// Right: its own set of connections, and a WeakMap that knows how much each had read when its last answer went out.
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export function shutdownOnSignals(server: Server, timeoutMs: number) {
  let draining = false;
  const open = new Set<Socket>();
  const answersOf = new WeakMap<Socket, Set<ServerResponse>>();
  const readThen = new WeakMap<Socket, number>();
  const upgraded = new Set<Duplex>();
  const stops = new Set<() => void>();

  const isIdle = (socket: Socket): boolean => {
    const answers = answersOf.get(socket);
    return answers !== undefined && answers.size === 0 && !upgraded.has(socket) && socket.bytesRead === (readThen.get(socket) ?? 0);
  };
  const sweep = (): void => {
    for (const socket of open) if (isIdle(socket)) socket.end();
  };
  server.on('connection', (socket) => {
    open.add(socket);
    answersOf.set(socket, new Set());
    socket.on('close', () => open.delete(socket));
  });
  server.on('request', (req, res) => {
    const { socket } = req;
    answersOf.get(socket)?.add(res);
    if (draining) res.shouldKeepAlive = false;
    res.on('close', () => {
      answersOf.get(socket)?.delete(res);
      readThen.set(socket, socket.bytesRead);
      if (draining) setImmediate(sweep);
    });
  });

  const stop = (): void => {
    if (draining) return;
    draining = true;
    process.stdout.write('Draining.\n');
    for (const socket of open) {
      for (const res of answersOf.get(socket) ?? []) if (!res.headersSent) res.shouldKeepAlive = false;
    }
    server.close();
    sweep();
    for (const stop of stops) stop();
    for (const socket of upgraded) socket.end();
    setTimeout(() => {
      process.exitCode = 1;
      for (const socket of open) socket.destroy();
    }, timeoutMs).unref();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);

  return {
    health(res: ServerResponse) {
      res.setHeader('content-type', 'application/json; charset=utf-8');
      res.statusCode = draining ? 503 : 200;
      res.end(`{"status":"${draining ? 'draining' : 'ok'}"}`);
    },
    onDrain: (stop: () => void) => void stops.add(stop),
    addUpgraded(socket: Duplex) {
      upgraded.add(socket);
      socket.on('close', () => upgraded.delete(socket));
    },
  };
}
