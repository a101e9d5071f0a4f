/** Workers that judge, each in a process of its own. One that dies or hangs is replaced, and its job counts as the grader's error. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../kernel/course.ts';
import { loaderWords } from '../kernel/program.ts';
import { adopt, end, release } from '../kernel/reaper.ts';
import type { Result } from '../kernel/result.ts';
import { workerWords, type Tier } from './isolation.ts';
import type { Job } from './worker.ts';

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
  #child: ChildProcess | undefined;
  #answer: ((message: { result?: Result; error?: string }) => void) | undefined;
  #errors = '';
  #next = 1;

  constructor(tier: Tier, root: string) {
    this.#tier = tier;
    this.root = root;
  }

  #start(): ChildProcess {
    const words = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...loaderWords,
      join(projectRoot, 'scripts/grade/worker.ts'),
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
      createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    child.on('error', (error) => this.#answer?.({ error: error.message }));
    child.on('exit', (code, signal) => {
      if (pid) release(pid);
      if (this.#child === child) {
        this.#child = undefined;
        this.#answer?.({
          error: `the worker ended with ${signal ?? `exit code ${code}`}: ${this.#errors.trim().split('\n').at(-1) ?? ''}`,
        });
      }
    });
    return child;
  }

  #hear(line: string): void {
    try {
      this.#answer?.(JSON.parse(line) as { result?: Result; error?: string });
    } catch {
      this.#answer?.({ error: 'the worker said something that is no JSON' });
    }
  }

  /** Judges one lesson. `error` is the grader's own failure, never the submission's. */
  async run(job: Omit<Job, 'id'>): Promise<{ result?: Result; error?: string }> {
    this.#child ??= this.#start();
    const id = this.#next++;
    try {
      return await new Promise((resolve) => {
        const timer = setTimeout(
          () => resolve({ error: `no verdict within ${jobMs / 1000} s` }),
          jobMs,
        );
        this.#answer = (message) => {
          clearTimeout(timer);
          resolve(message);
        };
        this.#child?.stdin?.write(`${JSON.stringify({ ...job, id })}\n`);
      }).then((message) => {
        const answer = message as { result?: Result; error?: string };
        if (answer.error?.startsWith('no verdict')) void this.stop();
        return answer;
      });
    } finally {
      this.#answer = undefined;
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await end(child);
  }
}
