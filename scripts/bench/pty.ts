/** A command on a terminal of its own, for measuring and testing what is drawn there. */
import { spawn, type ChildProcess } from 'node:child_process';
import { killGroup } from '../kernel/reaper.ts';

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

export class Terminal {
  readonly #child: ChildProcess;
  #text = '';
  #watchers = new Set<() => void>();
  exited = false;

  /** Runs the words on a pseudo-terminal that `script` (util-linux, or the BSD one on macOS) provides. */
  constructor(
    words: string[],
    options: { cwd: string; env?: Record<string, string>; columns?: number; rows?: number },
  ) {
    const { columns = 80, rows = 40 } = options;
    const line = `stty cols ${columns} rows ${rows}; exec ${words.map(quote).join(' ')}`;
    const args =
      process.platform === 'darwin'
        ? ['-q', '/dev/null', '/bin/sh', '-c', line]
        : ['-qefc', line, '/dev/null'];
    const env = { ...process.env, TERM: 'xterm-256color', ...options.env };
    this.#child = spawn('script', args, {
      cwd: options.cwd,
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      for (const watcher of [...this.#watchers]) watcher();
    });
    this.#child.on('exit', () => {
      this.exited = true;
      for (const watcher of [...this.#watchers]) watcher();
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** All that was written since the last `forget`. */
  get text(): string {
    return this.#text;
  }

  forget(): void {
    this.#text = '';
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Waits until `test` holds of what was written. @throws after `limitMs` */
  async until(test: (text: string) => boolean, limitMs = 20_000): Promise<void> {
    if (test(this.#text)) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          over(
            new Error(
              `the terminal did not show it within ${limitMs} ms; it shows:\n${this.#text.slice(-3000)}`,
            ),
          ),
        limitMs,
      );
      const over = (error?: Error): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const look = (): void => {
        if (test(this.#text)) over();
        else if (this.exited)
          over(new Error(`the command ended; it had written:\n${this.#text.slice(-3000)}`));
      };
      this.#watchers.add(look);
    });
  }

  async close(): Promise<void> {
    if (this.exited) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    killGroup(this.pid);
    await gone;
  }
}
