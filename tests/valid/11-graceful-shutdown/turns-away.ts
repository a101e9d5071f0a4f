// Right: what comes while draining is turned away with 503; answers that promised to stay hang up their own socket.
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

type Listener = Parameters<Server['prependListener']>[1];

export function shutdownOnSignals(server: Server, timeoutMs: number) {
  const leaving = new AbortController();
  const { signal } = leaving;
  const pending = new Map<ServerResponse, () => void>();
  let health = false;

  // Stands before every other listener, and in their place once the draining has begun.
  const emit = server.emit.bind(server);
  server.emit = function (event: string, ...args: unknown[]): boolean {
    const [req, res] = args as Parameters<Extract<Listener, (...args: never[]) => void>>;
    if (event !== 'request') return (emit as (event: string, ...args: unknown[]) => boolean)(event, ...args);
    const response = res as unknown as ServerResponse;
    const { url } = req as unknown as { url: string };
    if (signal.aborted && url !== '/health') {
      response.writeHead(503, { Connection: 'close', 'Retry-After': '1' }).end();
      return true;
    }
    if (signal.aborted) response.setHeader('Connection', 'close');
    const { socket } = response;
    const hangUp = (): void => void (signal.aborted && socket?.end());
    pending.set(response, hangUp);
    response.once('finish', hangUp);
    response.once('close', () => pending.delete(response));
    return (emit as (event: string, ...args: unknown[]) => boolean)(event, ...args);
  };

  const begin = (): void => {
    if (signal.aborted) return;
    process.stdout.write('Draining\n');
    leaving.abort();
    health = true;
    for (const res of pending.keys()) if (!res.headersSent) res.setHeader('Connection', 'close');
    server.close();
    const timer = setTimeout(() => {
      process.exitCode = 1;
      process.exit();
    }, timeoutMs);
    timer.unref();
  };
  process.addListener('SIGTERM', begin);
  process.addListener('SIGINT', begin);

  return {
    health(res: ServerResponse): void {
      if (!health) {
        res.end(JSON.stringify({ status: 'ok', since: process.uptime() }));
        return;
      }
      res.statusCode = 503;
      res.end(JSON.stringify({ status: 'draining' }));
    },
    onDrain: (stop: () => void): void => signal.addEventListener('abort', stop),
    addUpgraded: (socket: Duplex): void => signal.addEventListener('abort', () => socket.end('')),
  };
}
