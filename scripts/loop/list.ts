/** Every lesson, to move in and to search. */
import type { Key } from 'node:readline';
import { allLessons, type Lesson } from '../kernel/course.ts';
import { isDone, type Progress } from '../progress.ts';
import type { Style } from '../show/style.ts';

export class LessonList {
  #at = 0;
  #search = '';

  constructor(lesson?: Lesson) {
    this.#at = Math.max(
      allLessons().findIndex(({ name }) => name === lesson?.name),
      0,
    );
  }

  get #found(): Lesson[] {
    const wanted = this.#search.toLowerCase();
    return allLessons().filter(({ name, title, steps }) =>
      [name, title, ...steps.map((step) => step.title)].some((text) =>
        text.toLowerCase().includes(wanted),
      ),
    );
  }

  get help(): string {
    return `Search: ${this.#search || '(type some letters)'}   arrows move   Enter go there   Esc back`;
  }

  /** The first line to show, so that the chosen one is on the page. */
  top(page: number): number {
    return Math.max(this.#at + 4 - page, 0);
  }

  lines(progress: Progress, style: Style): string[] {
    const found = this.#found;
    if (found.length === 0) return [`No lesson or step holds "${this.#search}".`];
    return found.flatMap((lesson, index) => {
      const here = index === this.#at;
      const done = progress.lessons[lesson.name]?.done.length ?? 0;
      const state = isDone(progress, lesson) ? 'done' : `${done} of ${lesson.steps.length}`;
      const line = `${here ? '>' : ' '} ${String(lesson.number).padStart(2)}. ${lesson.title.padEnd(34)} ${state}`;
      return [
        here ? style.paint('bold', line) : line,
        ...(here ? [style.paint('dim', `      ${lesson.about}`.slice(0, style.width))] : []),
      ];
    });
  }

  /** Gives the lesson that was chosen, or what to do. */
  key(text: string, key: Key): Lesson | 'leave' | 'stay' {
    const count = this.#found.length;
    if (key.name === 'escape') {
      if (this.#search === '') return 'leave';
      this.#search = '';
      this.#at = 0;
    } else if (key.name === 'return' || key.name === 'enter')
      return this.#found[this.#at] ?? 'stay';
    else if (key.name === 'down') this.#at = Math.min(this.#at + 1, Math.max(count - 1, 0));
    else if (key.name === 'up') this.#at = Math.max(this.#at - 1, 0);
    else if (key.name === 'backspace') this.#search = this.#search.slice(0, -1);
    else if (text.length === 1 && text >= ' ' && !key.ctrl && !key.meta) {
      this.#search += text;
      this.#at = 0;
    }
    this.#at = Math.max(0, Math.min(this.#at, this.#found.length - 1));
    return 'stay';
  }
}
