// Right: a class that holds server, limiter and routes together; switch instead of ifs; a timer that is unreferenced.
import http from 'node:http';
import path from 'node:path';
import { api } from '../08-users-api/api.ts';
import { serveStatic } from '../09-static-files/static.ts';
import * as events from '../10-server-events/events.ts';
import { shutdownOnSignals, type Shutdown } from '../11-graceful-shutdown/shutdown.ts';

class Limiter {
  #hits = new Map<string, number[]>();
  private limit: number;
  private windowMs: number;
  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
    setInterval(() => this.#hits.clear(), windowMs * 10).unref();
  }
  /** Seconds to wait, or 0 when the request is let in. A sliding log of the requests that were let in. */
  wait(key: string): number {
    const now = Date.now();
    const hits = (this.#hits.get(key) ?? []).filter((time) => time > now - this.windowMs);
    const [oldest = now] = hits;
    if (hits.length >= this.limit) return Math.max(1, Math.ceil((oldest + this.windowMs - now) / 1000));
    this.#hits.set(key, [...hits, now]);
    return 0;
  }
}

class App {
  readonly server = http.createServer();
  readonly #files = serveStatic(path.join(import.meta.dirname, 'public'));
  readonly #limiter = new Limiter(Number(process.env['RATE_LIMIT'] || 1000), Number(process.env['RATE_WINDOW_MS'] || 10_000));
  readonly #shutdown: Shutdown;

  constructor() {
    events.handleErrors(this.server);
    events.logRequests(this.server);
    this.#shutdown = shutdownOnSignals(this.server, Number(process.env['SHUTDOWN_TIMEOUT_MS'] || 10_000));
    this.server.on('request', async (req, res) => {
      try {
        await this.handle(req, res);
      } catch (error) {
        console.error('failed:', error);
        if (res.headersSent) res.destroy();
        else {
          res.statusCode = 500;
          res.end();
        }
      }
    });
  }

  async handle(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    const [, first] = /^\/([^/?]*)/.exec(req.url ?? '') ?? [];
    const key = first === 'health' && /^\/health(\?|$)/.test(req.url ?? '') && req.method === 'GET' ? 'health' : first;
    if (key === 'health') return this.#shutdown.health(res);
    const seconds = this.#limiter.wait(req.socket.remoteAddress ?? 'unknown');
    if (seconds > 0) {
      res.statusCode = 429;
      res.setHeader('retry-after', `${seconds}`);
      res.setHeader('content-type', 'application/json');
      res.end('{"error": "Too many requests"}');
      return;
    }
    switch (key) {
      case 'users':
        return api(req, res);
      default:
        return this.#files(req, res);
    }
  }
}

const app = new App();
const wanted = Number(process.env['PORT'] ?? 3000);
app.server.listen(wanted, () => console.log('Server listening on http://localhost:' + wanted));
