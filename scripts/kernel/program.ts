/**
 * The learner's program in a process of its own: started, watched and ended here.
 *
 * A trusted program (the learner's own, judged for the learner) is held at a gate by the witness, so that the next
 * process can be made ready while the learner reads the last verdict. An untrusted one has only its standard streams.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import os from 'node:os';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { defaults } from './connection.ts';
import { UsageError } from './failure.ts';
import { patiently } from './patience.ts';
import * as procfs from './procfs.ts';
import { adopt, killGroup, release, signal } from './reaper.ts';
import { strip } from './strip.cjs';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** The file that Node runs. */
  file: string;
  cwd: string;
  /** Added to the allow-listed environment. `PORT` is set by `start`. */
  env?: Record<string, string | undefined>;
  args?: string[];
  trusted?: boolean;
  /** TypeScript files that it will load; where Node can't strip them, that is done while it starts. */
  sources?: string[];
  /** A command that the program runs under, such as a sandbox: words put before Node's own. */
  wrap?: (node: string[]) => string[];
}

export const bounds = {
  /** A program must listen within this time, in ms. */
  startMs: 2000,
  /** Node itself must be up within this time, in ms. */
  gateMs: 60_000,
  /** What is kept of each output stream, in bytes: as much from its beginning as from its end. */
  keptOutput: 64 * 1024,
  /** More output than this ends the program. */
  maxOutput: 8 * 1024 * 1024,
  /** A program that hangs and has more than this is said to hang for its memory, in bytes. */
  muchMemory: 256 * 1024 * 1024,
  /** More resident memory than this ends the program, in bytes. */
  maxMemory: 512 * 1024 * 1024,
  heapMegabytes: 300,
};

const allowed =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SystemRoot|windir|ComSpec|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|WORKBOOK_BROWSER|CHROME_PATH|NODE_V8_COVERAGE)$/i;

type Environment = Record<string, string | undefined>;

/** The environment that a program gets: nothing that could change how Node works but what is on the list. */
function environment(extra: Environment = {}): Environment {
  const env: Environment = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && allowed.test(name)) env[name] = value;
  }
  return { ...env, NO_COLOR: '1', ...extra };
}

/** Whether this Node runs TypeScript as it is (22.18 and later). */
export const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);

export const loaderWords: readonly string[] = stripsTypes
  ? []
  : ['--require', join(import.meta.dirname, 'strip-register.cjs')];

/** The same for what is ours or the learner's own: a start without a worker. See strip-register.cjs. */
export const trustedLoaderWords: readonly string[] = stripsTypes
  ? []
  : ['--expose-internals', ...loaderWords];

/** The words that run a TypeScript file by itself, as a learner would. */
export const runWords = (file: string): string[] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  ...loaderWords,
  file,
];

/** The words that run a TypeScript file under the kernel. */
function nodeWords(options: StartOptions): string[] {
  const words = [
    process.execPath,
    // A flag of V8 makes it refuse its cache of Node's own code, and each start dearer: where memory is watched, it isn't needed.
    ...(procfs.known ? [] : [`--max-old-space-size=${bounds.heapMegabytes}`]),
    '--disable-warning=ExperimentalWarning',
  ];
  if (options.trusted) {
    const witness = pathToFileURL(join(import.meta.dirname, 'witness.mjs')).href;
    words.push(...trustedLoaderWords, '--import', witness);
  } else words.push(...loaderWords);
  return [...words, options.file, ...(options.args ?? [])];
}

/** A port on 127.0.0.1 that the system gave and that is free now. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** Whether somebody (else) listens on the port. */
export async function portTaken(port: number): Promise<boolean> {
  // On some systems a server on all addresses leaves 127.0.0.1 to others: ask whether anybody answers first.
  const answered = await new Promise<boolean>((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    const over = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => over(true)).once('error', () => over(false));
  });
  if (answered) return true;
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}

/** A sandbox's shell reports a signal as 128 and its number. */
function unwrapped(exit: Exit): Exit {
  const name = Object.entries(os.constants.signals).find(
    ([, number]) => exit.code === 128 + number,
  )?.[0];
  return name ? { code: null, signal: name as NodeJS.Signals } : exit;
}

/** A stream's output: its beginning and its end, and how much there was. */
class Output {
  total = 0;
  #start = '';
  #end = '';
  add(text: string): void {
    this.total += text.length;
    const room = bounds.keptOutput - this.#start.length;
    this.#start += text.slice(0, Math.max(room, 0));
    if (text.length > room)
      this.#end = (this.#end + text.slice(Math.max(room, 0))).slice(-bounds.keptOutput);
  }
  get text(): string {
    const left = this.total - this.#start.length - this.#end.length;
    return left > 0
      ? `${this.#start}\n… (${left} characters left out)\n${this.#end}`
      : this.#start + this.#end;
  }
}

export type Listening = { port: number; address: string; family: string } | { path: string };

/** What a process had used of the processor, and how long it had waited for it, at a moment; all in ms. */
interface Sample {
  at: number;
  ms: number;
  queuedMs: number | undefined;
}

export class Program {
  readonly options: StartOptions;
  readonly #child: ChildProcess;
  readonly #out = new Output();
  readonly #err = new Output();
  readonly #mark = `WORKBOOK_PROGRAM=${randomBytes(8).toString('hex')}`;
  readonly #atGate: Promise<void>;
  #passGate: () => void = () => {};
  #born: number | undefined;
  #rehearsing: number | undefined;
  #begun = false;
  #watchers = new Set<() => void>();
  #pongs = new Map<number, (work: number) => void>();
  #pings = 0;
  #watch: NodeJS.Timeout | undefined;
  #goAt = performance.now();
  #gone = false;

  /** The port that it was told to listen on. */
  port = 0;
  /** What listens, as the witness saw it, in order. */
  readonly listening: Listening[] = [];
  /** Processes that it started. */
  readonly children: number[] = [];
  /** Whether its event loop ran dry: nothing kept it alive. */
  drained = false;
  /** Whether it died of a promise that was rejected and not caught. Known of a trusted program. */
  rejected = false;
  exit: Exit | null = null;
  /** Set when the kernel ended it for breaking a bound. */
  broke: 'output' | 'memory' | null = null;
  /** How many processes it had started that lived on when it was gone; known after `stop`. */
  leftBehind = 0;
  /** Whether the kernel asked it to end. */
  ended = false;
  readonly exited: Promise<Exit>;
  /** Why it could not be started at all; not the learner's fault. */
  spawnError: Error | null = null;

  /** Starts the process. A trusted program waits at its gate until `go`; another runs at once, with `port`. */
  constructor(options: StartOptions, port = 0) {
    // At the gate they may still change, for this process alone.
    this.options = { ...options };
    this.port = port;
    const [name = '', value = ''] = this.#mark.split('=');
    const words = nodeWords(options);
    const [command = '', ...args] = options.wrap ? options.wrap(words) : words;
    const env = environment({
      ...(!options.trusted && { PORT: String(port), ...options.env }),
      [name]: value,
    });
    this.#child = spawn(command, args, {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe', ...(options.trusted ? (['pipe', 'pipe'] as const) : [])],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    if (this.#child.pid) {
      adopt(this.#child.pid);
      this.#born = procfs.began(this.#child.pid);
    }
    for (const [stream, output] of [
      [this.#child.stdout, this.#out],
      [this.#child.stderr, this.#err],
    ] as const) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output.add(text);
        if (output.total > bounds.maxOutput) this.#break('output');
        this.#notify();
      });
      stream?.on('error', () => {});
    }
    this.#atGate = new Promise((resolve) => (this.#passGate = resolve));
    this.exited = new Promise((resolve) => {
      const over = (exit: Exit): void => {
        if (this.exit) return;
        this.exit = this.options.wrap ? unwrapped(exit) : exit;
        clearInterval(this.#watch);
        this.#passGate();
        for (const answer of this.#pongs.values()) answer(0);
        resolve(this.exit);
        this.#notify();
      };
      this.#child.on('error', (error) => {
        this.spawnError = error;
        over({ code: null, signal: null });
      });
      // 'close' comes after the last output; a grandchild may hold the pipes open, so 'exit' is enough after a moment.
      // Where this process was held up, the moment is over at once: the immediate lets the last words be read first.
      this.#child.on('close', (code, signal) => over({ code, signal }));
      this.#child.on('exit', (code, signal) =>
        setTimeout(() => setImmediate(over, { code, signal }), 50).unref(),
      );
    });
    if (options.trusted) this.#listenToWitness();
    else this.#passGate();
  }

  /** The process that was started: the program, or the sandbox around it. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  #inner: number | undefined;
  /** The program's own process, also inside a sandbox. */
  get innerPid(): number {
    if (!this.options.wrap) return this.pid;
    if (this.#inner === undefined || !procfs.isAlive(this.#inner))
      this.#inner = procfs.innermost(this.pid, process.execPath);
    return this.#inner ?? this.pid;
  }
  get stdout(): string {
    return this.#out.text;
  }
  get stderr(): string {
    return this.#err.text;
  }
  /** Bytes of output so far, those that were not kept included. */
  get outputTotal(): number {
    return this.#out.total + this.#err.total;
  }

  #listenToWitness(): void {
    const [, , , line, ear] = this.#child.stdio;
    if (!(line instanceof net.Socket)) return;
    ear?.on('error', () => {});
    let text = '';
    line.setEncoding('utf8');
    line.on('error', () => {});
    line.on('data', (data: string) => {
      text += data;
      if (text.length > 1024 * 1024) text = '';
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#hear(text.slice(0, end));
        text = text.slice(end + 1);
      }
      this.#notify();
    });
  }

  #hear(line: string): void {
    let message: {
      atGate?: true;
      rehearsing?: number;
      listening?: unknown;
      child?: number;
      drained?: true;
      dying?: string;
      pong?: number;
      work?: number;
    };
    try {
      message = JSON.parse(line) as typeof message;
    } catch {
      return;
    }
    if (message.atGate) this.#passGate();
    else if (message.rehearsing) this.#rehearsing = message.rehearsing;
    else if (message.drained) this.drained = true;
    else if (message.dying) this.rejected = message.dying === 'unhandledRejection';
    else if (message.child && this.children.length < 1000) this.children.push(message.child);
    else if (message.pong) this.#pongs.get(message.pong)?.(message.work ?? 0);
    else if (typeof message.listening === 'string')
      this.listening.push({ path: message.listening });
    else if (message.listening) this.listening.push(message.listening as Listening);
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #break(bound: 'output' | 'memory'): void {
    if (this.broke || this.exit) return;
    this.broke = bound;
    killGroup(this.pid);
  }

  /** Resolves when a trusted program stands at its gate. */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new UsageError(
              `Node did not start within ${bounds.gateMs / 1000} s. Is this machine very busy?`,
            ),
          ),
        bounds.gateMs,
      );
    });
    try {
      await Promise.race([this.#atGate, tooLong]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether it waits at its gate. */
  get atGate(): boolean {
    return !this.#begun && this.exit === null;
  }

  /** Has a process at its gate answer requests by itself, on its `port`, until `endRehearsal` or `go`. False where it can't. */
  async beginRehearsal(): Promise<boolean> {
    await this.ready();
    this.#say({ rehearse: true });
    await this.when(() => this.#rehearsing !== undefined || !this.atGate, bounds.startMs);
    if (this.#rehearsing === undefined || !this.atGate) return false;
    this.port = this.#rehearsing;
    return true;
  }

  endRehearsal(): void {
    if (this.atGate) this.#say({ rehearse: false });
  }

  /** What can't be stripped is left to the program: it dies of it with the words that the learner should read. */
  #strip(): void {
    const { sources = [], trusted } = this.options;
    if (stripsTypes || !trusted) return;
    for (const source of sources) {
      try {
        strip(source);
      } catch {
        // See above.
      }
    }
  }

  /** Opens the gate: the program's own code runs from here, with this port and environment, in the folder of its options. */
  async go(port: number, env: Environment = {}): Promise<void> {
    this.#begun = true;
    this.port = port;
    this.#strip();
    await this.ready();
    this.#goAt = performance.now();
    this.#watch = setInterval(() => {
      if ((procfs.memoryBelow(this.pid) ?? 0) > bounds.maxMemory) this.#break('memory');
    }, 50);
    this.#watch.unref();
    if (this.options.trusted)
      this.#say({ go: { ...this.options.env, PORT: String(port), ...env }, cwd: this.options.cwd });
  }

  /** Milliseconds since the program's own code began to run. */
  get age(): number {
    return performance.now() - this.#goAt;
  }

  #say(message: unknown): void {
    const line = this.#child.stdio[4];
    if (line instanceof net.Socket && !line.destroyed) line.write(`${JSON.stringify(message)}\n`);
  }

  /** Waits until `test` holds, checking whenever the program is heard of. False when `limit` ms passed, or it exited, first. */
  when(test: () => boolean, limit: number): Promise<boolean> {
    return patiently({
      ready: test,
      over: () => this.exit !== null,
      limit,
      load: this,
      watch: (look) => {
        this.#watchers.add(look);
        return () => this.#watchers.delete(look);
      },
    });
  }

  /** Waits for a text on either output stream. */
  async waitForOutput(pattern: RegExp | string, limit = defaults.limitMs): Promise<boolean> {
    const found = (text: string): boolean =>
      typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
    return this.when(() => found(this.stdout) || found(this.stderr), limit);
  }

  #samples: Sample[] = [];

  /** Remembers how much processor time has been used and waited for; `starved` and `cpuShare` begin at the first such moment. */
  sample(): void {
    if (performance.now() - (this.#samples.at(-1)?.at ?? -Infinity) < 20) return;
    const now = this.#now();
    if (now) this.#samples.push(now);
    if (this.#samples.length > 64) this.#samples.splice(0, 32);
  }

  #now(): Sample | undefined {
    const ms = procfs.cpuMs(this.innerPid);
    if (ms === undefined) return undefined;
    return { at: performance.now(), ms, queuedMs: procfs.queuedMs(this.innerPid) };
  }

  #use(since: number): { ms: number; queuedMs: number | undefined; share: number } | undefined {
    const now = this.#now();
    const then = this.#samples.find((sample) => sample.at >= since) ?? this.#samples.at(-1);
    if (!now || !then) return undefined;
    const ms = now.ms - then.ms;
    return {
      ms,
      queuedMs:
        now.queuedMs === undefined ? undefined : Math.max(now.queuedMs - (then.queuedMs ?? 0), 0),
      share: ms / Math.max(now.at - then.at, 1),
    };
  }

  /**
   * Whether it was held up by others, in a queue for the processor or for the disk, and got so little of the processor
   * since then (less than `enoughMs`) that its silence says nothing. Unknown is no.
   */
  starved(since: number, enoughMs: number): boolean {
    const use = this.#use(since);
    if (!use || use.ms >= enoughMs) return false;
    if (procfs.waitsForDisk(this.innerPid)) return true;
    return use.queuedMs === undefined ? procfs.crowded() : use.queuedMs > enoughMs / 4;
  }

  /** The part of one core that it used since then, from 0 to 1 and more; undefined where the system doesn't tell. */
  cpuShare(since: number): number | undefined {
    return this.#use(since)?.share;
  }

  /** What it listens on now: as the witness saw it, or as the system tells. */
  listeners(): Listening[] {
    if (this.options.trusted) return this.listening;
    return (procfs.listenersOf(() => this.processes()) ?? []).map(({ address, port }) => ({
      address,
      port,
      family: address.includes(':') ? 'IPv6' : 'IPv4',
    }));
  }

  /** Whether nobody listens on its port any more: then it is ending, or over. False where the system doesn't tell. */
  get portClosed(): boolean {
    return procfs.listeners()?.every(({ port }) => port !== this.port) ?? false;
  }

  /** Whether it was this program, which has ended, that had the port. */
  async hadPort(port: number): Promise<boolean> {
    return this.options.trusted
      ? this.listening.some((listening) => 'port' in listening && listening.port === port)
      : !(await portTaken(port));
  }

  /** Asks the event loop for a sign of life. Gives the amount of pending work, or undefined when none came in time. */
  async ping(limit: number, word: 'ping' | 'cover' = 'ping'): Promise<number | undefined> {
    if (!this.options.trusted || this.exit) return undefined;
    const id = ++this.#pings;
    return new Promise((resolve) => {
      const answer = (work: number | undefined): void => {
        clearTimeout(timer);
        this.#pongs.delete(id);
        resolve(this.exit ? undefined : work);
      };
      // An answer that came while this process was held up itself is read first.
      const timer = setTimeout(() => setImmediate(answer, undefined), limit);
      this.#pongs.set(id, answer);
      this.#say({ [word]: id });
    });
  }

  /** Sends a signal to the program alone. */
  signal(name: NodeJS.Signals): void {
    this.ended = true;
    // Node's permission model is no process around the program; a sandbox is.
    if (this.#child.spawnfile === process.execPath) this.#child.kill(name);
    else if (this.innerPid !== this.pid) signal(this.innerPid, name);
  }

  /** Resident memory in bytes, where the system tells. */
  memory(): number | undefined {
    return procfs.memory(this.innerPid);
  }

  /** Processor time used so far in ms, where the system tells. */
  cpuMs(): number | undefined {
    return procfs.cpuMs(this.innerPid);
  }

  /** What it has open, where the system tells. */
  openFiles(): string[] | undefined {
    return procfs.openFiles(this.innerPid);
  }

  /** Its process and those below it. */
  processes(): number[] {
    return procfs.marked(this.#mark, this.pid, this.#born) ?? [this.pid, ...this.children];
  }

  /** Ends the program and all that it started. */
  async stop(): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    if (process.env['NODE_V8_COVERAGE'] && this.listening.length > 0)
      await this.ping(2000, 'cover');
    this.ended = true;
    clearInterval(this.#watch);
    // Where it started others: is it the program that ends them, or must we?
    if (this.children.length > 0 && process.platform !== 'win32') {
      this.#child.kill('SIGKILL');
      await this.exited;
      this.leftBehind = this.survivors().length;
    }
    killGroup(this.pid);
    await this.exited;
    for (const pid of this.survivors()) signal(pid, 'SIGKILL');
    release(this.pid);
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  /** Processes that it started and that live on although it is gone. */
  survivors(): number[] {
    if (this.children.length === 0 && this.options.trusted) return [];
    const found = procfs.marked(this.#mark, this.pid, this.#born);
    if (found) return found.filter((pid) => pid !== this.pid);
    return this.children.filter((pid) => signal(pid, 0));
  }
}
