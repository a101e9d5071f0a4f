/** The learner's server on a port of their own choosing, started again on save. */
import { spawn, type ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { programFile, type Lesson } from '../kernel/course.ts';
import { runWords } from '../kernel/program.ts';
import { adopt, end, release } from '../kernel/reaper.ts';

export class LocalServer {
  readonly #file: string;
  readonly #port: number;
  readonly #onOutput: ((text: string) => void) | undefined;
  readonly #onExit: (how: string) => void;
  #child: ChildProcess | undefined;
  #restarting: Promise<void> = Promise.resolve();

  /** Without `onOutput` the program writes to this terminal itself. */
  constructor(
    dir: string,
    lesson: Lesson,
    port: number,
    on: { output?: (text: string) => void; exit: (how: string) => void },
  ) {
    this.#file = join(dir, lesson.name, programFile);
    this.#port = port;
    this.#onOutput = on.output;
    this.#onExit = on.exit;
  }

  start(): void {
    const [command = '', ...args] = runWords(this.#file);
    const output = this.#onOutput ? ('pipe' as const) : ('inherit' as const);
    const child = spawn(command, args, {
      cwd: dirname(dirname(dirname(this.#file))),
      env: { ...process.env, PORT: String(this.#port) },
      stdio: ['ignore', output, output],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const { pid } = child;
    if (pid) adopt(pid);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#onOutput?.(text));
    child.on('error', (error) => this.#onExit(error.message));
    child.on('exit', (code, signal) => {
      if (pid) release(pid);
      if (this.#child === child)
        this.#onExit(signal ? `the signal ${signal}` : `exit code ${code}`);
    });
    this.#child = child;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await end(child);
  }

  /** One restart after the other, however fast the saves come. */
  restart(): Promise<void> {
    this.#restarting = this.#restarting.then(() => this.stop()).then(() => this.start());
    return this.#restarting;
  }
}
