// Right: a class and promises; the time of keep-alive is cut to nothing while draining, and later requests are turned away with 503.
import { once, EventEmitter } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

class Drain extends EventEmitter {
  state: 'ok' | 'draining' = 'ok';
  readonly server: http.Server;

  constructor(server: http.Server, ms: number) {
    super();
    this.setMaxListeners(0);
    this.server = server;
    const listeners = server.listeners('request');
    server.prependListener('request', (_req, res) => this.#request(res));
    void listeners;
    void this.#wait(ms);
  }

  #open: http.ServerResponse[] = [];

  #request(res: http.ServerResponse): void {
    if (this.state === 'draining') res.setHeader('Connection', 'Close');
    this.#open.push(res);
    res.once('close', () => this.#open.splice(this.#open.indexOf(res), 1));
  }

  async #wait(ms: number): Promise<void> {
    const [signal] = await Promise.race((['SIGTERM', 'SIGINT'] as const).map(async (name) => [name, await once(process, name)]));
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => {});
    console.log('Draining:', signal);
    this.state = 'draining';
    this.server.keepAliveTimeout = 1;
    const closed = new Promise<boolean>((resolve) => this.server.close(() => resolve(true)));
    for (const res of this.#open) if (!res.headersSent) res.setHeader('Connection', 'close');
    this.emit('drain');
    const clean = await Promise.race([closed, sleep(ms, false, { ref: false })]);
    process.exit(clean ? 0 : 1);
  }

  health = (res: http.ServerResponse): void => {
    const body = Buffer.from(JSON.stringify({ status: this.state }));
    res.writeHead(this.state === 'ok' ? 200 : 503, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  };

  onDrain(stop: () => void): void {
    this.once('drain', stop);
  }

  addUpgraded(socket: Duplex): void {
    const end = (): void => void socket.end();
    this.once('drain', end);
    socket.once('close', () => this.off('drain', end));
  }
}

export const shutdownOnSignals = (server: http.Server, ms: number): Drain => new Drain(server, ms);
