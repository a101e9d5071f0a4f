/** A raw TCP connection to the learner's server: exact bytes out, every byte in. */
import net from 'node:net';
import type { Exchange, Outcome } from './exchange.ts';
import { readMessage, type Reading } from './message.ts';
import { patiently, type Load } from './patience.ts';

export interface WaitOptions {
  /** How long a silence may last, in ms. */
  limit?: number;
  /** The method of the request that is being answered. */
  method?: string;
  target?: string;
  /** More bytes than this are an endless response. */
  maxBytes?: number;
}

export const defaults = { limitMs: 1000, maxBytes: 4 * 1024 * 1024 };

/** So many bytes are kept that no answer has taken. */
const maxKept = 64 * 1024 * 1024;

/** Where the first of several requests that were sent ends; a chunked one, or half a one, is all that was sent. */
function endOfRequest(sent: Buffer): number {
  const end = sent.indexOf('\r\n\r\n') + 4;
  const head = sent.subarray(0, end).toString('latin1');
  if (end < 4 || /^transfer-encoding:/im.test(head)) return sent.length;
  return Math.min(end + Number(/^content-length:[ \t]*(\d+)/im.exec(head)?.[1] ?? 0), sent.length);
}

/** A response that keeps coming for this many times the limit is an endless one. */
const endlessAfter = 2;
/** So long a write waits for a side that does not read, in ms. */
const unreadMs = 2000;

export class Connection {
  readonly port: number;
  readonly #socket: net.Socket;
  readonly #load: Load;
  #since = performance.now();
  #store: Buffer = Buffer.alloc(0);
  #length = 0;
  #sent: Buffer[] = [];
  #times: Exchange['times'] = { over: 0 };
  #closed: Exchange['closed'] = 'open';
  #connected = false;
  #refused = false;
  #skipping = 0;
  /** Runs when something has happened on the socket. */
  #wake: (() => void) | undefined;

  /** @param from the local address, such as another one of the loopback range: to the server it is another client's */
  constructor(
    port: number,
    load: Load = { sample() {}, starved: () => false },
    defaultLimit = defaults.limitMs,
    from?: string,
  ) {
    this.port = port;
    this.#load = load;
    this.limit = defaultLimit;
    this.#socket = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      allowHalfOpen: true,
      ...(from !== undefined && { localAddress: from }),
    });
    this.#socket.on('connect', () => {
      this.#times.connected = this.#now();
      this.#connected = true;
      this.#wake?.();
    });
    this.#socket.on('data', (data) => this.#take(data));
    this.#socket.on('end', () => this.#end('fin'));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.#refused = true;
      this.#end('reset');
    });
    this.#socket.on('close', () => this.#end('fin'));
  }

  /** The silence that is waited for where a call names none, in ms. */
  limit: number;

  /** What has come and has not been taken by an answer. */
  get received(): Buffer {
    return this.#store.subarray(0, this.#length);
  }

  /** How the other side has left the connection. */
  get state(): Exchange['closed'] {
    return this.#closed;
  }

  /** This side's port: what the server sees as `remotePort`. */
  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  /**
   * Sends bytes as they are (text as UTF-8). Resolves once they were handed to the system; where the other side has
   * stopped to read, after a while all the same: what comes back tells.
   */
  async write(bytes: string | Uint8Array): Promise<void> {
    const data = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes);
    this.#sent.push(data);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#socket.off('close', done);
        this.#times.sent ??= this.#now();
        resolve();
      };
      const timer = setTimeout(done, unreadMs);
      this.#socket.once('close', done);
      if (this.#socket.destroyed || this.#socket.writableEnded) done();
      else this.#socket.write(data, done);
    });
  }

  /** Half-closes the connection: no more bytes from this side. */
  end(): void {
    this.#socket.end();
  }

  /** Ends the connection with a TCP reset, as a client that has crashed. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Ends the connection, whatever its state. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Stops reading, so that the other side's writes back up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves once the connection stands. False when it was refused. */
  async opened(limit = this.limit): Promise<boolean> {
    await this.#wait(() => this.#connected || this.#closed !== 'open', limit);
    return this.#connected;
  }

  /** Waits up to `limit` ms for the other side to close. */
  async closed(limit = this.limit): Promise<Exchange['closed']> {
    await this.#wait(() => this.#closed !== 'open', limit);
    return this.#closed;
  }

  /** Waits until `test` holds of the bytes that have come. False when the limit ran out or the connection was closed first. */
  async until(test: (received: Buffer) => boolean, limit = this.limit): Promise<boolean> {
    await this.#wait(() => test(this.received) || this.#closed !== 'open', limit);
    return test(this.received);
  }

  /** Takes `count` bytes off the connection without keeping them; gives the number that came. */
  async skip(count: number, limit = this.limit): Promise<number> {
    const here = Math.min(count, this.#length);
    this.#store.copyWithin(0, here, this.#length);
    this.#length -= here;
    this.#skipping = count - here;
    let last = this.#skipping;
    while (this.#skipping > 0 && this.#closed === 'open') {
      await this.#wait(() => this.#skipping < last || this.#closed !== 'open', limit);
      if (this.#skipping === last) break;
      last = this.#skipping;
    }
    const missing = this.#skipping;
    this.#skipping = 0;
    return count - missing;
  }

  /** Reads the next response on this connection; never throws. */
  async attempt(options: WaitOptions = {}): Promise<Exchange> {
    const { limit = this.limit, maxBytes = defaults.maxBytes } = options;
    const [sentMethod = '', sentTarget = ''] = Buffer.concat(this.#sent)
      .subarray(0, 8192)
      .toString('latin1')
      .split(/[ \r\n]/);
    const { method = sentMethod || 'GET', target = sentTarget } = options;
    let begun: number | undefined;
    let reading: Reading = { state: 'head', bytes: 0 };
    let seen = -1;
    let endless = false;
    const look = (): boolean => {
      const ended = this.#closed !== 'open';
      if (this.#length > 0 || ended) reading = readMessage(this.received, { method, ended });
      return reading.state === 'done' || reading.state === 'not-http' || ended;
    };
    while (!look()) {
      // The response's own time: the wait for its first byte has a limit of its own.
      if (this.#length > 0) begun ??= performance.now();
      endless =
        this.#length > maxBytes ||
        (begun !== undefined && performance.now() - begun > limit * endlessAfter);
      if (endless) break;
      seen = this.#length;
      const more = await this.#wait(() => this.#length > seen || this.#closed !== 'open', limit);
      if (!more) break;
    }
    return this.#exchange(reading, endless, method, target, limit);
  }

  #exchange(
    reading: Reading,
    endless: boolean,
    method: string,
    target: string,
    limitMs: number,
  ): Exchange {
    const whole = reading.state === 'done' ? reading.message : undefined;
    const sent = Buffer.concat(this.#sent);
    const mine = whole ? endOfRequest(sent) : sent.length;
    const partial = reading.state === 'body' ? reading.message : undefined;
    const received = Buffer.from(whole ? whole.raw : this.received);
    const rest = Buffer.from(reading.state === 'done' ? reading.rest : '');
    const exchange: Exchange = {
      outcome: this.#outcome(reading, endless),
      sent: sent.subarray(0, mine),
      received,
      rest,
      method,
      target,
      port: this.port,
      limitMs,
      closed: this.#closed,
      times: { ...this.#times, over: this.#now() },
    };
    const message = whole ?? partial;
    if (message) exchange.message = { ...message, body: Buffer.from(message.body), raw: received };
    if (reading.state === 'body') exchange.note = `still missing: ${reading.missing}`;
    if (reading.state === 'not-http')
      exchange.note = `this is not an HTTP response: ${reading.why}`;
    if (endless) exchange.note = `${this.#length} bytes had come, and it went on`;
    // What this response took is gone; the next one begins with the rest.
    this.#sent = mine < sent.length ? [sent.subarray(mine)] : [];
    this.#store.set(rest, 0);
    this.#length = rest.length;
    this.#times = { over: 0 };
    this.#since = performance.now();
    return exchange;
  }

  #outcome(reading: Reading, endless: boolean): Outcome {
    if (reading.state === 'done') return 'answered';
    if (reading.state === 'not-http') return 'not-http';
    if (this.#refused) return 'refused';
    if (endless) return 'response-endless';
    if (this.#closed === 'fin') return 'connection-closed';
    if (this.#closed === 'reset') return 'connection-reset';
    return reading.state === 'head' ? 'no-answer' : 'response-never-ended';
  }

  #now(): number {
    return performance.now() - this.#since;
  }

  #take(data: Buffer): void {
    // Nobody waits for so much: what is not read stays with the sender.
    if (this.#length > maxKept) this.#socket.pause();
    this.#times.firstByte ??= this.#now();
    this.#times.lastByte = this.#now();
    if (this.#skipping > 0) {
      const skipped = Math.min(this.#skipping, data.length);
      this.#skipping -= skipped;
      data = data.subarray(skipped);
    }
    if (this.#length === 0 && data.length > this.#store.length) {
      // Nearly always this is the whole answer: it needs no copy.
      this.#store = data;
      this.#length = data.length;
      this.#wake?.();
      return;
    }
    if (this.#length + data.length > this.#store.length) {
      const grown = Buffer.allocUnsafe(
        Math.max(this.#store.length * 2, this.#length + data.length),
      );
      grown.set(this.received);
      this.#store = grown;
    }
    this.#store.set(data, this.#length);
    this.#length += data.length;
    this.#wake?.();
  }

  #end(how: 'fin' | 'reset'): void {
    if (this.#closed === 'open') this.#closed = how;
    this.#wake?.();
  }

  /** Waits until `ready` holds; false when the limit ran out first. */
  #wait(ready: () => boolean, limit: number): Promise<boolean> {
    return patiently({
      ready,
      limit,
      load: this.#load,
      watch: (look) => {
        this.#wake = look;
        return () => {
          if (this.#wake === look) this.#wake = undefined;
        };
      },
    });
  }
}
