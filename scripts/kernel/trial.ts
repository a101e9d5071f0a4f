/** What a step works with: the program under test, connections to it, and values that nobody can guess. */
import { Answer } from './answer.ts';
import { Connection, defaults, type WaitOptions } from './connection.ts';
import { brief, type Exchange } from './exchange.ts';
import { readCrash } from './crash.ts';
import { describe, explain, explainDeath, type Explanation } from './explain.ts';
import { StepFailure, type Failure } from './failure.ts';
import type { Program } from './program.ts';
import { random, type Random } from './random.ts';

/** Another name for an outcome, where the step knows its cause. */
export type OutcomeCauses = Partial<
  Record<Explanation['kind'], { diagnosis: string; message: string }>
>;

export type HeaderFields =
  Record<string, string | string[] | undefined> | [name: string, value: string][];

export interface RequestOptions {
  method?: string;
  /** The request target, as it goes on the wire. */
  target?: string;
  /** Added to the ordinary fields; `undefined` leaves one out. A list of pairs is sent as it is, after `Host`. */
  headers?: HeaderFields;
  body?: string | Uint8Array;
  /** Sent as JSON, with its Content-Type. */
  json?: unknown;
  version?: '1.0' | '1.1';
  /** How long a silence may last, in ms. */
  limit?: number;
  maxBytes?: number;
  causes?: OutcomeCauses;
}

/** What a trial needs of the judge. */
export interface Bench {
  readonly trusted: boolean;
  readonly root: string;
  readonly seed: number;
  /** Whether ordinary requests may follow each other on one connection. */
  readonly keepAlive: boolean;
  /** How long a silence may last where a step names none, in ms. */
  readonly limitMs: number;
  /** A program that listens; starts one when there is none. */
  program(): Program;
  restart(env?: Record<string, string>): Promise<Program>;
  start(options: StartRequest): Promise<Program>;
}

export interface StartRequest {
  /** `undefined` leaves a variable out, also PORT. */
  env?: Record<string, string | undefined>;
  args?: string[];
  cwd?: string;
  /** Whether to wait until it listens on its port (the default), or to come back as soon as it runs. */
  expectListening?: boolean;
}

/** How often a wait is made longer for a program that got less than this part of its time from a busy machine. */
const [maxRounds, enough, longMs] = [4, 0.4, 30];

/** Which of the exchanges was begun before which. */
const order = new WeakMap<Exchange, number>();
let begun = 0;

/** Which of the processes that a step started it is: its random values must be the same with the same seed. */
const places = new WeakMap<Program, number>();

export class Trial {
  readonly #bench: Bench;
  readonly #random: Random;
  readonly #salt: string;
  readonly #connections: Connection[] = [];
  /** Connections that wait for another ordinary request. */
  #idle: Connection[] = [];
  readonly #program: Program | undefined;
  /** Set in a part of `each` that runs beside others: no failure of it counts, so none is explained. */
  #hasty = false;
  #parts: Trial[] = [];
  #started = 0;
  #stray: Exchange | undefined;
  /** Every exchange of this step, in the order in which they were begun. */
  readonly exchanges: Exchange[];

  constructor(bench: Bench, salt: string, program?: Program, exchanges: Exchange[] = []) {
    this.#bench = bench;
    this.#program = program;
    this.#salt = salt;
    this.#random = random(`${bench.seed}/${salt}`);
    this.exchanges = exchanges;
  }

  /** The program under test. */
  get program(): Program {
    return this.#program ?? this.#bench.program();
  }

  /** A trial of another process of the same program. */
  on(program: Program): Trial {
    const salt = `${this.#salt}/copy ${places.get(program) ?? 0}`;
    return new Trial(this.#bench, salt, program, this.exchanges);
  }

  /** Starts another process of the same program; it is ended with the step. */
  async start(options: StartRequest = {}): Promise<Program> {
    const place = ++this.#started;
    const program = await this.#bench.start(options);
    places.set(program, place);
    return program;
  }

  /** Ends the program under test and starts it anew; what it then finds in its environment besides, it finds in this run from now on. */
  restart(env?: Record<string, string>): Promise<Program> {
    return this.#bench.restart(env);
  }

  /** What a program printed on standard error, without Node's own lines: the error with the learner's line, or the text. */
  complaint(program: Program): string {
    const crash = readCrash(program.stderr, this.#bench.root, program.rejected);
    return crash ? describe(crash) : program.stderr.trim();
  }

  /**
   * One check for each case. The checks must not depend on each other, and may be repeated. Several run at a time; when
   * one fails all are run again, one after another, and only that counts: a failure is judged by itself.
   * @param check gets a trial of its own, with the same random values each time
   */
  async each<T>(
    cases: readonly T[],
    check: (trial: Trial, one: T, index: number) => Promise<void>,
  ): Promise<void> {
    if (cases.length > 1 && (await this.#together(cases, check))) return;
    // A dying program must not be asked again: the request would be blamed for a death before it.
    if (await settled(this.program)) await this.restart();
    for (const [index, one] of cases.entries()) {
      const part = this.#part(index);
      try {
        await check(part, one, index);
      } finally {
        this.exchanges.push(...part.exchanges);
      }
    }
  }

  #part(index: number): Trial {
    const part = new Trial(this.#bench, `${this.#salt}/${index}`, this.#program);
    part.#idle = this.#idle;
    this.#parts.push(part);
    return part;
  }

  /** Runs the checks a few at a time; false when one of them failed, for whatever reason. */
  async #together<T>(
    cases: readonly T[],
    check: (trial: Trial, one: T, index: number) => Promise<void>,
  ): Promise<boolean> {
    const waiting = [...cases.entries()];
    const parts: Trial[] = [];
    let failed = false;
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next && !failed; next = waiting.shift()) {
        const part = this.#part(next[0]);
        part.#hasty = true;
        parts.push(part);
        try {
          await check(part, next[1], next[0]);
        } catch (error) {
          if (!(error instanceof StepFailure)) throw error;
          failed = true;
          for (const other of parts) other.close();
          this.#idle.length = 0;
        }
      }
    };
    await Promise.all(Array.from({ length: together.lanes }, lane));
    if (!failed) for (const part of parts) this.exchanges.push(...part.exchanges);
    return !failed;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return this.#random.int(min, max);
  }
  /** Six to nine small letters. */
  word(): string {
    return this.#random.word();
  }
  pick<T>(list: readonly T[]): T {
    return this.#random.pick(list);
  }

  get #limit(): number {
    return this.#hasty ? together.limitMs : this.#bench.limitMs;
  }

  /** A raw connection to the program, from another local address if one is named. It is ended with the step. */
  connect(
    from?: string,
  ): Connection & { answer(options?: WaitOptions & { causes?: OutcomeCauses }): Promise<Answer> } {
    const { program } = this;
    const connection = new Connection(program.port, program, this.#limit, from);
    this.#connections.push(connection);
    const attempt = connection.attempt.bind(connection);
    return Object.assign(connection, {
      attempt: (options: WaitOptions = {}): Promise<Exchange> => this.#recorded(attempt(options)),
      answer: async (options: WaitOptions & { causes?: OutcomeCauses } = {}): Promise<Answer> => {
        const exchange = await this.#recorded(attempt(options));
        return this.#answer(exchange, options.causes);
      },
    });
  }

  /** Requests may be under way side by side: what is told of them must not depend on which was answered first. */
  async #recorded(attempt: Promise<Exchange>): Promise<Exchange> {
    const place = begun++;
    const exchange = await attempt;
    order.set(exchange, place);
    const after = this.exchanges.findLastIndex((other) => (order.get(other) ?? -1) < place);
    this.exchanges.splice(after + 1, 0, exchange);
    return exchange;
  }

  async #answer(exchange: Exchange, causes: OutcomeCauses = {}): Promise<Answer> {
    if (exchange.outcome === 'answered') return new Answer(exchange);
    if (this.#hasty)
      throw new StepFailure({ diagnosis: 'to-be-judged-alone', message: '', exchange });
    const { kind, failure } = await explain(exchange, this.program, this.#bench);
    const known = causes[kind];
    if (!known) throw new StepFailure(failure);
    throw new StepFailure({ ...failure, diagnosis: known.diagnosis, message: known.message });
  }

  /** One request; gives back whatever became of it. */
  async attempt(options: RequestOptions = {}): Promise<Exchange> {
    const reusable =
      this.#bench.keepAlive &&
      (options.version ?? '1.1') === '1.1' &&
      !names(options.headers).includes('connection');
    const bytes = requestBytes(options, this.program.port, reusable);
    const idle = reusable ? this.#idle.pop() : undefined;
    if (
      idle &&
      idle.state === 'open' &&
      idle.port === this.program.port &&
      idle.received.length === 0
    ) {
      const exchange = await this.#exchange(idle, bytes, options, reusable);
      // The server may have closed it in the same moment: then the request has to be sent again (RFC 9112, 9.3.1).
      const lost = /^connection-/.test(exchange.outcome) && exchange.received.length === 0;
      if (!lost || (await settled(this.program))) return exchange;
      const again = await this.#exchange(this.connect(), bytes, options, reusable);
      // Where nobody listens any more, it was the first try that the server died of.
      const dead = again.outcome === 'refused';
      this.exchanges.splice(this.exchanges.indexOf(dead ? again : exchange), 1);
      return dead ? exchange : again;
    }
    return this.#exchange(this.connect(), bytes, options, reusable);
  }

  async #exchange(
    connection: Connection,
    bytes: Buffer,
    options: RequestOptions,
    reusable: boolean,
  ): Promise<Exchange> {
    await connection.write(bytes);
    // A connection that is used again was opened by another trial: the list and the limit are this one's.
    const exchange = await this.#recorded(
      Connection.prototype.attempt.call(connection, {
        limit: this.#limit,
        ...waitOptions(options),
      }),
    );
    if (exchange.outcome === 'answered' && exchange.rest.length > 0) this.#stray ??= exchange;
    const closing =
      exchange.message?.rawHeaders.some(
        ([name, value]) => name.toLowerCase() === 'connection' && /close/i.test(value),
      ) ?? true;
    if (
      reusable &&
      exchange.outcome === 'answered' &&
      exchange.closed === 'open' &&
      exchange.rest.length === 0 &&
      !closing
    )
      this.#idle.push(connection);
    else connection.destroy();
    return exchange;
  }

  /** One request. Fails the step when no whole response comes. */
  async send(options: RequestOptions = {}): Promise<Answer> {
    return this.#answer(await this.attempt(options), options.causes);
  }

  get(target: string, options: Omit<RequestOptions, 'method' | 'target'> = {}): Promise<Answer> {
    return this.send({ ...options, method: 'GET', target });
  }

  head(target: string, options: Omit<RequestOptions, 'method' | 'target'> = {}): Promise<Answer> {
    return this.send({ ...options, method: 'HEAD', target });
  }

  /** A body that is neither text nor bytes is sent as JSON. */
  post(
    target: string,
    body?: unknown,
    options: Omit<RequestOptions, 'method' | 'target' | 'body'> = {},
  ): Promise<Answer> {
    const sent =
      body === undefined || typeof body === 'string' || body instanceof Uint8Array
        ? { body }
        : { json: body };
    return this.send({ ...options, ...(sent as RequestOptions), method: 'POST', target });
  }

  check(condition: unknown, failure: Failure): void {
    if (!condition) this.fail(failure);
  }

  /** Fails the step. Unless it names another, the last exchange is shown. */
  fail(failure: Failure): never {
    throw new StepFailure({ exchange: this.exchanges.at(-1), ...failure });
  }

  /**
   * Waits until `test` holds, looking every few milliseconds. False when `limit` ms have passed in which the program could
   * have done something; one that was started besides is named.
   */
  async until(
    test: () => boolean | Promise<boolean>,
    limit = defaults.limitMs,
    program = this.program,
  ): Promise<boolean> {
    const began = performance.now();
    let sampled = false;
    for (let rounds = 1; ;) {
      if (await test()) return true;
      const ms = performance.now() - began;
      const over = ms > limit * rounds;
      // Most waits are over sooner, and nothing has to be known of them.
      if (ms > longMs && !sampled) {
        program.sample();
        sampled = true;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (!over) continue;
      // What came while this process was held up itself is read first.
      if (await test()) return true;
      if (rounds === maxRounds || !program.starved(began, limit * rounds * enough)) return false;
      rounds++;
    }
  }

  /**
   * The canary: waits until the program has nothing left to do, and fails the step if it died.
   */
  async settle(): Promise<void> {
    const { program } = this;
    if (program.ended || this.#hasty) return;
    // Without a witness nobody can be asked: the judge waits once, after the last step.
    const died = program.options.trusted ? await settled(program) : program.exit !== null;
    if (died)
      throw new StepFailure(await explainDeath(program, this.#bench, this.exchanges.at(-1)));
  }

  /** @throws StepFailure when bytes came behind the end of an answer, and nothing else was found */
  checkEnds(): void {
    for (const part of this.#parts) part.checkEnds();
    if (!this.#stray) return;
    const { rest, method, target } = this.#stray;
    throw new StepFailure({
      diagnosis: 'bytes-after-the-end',
      message: `The answer to ${method} ${brief(target, 60)} was over, and then more bytes came. Nobody asked for them, and a client takes them for the beginning of its next answer. Is the Content-Length smaller than the body? It counts bytes, and a letter can take several of them.`,
      expected: 'nothing after the end of the response',
      actual: brief(rest.toString('utf8'), 100),
      exchange: this.#stray,
    });
  }

  /** Says that the program now has one more thing pending that never ends, such as a timer of many days: nothing to wait for. */
  leavesPending(): void {
    restless.set(this.program, (restless.get(this.program) ?? 0) + 1);
  }

  /** Ends what the step has opened. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
    for (const part of this.#parts) part.close();
  }
}

/** How many checks of `each` run at a time, and the silence that sends one of them to be judged alone, in ms. */
const together = { lanes: 4, limitMs: 250 };

/** Amounts of pending work that a program has without end, such as an interval: nothing to wait for. */
const restless = new WeakMap<Program, number>();

const settling = { totalMs: 100, everyMs: 4, pingMs: 1000, untrustedMs: 60, endingMs: 2000 };

/** Waits until the program is at rest. True when it has exited instead. */
export async function settled(program: Program): Promise<boolean> {
  if (!program.options.trusted) {
    const gone = (): boolean => program.exit !== null;
    await program.when(gone, settling.untrustedMs);
    // Its port is closed, and only the sandbox around it has not said yet that it is gone.
    if (!gone() && program.portClosed) await program.when(gone, settling.endingMs);
    return gone();
  }
  const end = performance.now() + settling.totalMs;
  for (;;) {
    const work = await program.ping(settling.pingMs);
    if (program.exit) return true;
    if (work === undefined || work <= (restless.get(program) ?? 0)) return false;
    if (performance.now() > end) {
      restless.set(program, work);
      return false;
    }
    await program.when(() => program.exit !== null, settling.everyMs);
  }
}

const names = (headers: HeaderFields = {}): string[] =>
  (Array.isArray(headers) ? headers.map(([name]) => name) : Object.keys(headers)).map((name) =>
    name.toLowerCase(),
  );

function waitOptions(options: RequestOptions): WaitOptions {
  const { method = 'GET', target = '/', limit, maxBytes } = options;
  return {
    method,
    target,
    ...(limit !== undefined && { limit }),
    ...(maxBytes !== undefined && { maxBytes }),
  };
}

/** The bytes of a request with ordinary header fields, as a common client sends them. */
export function requestBytes(options: RequestOptions, port: number, keepAlive = false): Buffer {
  const { method = 'GET', target = '/', version = '1.1', headers = {} } = options;
  const body = options.json === undefined ? options.body : JSON.stringify(options.json);
  const payload = body === undefined ? Buffer.alloc(0) : Buffer.from(body as string);
  const fields: [string, string][] = [['Host', `localhost:${port}`]];
  if (Array.isArray(headers)) {
    if (headers.some(([name]) => name.toLowerCase() === 'host')) fields.length = 0;
    fields.push(...headers);
    const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
    if (options.json !== undefined && !has('content-type'))
      fields.push(['Content-Type', 'application/json']);
    if (body !== undefined && !has('content-length') && !has('transfer-encoding'))
      fields.push(['Content-Length', String(payload.length)]);
    if (!has('connection') && !keepAlive) fields.push(['Connection', 'close']);
  } else {
    const ordinary: Record<string, string> = { 'User-Agent': 'curl/8.5.0', Accept: '*/*' };
    if (options.json !== undefined) ordinary['Content-Type'] = 'application/json';
    const chunked = Object.keys(headers).some((name) => name.toLowerCase() === 'transfer-encoding');
    if (body !== undefined && !chunked) ordinary['Content-Length'] = String(payload.length);
    if (!keepAlive) ordinary['Connection'] = 'close';
    const given = new Map(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), { name, value }]),
    );
    const host = given.get('host');
    if (host) fields.length = 0;
    if (host?.value !== undefined)
      fields.push(...[host.value].flat().map((value): [string, string] => ['Host', value]));
    for (const [name, value] of Object.entries(ordinary))
      if (!given.has(name.toLowerCase())) fields.push([name, value]);
    for (const [key, { name, value }] of given) {
      if (key !== 'host' && value !== undefined)
        fields.push(...[value].flat().map((item): [string, string] => [name, item]));
    }
  }
  const head = [
    `${method} ${target} HTTP/${version}`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), payload]);
}
