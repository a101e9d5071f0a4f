// Right: a class around new http.Server(); an EventEmitter is the bell, so nobody keeps a list of who waits.
import { EventEmitter, once } from 'node:events';
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';

type Handler = (res: ServerResponse, rest: string) => void | Promise<void>;

class Shop {
  readonly #bell = new EventEmitter().setMaxListeners(0);
  readonly #server = new Server({ keepAlive: true });
  readonly #handlers = new Map<string, Handler>([
    ['whole', (res) => void res.end(Buffer.from('one\ntwo\nthree\n'))],
    ['pieces', (res) => this.#pieces(res)],
    ['wait', (res) => this.#wait(res)],
    ['ring', (res) => this.#ring(res)],
    ['tally', (res) => this.#tally(res)],
    ['pause', (res, ms) => this.#pause(res, ms)],
    ['find', (res, name) => this.#find(res, name)],
    ['list', (res) => this.#list(res)],
  ]);
  #finished = 0;
  #left = 0;

  listen(port: number): void {
    this.#server.on('request', (req, res) => void this.#answer(req, res));
    this.#server.on('listening', () => console.log(`Server listening on http://localhost:${port}`));
    this.#server.listen({ port, host: '127.0.0.1' });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const parts = (req.url ?? '').split('/');
    const [, name = '', rest = ''] = parts;
    const handler =
      parts.length === (['pause', 'find'].includes(name) ? 3 : 2)
        ? this.#handlers.get(name)
        : undefined;
    try {
      if (!handler) throw Object.assign(new Error('unknown'), { status: 404 });
      await handler(res, rest);
    } catch (error) {
      if (res.headersSent) req.socket.destroy();
      else {
        res.statusCode = (error as { status?: number }).status ?? 500;
        res.end();
      }
    }
  }

  async #pieces(res: ServerResponse): Promise<void> {
    for (const piece of ['one\ntw', 'o\nth', 'ree\n']) {
      res.write(piece);
      await new Promise(setImmediate);
    }
    res.end();
  }

  #wait(res: ServerResponse): void {
    const ding = (): void => void res.end('ding\n');
    res.write('wait');
    res.write('ing\n');
    this.#bell.once('ring', ding);
    res.on('finish', () => this.#finished++);
    res.on('close', () => {
      this.#bell.off('ring', ding);
      if (!res.writableFinished) this.#left++;
    });
  }

  #ring(res: ServerResponse): void {
    const count = this.#bell.listenerCount('ring');
    this.#bell.emit('ring');
    res.end(`rang ${count}\n`);
  }

  #tally(res: ServerResponse): void {
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(
      JSON.stringify({
        waiting: this.#bell.listenerCount('ring'),
        finished: this.#finished,
        left: this.#left,
        since: 'the start',
      }),
    );
  }

  async #pause(res: ServerResponse, ms: string): Promise<void> {
    const timer = new EventEmitter();
    setTimeout(() => timer.emit('over'), +ms);
    await once(timer, 'over');
    res.end(`paused ${ms} ms\n`);
  }

  async #colour(name: string): Promise<string> {
    await new Promise(setImmediate);
    if (name === 'worm') throw new TypeError('worm');
    const colour = new Map([['apple', 'red'], ['plum', 'blue']]).get(name);
    if (!colour) throw Object.assign(new Error(name), { status: 404 });
    return colour;
  }

  async #find(res: ServerResponse, name: string): Promise<void> {
    res.end((await this.#colour(name)) + '\n');
  }

  async #list(res: ServerResponse): Promise<void> {
    for (const name of ['apple', 'plum', 'worm']) {
      const line = `${name} ${await this.#colour(name)}\n`;
      await new Promise<void>((sent) => res.write(line, () => sent()));
    }
    res.end();
  }
}

new Shop().listen(Number(process.env.PORT || 3000));
