/** The lesson loop: one screen that follows the learner's saves and keys. Nothing in it advances by itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { emitKeypressEvents, type Key } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { loadSuite } from '../kernel/catalogue.ts';
import { allLessons, lessonsDir, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import { judge, prepare } from '../kernel/judge.ts';
import { stripsTypes, type Program } from '../kernel/program.ts';
import { rehearse } from '../kernel/rehearsal.ts';
import type { Result } from '../kernel/result.ts';
import { warmUp } from '../kernel/strip.cjs';
import type { Flags } from '../lesson/flags.ts';
import { hintLines, nextHint } from '../lesson/hint.ts';
import { resetLesson } from '../lesson/reset.ts';
import { curlLines, servingPort, watchedFiles } from '../lesson/serve.ts';
import { solutionDiff } from '../lesson/solution.ts';
import { welcome } from '../lesson/welcome.ts';
import { fingerprint, isProven, readProgress, recordResult } from '../progress.ts';
import { exchangeText, picture } from '../show/exchange.ts';
import { markdownLines } from '../show/markdown.ts';
import { wrap } from '../show/style.ts';
import { currentStep, heading, stepList, verdict } from '../show/verdict.ts';
import { LessonList } from './list.ts';
import { Screen } from './screen.ts';
import { LocalServer } from './server.ts';
import { checkTypes, type TypeCheck } from './types.ts';
import { watchFiles, watchingWorks, type Watching } from './watch.ts';

type View = 'verdict' | 'exchange' | 'solution' | 'task' | 'list' | 'keys';

const keys =
  'n next  p previous  h hint  x exchange  t task  o serve  s solution  r reset  l list  ? keys  q quit';

const keyHelp = [
  'n   the next lesson              p   the previous one',
  'l   every lesson: move with the arrows, type to search, Enter to go there',
  't   the text of this lesson      h   a hint; again for the next, three for each step',
  'x   what went over the wire      o   your server on port 3000, beside the checks',
  's   the solution, as a diff      r   the stub again; your file is kept aside',
  'q   quit, as does Ctrl-C         Esc back to the verdict',
  '',
  'The arrows and the space bar move the view where it is longer than the screen.',
];

/** Runs the loop until the learner quits. Gives the exit status: 0 when the lesson on the screen is done. */
export function loop(lesson: Lesson, flags: Flags): Promise<number> {
  return new Loop(lesson, flags).run();
}

class Loop {
  readonly #flags: Flags;
  readonly #screen = new Screen();
  /** Until the first save, or another lesson. */
  #greeting: string[];
  #lesson: Lesson;
  #view: View = 'verdict';
  #result: Result | undefined;
  #trouble: string | undefined;
  #hint: string[] = [];
  #remarks: string[] = [];
  #notice = '';
  #question: { text: string; yes: () => void } | undefined;
  #list = new LessonList();

  /** Processes at their gate, for the next save. */
  #ready: Program[] = [];
  #judging: AbortController | undefined;
  #types: TypeCheck | undefined;
  #watching: Watching | undefined;
  #poll = false;
  #server: LocalServer | undefined;
  #serverSaid: string[] = [];
  #finish: (status: number) => void = () => {};

  constructor(lesson: Lesson, flags: Flags) {
    this.#lesson = lesson;
    this.#flags = flags;
    this.#greeting = welcome(readProgress(), lesson, true);
  }

  async run(): Promise<number> {
    // The loop stands open for hours: room for short-lived objects, once grown, would stay.
    setFlagsFromString('--semi-space-growth-factor=1');
    const { stdin } = process;
    const over = new Promise<number>((resolve) => (this.#finish = resolve));
    const quit = (): void => this.#quit();
    const redraw = (): void => this.#draw();
    const onKey = (text: string | undefined, key: Key): void => this.#key(text ?? '', key);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, quit);
    process.stdout.on('resize', redraw);
    process.once('exit', () => this.#screen.close());
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.on('keypress', onKey);
    this.#screen.open();
    try {
      this.#poll = this.#flags.poll ?? false;
      this.#enter(this.#lesson);
      if (!this.#flags.poll && !(await watchingWorks())) {
        this.#poll = true;
        this.#notice =
          'This folder does not report saves (a network drive, perhaps), so it is looked at four times a second.';
        this.#watch();
        this.#draw();
      }
      return await over;
    } finally {
      this.#judging?.abort();
      this.#types?.stop();
      this.#watching?.close();
      await Promise.all([...this.#ready, this.#server].map(async (one) => one?.stop()));
      stdin.off('keypress', onKey);
      stdin.setRawMode(false);
      stdin.pause();
      process.stdout.off('resize', redraw);
      this.#screen.close();
    }
  }

  #quit(): void {
    this.#finish(this.#result?.status === 'pass' ? 0 : 1);
  }

  /** Makes a lesson the one on the screen, and checks it. */
  #enter(lesson: Lesson): void {
    const before = readProgress().lessons[lesson.name]?.seen;
    this.#notice =
      before !== undefined && before !== fingerprint(lesson)
        ? 'The text or the steps of this lesson have changed since you were here; your work and your progress are kept.'
        : '';
    if (lesson !== this.#lesson) this.#greeting = [];
    this.#lesson = lesson;
    this.#view = 'verdict';
    this.#result = undefined;
    this.#trouble = undefined;
    this.#hint = [];
    this.#remarks = [];
    this.#endReady();
    void this.#server?.stop();
    this.#server = undefined;
    this.#watch();
    this.#draw();
    void this.#check();
  }

  #watch(): void {
    this.#watching?.close();
    this.#watching = watchFiles(watchedFiles(lessonsDir, this.#lesson), () => void this.#saved(), {
      poll: this.#poll,
    });
  }

  #saved(): void {
    this.#greeting = [];
    void this.#check();
    if (this.#server) void this.#server.restart();
  }

  /** Judges the lesson as it is now. What was under way is given up. */
  async #check(): Promise<void> {
    this.#judging?.abort();
    this.#types?.stop();
    const judging = (this.#judging = new AbortController());
    const lesson = this.#lesson;
    const prepared = this.#ready.splice(0);
    try {
      const result = await judge(await loadSuite(lesson), {
        prepared,
        ahead: true,
        signal: judging.signal,
        endLater: true,
        proven: (earlier) => isProven(readProgress(), earlier),
        ...(this.#flags.seed !== undefined && { seed: this.#flags.seed }),
      });
      if (judging.signal.aborted) return;
      const before = this.#result && currentStep(this.#result)?.step;
      const sameStep = result.status !== 'error' && currentStep(result)?.step === before;
      if (!sameStep) this.#hint = [];
      this.#result = result;
      this.#trouble = undefined;
      this.#remarks = [];
      if (this.#view === 'exchange') this.#view = 'verdict';
      this.#draw();
      recordResult(lesson, result);
    } catch (error) {
      for (const program of prepared) void program.stop();
      if (judging.signal.aborted) return;
      this.#result = undefined;
      this.#trouble =
        error instanceof UsageError
          ? error.message
          : `The workbook itself failed; this is not your fault. ${error instanceof Error ? error.stack : String(error)}`;
      this.#draw();
    }
    // The learner reads now: make the next processes ready, then look at the types.
    try {
      const { copies } = await loadSuite(lesson);
      if (judging.signal.aborted || lesson !== this.#lesson) return;
      this.#ready = prepare(lesson, 'lessons', copies);
      const [program] = this.#ready;
      if (!stripsTypes) warmUp();
      if (program) await rehearse(program);
      if (judging.signal.aborted) return;
      this.#types = checkTypes(lesson, (remarks) => {
        this.#remarks = remarks;
        if (remarks.length > 0) this.#draw();
      });
    } catch {
      // Without them the next verdict takes longer, and nothing else.
      if (!judging.signal.aborted) this.#endReady();
    }
  }

  #endReady(): void {
    for (const program of this.#ready.splice(0)) void program.stop();
  }

  #draw(top = 0): void {
    const footer =
      this.#question?.text ??
      (this.#notice ||
        (this.#view === 'verdict'
          ? keys
          : this.#view === 'list'
            ? this.#list.help
            : 'Esc back  arrows and space move  q quit'));
    this.#screen.show(
      this.#lines(),
      footer,
      this.#view === 'list' ? this.#list.top(this.#screen.page) : top,
    );
  }

  #lines(): string[] {
    const { style } = this.#screen;
    const lesson = this.#lesson;
    switch (this.#view) {
      case 'keys':
        return [style.paint('bold', 'Keys'), '', ...keyHelp];
      case 'list':
        return this.#list.lines(readProgress(), style);
      case 'task':
        return markdownLines(
          readFileSync(join(lessonsDir, lesson.name, 'README.md'), 'utf8'),
          style,
        );
      case 'solution':
        return solutionDiff(lesson, 'lessons', style);
      case 'exchange': {
        const exchange = this.#result && currentStep(this.#result)?.exchange;
        return exchange
          ? [
              style.paint('bold', 'What went over the wire'),
              '',
              ...picture(exchange, style),
              '',
              ...exchangeText(exchange, style),
            ]
          : ['Nothing went over the wire that would explain this verdict.'];
      }
      case 'verdict':
        return this.#verdictLines();
    }
  }

  #verdictLines(): string[] {
    const { style } = this.#screen;
    const lesson = this.#lesson;
    if (this.#trouble !== undefined)
      return [
        ...heading(lesson, undefined, style),
        ...stepList(lesson, undefined, style),
        '',
        ...wrap(this.#trouble, style.width),
      ];
    if (!this.#result)
      return [
        ...this.#greeting,
        ...heading(lesson, undefined, style),
        ...stepList(lesson, undefined, style),
        '',
        'Checking …',
      ];
    const lines = [...this.#greeting, ...verdict(lesson, this.#result, style)];
    if (this.#result.status === 'pass') lines.push('', ...this.#whatNext());
    if (this.#hint.length > 0) lines.push('', ...this.#hint);
    if (this.#remarks.length > 0) {
      lines.push(
        '',
        style.paint('bold', 'The type checker remarks (this is no failure):'),
        ...this.#remarks.flatMap((remark) => wrap(remark, style.width, '  ')),
      );
    }
    if (this.#server) {
      lines.push(
        '',
        `Your server runs on http://localhost:${this.#serverPort}; "o" ends it. Try:`,
        ...curlLines(lesson)
          .slice(0, 3)
          .map((line) => `  ${line.replaceAll('localhost:3000', `localhost:${this.#serverPort}`)}`),
        ...this.#serverSaid.map((line) => `  | ${line}`),
      );
    }
    return lines;
  }

  #whatNext(): string[] {
    const next = this.#neighbour(1);
    return next
      ? [
          ...wrap(`Next: "${next.title}". ${next.about}`, this.#screen.style.width),
          '',
          'Press n to go there, s to compare your program with the reference.',
        ]
      : ['This was the last lesson. Press l to see them all.'];
  }

  #neighbour(by: number): Lesson | undefined {
    const lessons = allLessons();
    return lessons[lessons.findIndex((lesson) => lesson.name === this.#lesson.name) + by];
  }

  #show(view: View): void {
    this.#view = this.#view === view ? 'verdict' : view;
    this.#draw();
  }

  #ask(text: string, yes: () => void): void {
    this.#question = { text: `${text} (y/n)`, yes };
    this.#draw();
  }

  #key(text: string, key: Key): void {
    if (key.ctrl && key.name === 'c') return this.#quit();
    try {
      this.#act(text, key);
    } catch (error) {
      // A file that the view needs is missing, say: that is no reason to end.
      this.#view = 'verdict';
      this.#notice = error instanceof Error ? error.message : String(error);
      this.#draw();
    }
  }

  #act(text: string, key: Key): void {
    this.#notice = '';
    if (this.#question) {
      const { yes } = this.#question;
      this.#question = undefined;
      if (text.toLowerCase() === 'y') yes();
      return this.#draw();
    }
    if (this.#view === 'list' && this.#listKey(text, key)) return;
    switch (key.name) {
      case 'down':
        return this.#screen.scroll(1);
      case 'up':
        return this.#screen.scroll(-1);
      case 'space':
      case 'pagedown':
        return this.#screen.scroll(this.#screen.page);
      case 'pageup':
        return this.#screen.scroll(-this.#screen.page);
      case 'escape':
        this.#view = 'verdict';
        return this.#draw();
    }
    this.#command(text);
  }

  #listKey(text: string, key: Key): boolean {
    const chosen = this.#list.key(text, key);
    if (chosen === 'leave') {
      this.#show('verdict');
      return true;
    }
    if (chosen && chosen !== 'stay') this.#enter(chosen);
    else this.#draw();
    return true;
  }

  #command(text: string): void {
    switch (text) {
      case 'q':
        return this.#quit();
      case 'n':
      case 'p': {
        const lesson = this.#neighbour(text === 'n' ? 1 : -1);
        if (lesson) return this.#enter(lesson);
        this.#notice = text === 'n' ? 'This is the last lesson.' : 'This is the first lesson.';
        return this.#draw();
      }
      case 'h':
        return this.#giveHint();
      case 'x':
        return this.#show('exchange');
      case 't':
        return this.#show('task');
      case 'l':
        this.#list = new LessonList(this.#lesson);
        return this.#show('list');
      case '?':
        return this.#show('keys');
      case 's':
        if (this.#view === 'solution' || this.#result?.status === 'pass')
          return this.#show('solution');
        return this.#ask("Some steps don't pass yet. Look at the solution all the same?", () =>
          this.#show('solution'),
        );
      case 'r':
        return this.#ask('Put the stub back? Your file is kept aside.', () => this.#reset());
      case 'o':
        return void this.#toggleServer();
    }
  }

  #giveHint(): void {
    if (!this.#result) return;
    const step = currentStep(this.#result);
    if (!step) {
      this.#notice = 'Every step passes: there is nothing to hint at.';
      return this.#draw();
    }
    const { style } = this.#screen;
    const { text, number, of } = nextHint(this.#lesson, step.step);
    this.#hint = [
      style.paint('bold', `Hint ${number} of ${of}`),
      '',
      ...hintLines(text, style.width),
    ];
    this.#view = 'verdict';
    this.#draw(Number.MAX_SAFE_INTEGER);
  }

  #reset(): void {
    const files = resetLesson(this.#lesson);
    const kept = files.flatMap((file) => (file.kept ? [file.kept] : []));
    // The watcher sees the stub and checks it.
    this.#notice =
      files.length === 0
        ? 'The stub is there already.'
        : `The stub is back. Yours is kept in ${kept.join(', ')}`;
  }

  #serverPort = 3000;
  #toggling = false;

  async #toggleServer(): Promise<void> {
    if (this.#toggling) return;
    this.#toggling = true;
    try {
      await this.#turnServer();
    } finally {
      this.#toggling = false;
    }
  }

  async #turnServer(): Promise<void> {
    if (this.#server) {
      await this.#server.stop();
      this.#server = undefined;
      return this.#draw();
    }
    try {
      this.#serverPort = await servingPort(this.#lesson);
    } catch (error) {
      this.#notice = error instanceof Error ? error.message : String(error);
      return this.#draw();
    }
    this.#serverSaid = [];
    const say = (text: string): void => {
      this.#serverSaid = [...this.#serverSaid, ...text.trimEnd().split('\n')]
        .slice(-5)
        .map((line) => line.slice(0, 200));
      this.#draw();
    };
    this.#server = new LocalServer(lessonsDir, this.#lesson, this.#serverPort, {
      output: say,
      exit: (how) => say(`(it ended with ${how}; save to start it again)`),
    });
    this.#server.start();
    this.#draw();
  }
}
