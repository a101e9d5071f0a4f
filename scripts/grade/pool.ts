/** Workers that judge, each in a process of its own. One that dies or hangs is replaced, and its job counts as the grader's error. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { projectRoot } from '../kernel/course.ts';
import { trustedLoaderWords } from '../kernel/program.ts';
import { adopt, end, release } from '../kernel/reaper.ts';
import { workerWords, type Tier } from './isolation.ts';
import type { Answer, Job } from './worker.ts';

/** No lesson takes longer than this, in ms; every wait in it is bounded as well. */
const jobMs = 120_000;

/** What a worker needs of the environment: a stranger's program that reads it finds no secret. */
const needed =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SystemRoot|windir|ComSpec|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|WORKBOOK_BROWSER|CHROME_PATH|NODE_V8_COVERAGE)$/i;
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => needed.test(name)));

export class Worker {
  readonly #tier: Tier;
  /** The folder that becomes a program's root directory, where the tier has one. */
  readonly root: string;
  readonly #script: string;
  readonly #jobMs: number;
  #child: ChildProcess | undefined;
  #lines: Interface | undefined;
  /** The job in hand. */
  #job: { id: number; answer: (message: Answer) => void } | undefined;
  #errors = '';
  #next = 1;

  /** @param script what the process runs; @param limit of one job, in ms */
  constructor(
    tier: Tier,
    root: string,
    script = join(projectRoot, 'scripts/grade/worker.ts'),
    limit = jobMs,
  ) {
    this.#tier = tier;
    this.root = root;
    this.#script = script;
    this.#jobMs = limit;
  }

  #start(): ChildProcess {
    const words = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...trustedLoaderWords,
      this.#script,
    ];
    const [command = '', ...args] =
      this.#tier === 'namespaces' ? [...workerWords, ...words] : words;
    const child = spawn(command, args, {
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const { pid } = child;
    if (pid) adopt(pid);
    child.stdin?.on('error', () => {});
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (this.#errors = (this.#errors + text).slice(-2000)));
    if (child.stdout)
      this.#lines = createInterface({ input: child.stdout }).on('line', (line) => {
        if (this.#child === child) this.#hear(line);
      });
    child.on('error', (error) => {
      if (this.#child === child) this.#job?.answer({ error: error.message });
    });
    child.on('exit', (code, signal) => {
      if (pid) release(pid);
      if (this.#child === child) {
        this.#child = undefined;
        this.#job?.answer({
          error: `the worker ended with ${signal ?? `exit code ${code}`}: ${this.#errors.trim().split('\n').at(-1) ?? ''}`,
        });
      }
    });
    return child;
  }

  #hear(line: string): void {
    let message: Answer & { id?: number };
    try {
      message = JSON.parse(line) as typeof message;
    } catch {
      message = { error: 'the worker said something that is no JSON' };
    }
    // An answer that comes too late is not the next job's.
    if (message.id === undefined || message.id === this.#job?.id) this.#job?.answer(message);
  }

  /** Does one job. `error` is the grader's own failure, never the submission's. */
  async run(job: Omit<Job, 'id'>): Promise<Answer> {
    this.#child ??= this.#start();
    const id = this.#next++;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve) => {
        timer = setTimeout(() => {
          void this.stop();
          resolve({ error: `no verdict within ${this.#jobMs / 1000} s` });
        }, this.#jobMs);
        this.#job = { id, answer: resolve };
        this.#child?.stdin?.write(`${JSON.stringify({ ...job, id })}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#job = undefined;
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#lines?.close();
    this.#lines = undefined;
    await end(child);
  }
}
