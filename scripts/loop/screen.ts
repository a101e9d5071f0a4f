/** A full screen of lines that is drawn anew without flicker, and that leaves the terminal as it was. */
import { plain, styleFor, wrap, type Style } from '../show/style.ts';

const escape = '\u001b[';

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #full: boolean;
  #lines: string[] = [];
  #footer = '';
  #top = 0;
  #open = false;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
    // A terminal that can't move its cursor gets one screen after the other, as plain text.
    this.#full = process.env['TERM'] !== 'dumb';
  }

  get style(): Style {
    return styleFor(this.#out);
  }

  open(): void {
    if (this.#open) return;
    this.#open = true;
    // The alternate screen, and no cursor.
    if (this.#full) this.#out.write(`${escape}?1049h${escape}?25l`);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#full) this.#out.write(`${escape}?25h${escape}?1049l`);
  }

  /** Shows lines, and one line of help below them. */
  show(lines: string[], footer: string, top = 0): void {
    this.#lines = lines;
    this.#footer = footer;
    this.#top = top;
    this.draw();
  }

  /** Moves the view by so many lines. */
  scroll(by: number): void {
    this.#top += by;
    this.draw();
  }

  get page(): number {
    return Math.max(this.#rows - 2, 4);
  }

  get #rows(): number {
    return this.#out.rows || 24;
  }

  /** A line that is too long would push the others down: it loses its colour and its end. */
  #fit(row: string): string {
    const columns = this.#out.columns || 80;
    const bare = plain(row);
    return bare.length > columns ? `${bare.slice(0, columns - 1)}…` : row;
  }

  draw(): void {
    if (!this.#open) return;
    if (!this.#full) {
      this.#out.write([...this.#lines, '', this.#footer, ''].join('\n'));
      return;
    }
    const footer = wrap(this.#footer, this.style.width);
    const room = Math.max(this.#rows - footer.length - 1, 3);
    this.#top = Math.max(0, Math.min(this.#top, this.#lines.length - room));
    const shown = this.#lines.slice(this.#top, this.#top + room);
    const below = this.#lines.length - this.#top - shown.length;
    const rows = [...shown, ...Array.from({ length: room - shown.length }, () => '')];
    rows.push(
      below > 0 ? this.style.paint('dim', `… ${below} more lines: press the down arrow`) : '',
    );
    rows.push(...footer.map((line) => this.style.paint('dim', line)));
    const text = rows.map((row) => `${this.#fit(row)}${escape}K`).join('\r\n');
    // Between the two marks a terminal that knows them draws nothing: no half-drawn screen is seen.
    this.#out.write(`${escape}?2026h${escape}H${text}${escape}J${escape}?2026l`);
  }
}
