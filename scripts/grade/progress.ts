/** How far a grading is: a line for each submission, and on a terminal a bar below them with what is left. */
import type { WriteStream } from 'node:tty';

const width = 24;

/** A length of time in words, rounded: `3 min`, `40 s`. */
const inWords = (ms: number): string =>
  ms > 90_000 ? `${Math.round(ms / 60_000)} min` : `${Math.max(Math.round(ms / 1000), 1)} s`;

/** @param done those graded in this run; @param left those still to come */
export function bar(done: number, left: number, elapsedMs: number): string {
  const part = done + left === 0 ? 1 : done / (done + left);
  const filled = Math.floor(part * width);
  const rest =
    left === 0
      ? 'nothing left'
      : done === 0
        ? `${left} left`
        : `${left} left, about ${inWords((elapsedMs / done) * left)}`;
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${Math.floor(part * 100)} %, ${rest}`;
}

export class Progress {
  readonly #out: Pick<WriteStream, 'isTTY' | 'write'>;
  readonly #plain: boolean;
  readonly #total: number;
  readonly #began = performance.now();
  #done = 0;

  /** @param total all submissions, those that an earlier run has done included */
  constructor(
    out: Pick<WriteStream, 'isTTY' | 'write'>,
    total: number,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.#out = out;
    this.#plain = !out.isTTY || env['TERM'] === 'dumb';
    this.#total = total;
  }

  /** Says what became of one submission. */
  tell(name: string, mark: string, left: number): void {
    this.#done++;
    const count = `${String(this.#total - left).padStart(String(this.#total).length)} of ${this.#total}`;
    this.#clear();
    this.#out.write(`[${count}] ${name}: ${mark}\n`);
    if (!this.#plain) this.#out.write(bar(this.#done, left, performance.now() - this.#began));
  }

  end(): void {
    this.#clear();
  }

  #clear(): void {
    if (!this.#plain) this.#out.write('\r\u001b[2K');
  }
}
