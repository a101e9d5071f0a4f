/** Judges one lesson of one target: starts the program, runs the steps, gives the verdict as data. */
import { randomInt } from 'node:crypto';
import { dirname, join } from 'node:path';
import { findLesson, programFile, type Lesson } from './course.ts';
import { brief } from './exchange.ts';
import { explainDeath } from './explain.ts';
import { ProgramFault, StepFailure, UsageError, type Failure } from './failure.ts';
import { Program, type StartOptions } from './program.ts';
import { failed, notReached, passed, type Result, type StepResult } from './result.ts';
import { random } from './random.ts';
import { startListening } from './starting.ts';
import type { Suite } from './suite.ts';
import { findTarget, inspect, openSteps, type Target } from './target.ts';
import { settled, Trial, type Bench, type StartRequest } from './trial.ts';

export interface JudgeOptions {
  /** A folder shaped like `lessons/`. */
  target?: string;
  seed?: number;
  /** Whose program it is: the learner's own may be watched from inside. */
  trusted?: boolean;
  /** Processes that wait at their gate for this lesson and target: see `prepare`. */
  prepared?: Program[] | undefined;
  /** Starts what the steps will need before they ask for it: somebody waits. */
  ahead?: boolean;
  /** See `StartOptions.wrap`. */
  wrap?: StartOptions['wrap'];
  env?: Record<string, string>;
  /** After this time no further step is begun once one has failed by waiting in vain, in ms: a learner waits. */
  budgetMs?: number;
  /** Silence that is waited for, in ms. */
  limitMs?: number;
  /** Whether an earlier lesson, as it stands in the target, is known to pass: then it is not judged when this one fails. */
  proven?: (earlier: Lesson) => boolean;
  /** Stops at the first step that fails; the steps after it are not reached. */
  firstOnly?: boolean;
  /** Gives the verdict at once and ends the processes after it. */
  endLater?: boolean;
  /** Cancels the run: `judge` then rejects with the signal's reason. */
  signal?: AbortSignal;
  onStep?: (step: StepResult) => void;
  /** Told of each process that a step starts besides the program. */
  onCopy?: () => void;
}

/** A step that takes longer than this is our own fault; every wait inside it is bounded as well. */
const stepMs = 60_000;
const budget = { ms: 1800, limitMs: 1000, hurriedMs: 350 };
/** So many processes are kept ready for the steps; more would take the processor from the program that is being asked. */
const readyAhead = 2;

/** How the program of a lesson is started. */
export function startOptions(
  lesson: Lesson,
  target: Target,
  options: JudgeOptions = {},
): StartOptions {
  return {
    file: join(target.dir, lesson.name, programFile),
    cwd: dirname(target.dir),
    sources: [lesson, ...lesson.needs.map(findLesson)].flatMap(({ name, edits }) =>
      edits.map((file) => join(target.dir, name, file)),
    ),
    trusted: options.trusted ?? true,
    ...(options.env && { env: options.env }),
    ...(options.wrap && { wrap: options.wrap }),
  };
}

/**
 * Starts processes that wait at their gate, for the next `judge` of this lesson and target: the program, and some copies.
 * @param copies how many the lesson's steps start: see `Suite`
 */
export function prepare(lesson: Lesson, target: string, copies = 0): [Program, ...Program[]] {
  const options = startOptions(lesson, findTarget(target));
  const others = Array.from({ length: Math.min(copies, readyAhead) }, () => new Program(options));
  return [new Program(options), ...others];
}

/**
 * @throws UsageError when the target is not there or a file of it is missing: nothing was run
 */
export async function judge(suite: Suite, options: JudgeOptions = {}): Promise<Result> {
  const began = performance.now();
  const { lesson } = suite;
  const target = findTarget(options.target ?? 'lessons');
  const result: Result = {
    schema: 'workbook/result/v1',
    lesson: lesson.name,
    target: target.name,
    node: process.version,
    seed: options.seed ?? randomInt(1, 2 ** 31),
    status: 'pass',
    durationMs: 0,
    diagnosis: null,
    message: null,
    steps: [],
  };
  const run = new Run(suite, target, options, result.seed);
  // Without its program, what a step waits for is over at once.
  const cancel = (): void => void run.stop();
  options.signal?.addEventListener('abort', cancel);
  try {
    // Of somebody else's program the steps count that pass, whatever it stands on: see below.
    run.texts = inspect(target, lesson, run.trusted);
    result.steps = await run.steps();
    if (result.steps.some((step) => step.status !== 'pass')) result.status = 'fail';
    const failing = result.steps.some(
      (step) => step.status === 'fail' && step.diagnosis !== 'not-done-yet',
    );
    // A learner is sent to the earlier lesson; of somebody else's program the steps that passed count.
    if (failing && run.trusted) await blameEarlierLessons(lesson, target, options);
  } catch (error) {
    if (!(error instanceof ProgramFault)) throw error;
    result.status = 'error';
    result.diagnosis = error.failure.diagnosis;
    result.message = brief(error.failure.message, 600);
    if (error.failure.actual !== undefined) result.detail = error.failure.actual;
    result.steps = lesson.steps.map(({ title }, index) =>
      notReached(index + 1, title, 'The program as a whole is at fault.'),
    );
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    result.durationMs = Math.round(performance.now() - began);
    // The processes are ended while the verdict is read; the reaper sees to it that they are.
    const ending = Promise.all([run, ...(options.prepared ?? [])].map((one) => one.stop()));
    if (!options.endLater) await ending;
  }
  options.signal?.throwIfAborted();
  return result;
}

class Run implements Bench {
  readonly trusted: boolean;
  readonly root: string;
  readonly seed: number;
  readonly keepAlive: boolean;
  limitMs: number;
  texts = new Map<string, string>();
  readonly #suite: Suite;
  readonly #options: JudgeOptions;
  readonly #start: StartOptions;
  #current: Program | undefined;
  #prepared: Program | undefined;
  /** Copies that wait at their gate for the steps, and how many of them are still to be started. */
  readonly #ready: Program[];
  #toCome: number;
  /** Programs that the step in hand has started besides. */
  #others: Program[] = [];
  /** Whether a step has failed by running out of time. */
  #waited = false;
  readonly #began = performance.now();

  constructor(suite: Suite, target: Target, options: JudgeOptions, seed: number) {
    this.#suite = suite;
    this.#options = options;
    this.seed = seed;
    this.keepAlive = suite.keepAlive ?? false;
    this.trusted = options.trusted ?? true;
    this.root = target.dir;
    this.limitMs = options.limitMs ?? budget.limitMs;
    this.#start = startOptions(suite.lesson, target, options);
    const { trusted } = this;
    const env = suite.env?.({ trusted, cwd: this.#start.cwd, random: random(`${seed}/env`) });
    if (env) this.#start.env = { ...this.#start.env, ...env };
    const [prepared, ...ready] = options.prepared ?? [];
    this.#prepared = prepared;
    this.#ready = ready;
    this.#toCome = options.ahead && this.trusted ? (suite.copies ?? 0) - ready.length : 0;
  }

  program(): Program {
    if (!this.#current) throw new Error('no program runs');
    return this.#current;
  }

  async #fresh(): Promise<Program> {
    await this.#current?.stop();
    this.#current = undefined;
    const prepared = this.#prepared && adapted(this.#prepared, this.#start);
    this.#prepared = undefined;
    this.#current = await startListening(this.#start, this.root, prepared);
    this.#lookAhead();
    return this.#current;
  }

  #lookAhead(): void {
    for (; this.#toCome > 0 && this.#ready.length < readyAhead; this.#toCome--)
      this.#ready.push(new Program(this.#start));
  }

  /** A copy that is ready or, where there is none, a new one. */
  #copy(options: StartOptions): Program {
    const ready = options.args ? undefined : this.#ready.shift();
    // Whatever ended it at its gate, the step needs one that runs.
    if (!ready || ready.exit) {
      if (!ready) this.#toCome--;
      return new Program(options);
    }
    this.#lookAhead();
    return adapted(ready, options);
  }

  restart(env?: Record<string, string>): Promise<Program> {
    if (env) this.#start.env = { ...this.#start.env, ...env };
    return this.#fresh();
  }

  async start(request: StartRequest): Promise<Program> {
    this.#options.onCopy?.();
    const options: StartOptions = {
      ...this.#start,
      env: { ...this.#start.env, ...request.env },
      ...(request.args && { args: request.args }),
      ...(request.cwd && { cwd: request.cwd }),
    };
    if (request.expectListening === false) {
      const program = this.#copy(options);
      this.#others.push(program);
      await program.go(Number(request.env?.['PORT'] ?? 0), request.env);
      return program;
    }
    const prepared = this.trusted ? this.#copy(options) : undefined;
    const program = await startListening(options, this.root, prepared);
    this.#others.push(program);
    return program;
  }

  /** Ends all that runs. */
  async stop(): Promise<void> {
    this.#toCome = 0;
    const all = [this.#current, ...this.#others, ...this.#ready.splice(0)];
    await Promise.all(all.map(async (program) => program?.stop()));
    this.#current = undefined;
    this.#others = [];
  }

  /** Runs every step, each whatever became of the ones before. */
  async steps(): Promise<StepResult[]> {
    const results: StepResult[] = [];
    await this.#fresh();
    for (const [index, step] of this.#suite.steps.entries()) {
      const number = index + 1;
      this.#options.signal?.throwIfAborted();
      const late = performance.now() - this.#began > (this.#options.budgetMs ?? budget.ms);
      const enough = this.#options.firstOnly && results.some((result) => result.status === 'fail');
      if (enough || (late && this.#waited)) {
        results.push(notReached(number, step.title, 'Not tried: an earlier step failed.'));
        continue;
      }
      const result = await this.#step(number, step, results);
      results.push(result);
      this.#options.onStep?.(result);
    }
    if (results.at(-1)?.status === 'pass') await this.#lastLook(results);
    return results;
  }

  async #step(
    number: number,
    step: Suite['steps'][number],
    results: StepResult[],
  ): Promise<StepResult> {
    let reused = true;
    if (!this.#current || this.#current.exit) {
      const died =
        this.#current && !this.#current.ended ? await explainDeath(this.#current, this) : undefined;
      // It died after the step before had passed: that step's request killed it.
      if (died) blameStepBefore(results, died);
      try {
        await this.#fresh();
        reused = false;
      } catch (error) {
        if (!(error instanceof ProgramFault)) throw error;
        return failed(number, step.title, error.failure);
      }
    }
    let failure = await this.#try(step);
    const crashed = failure && this.#current?.exit && !this.#current.ended;
    if (crashed && reused && results.at(-1)?.status === 'pass') {
      // Whose request was it? In a fresh process this step shows it.
      const alone = await this.#alone(step);
      if (!alone && failure) blameStepBefore(results, failure);
      failure = alone;
    }
    if (!failure) return passed(number, step.title);
    await this.#afterFailure(failure);
    return failed(number, step.title, this.#notDone(number, failure) ?? failure);
  }

  /** Runs a step's function in a fresh process; gives its failure, or undefined. */
  async #alone(step: Suite['steps'][number]): Promise<Failure | undefined> {
    try {
      await this.#fresh();
    } catch (error) {
      if (error instanceof ProgramFault) return error.failure;
      throw error;
    }
    return this.#try(step);
  }

  /** Runs a step's function; gives its failure, or undefined. */
  async #try(step: Suite['steps'][number]): Promise<Failure | undefined> {
    const trial = new Trial(this, step.title);
    const limit = AbortSignal.timeout(stepMs);
    const tooLong = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () =>
        reject(
          new UsageError(
            `The check of "${step.title}" itself did not end within ${stepMs / 1000} s.`,
          ),
        ),
      );
    });
    try {
      await Promise.race([step.run(trial), tooLong]);
      await trial.settle();
      trial.checkEnds();
      return undefined;
    } catch (error) {
      if (error instanceof StepFailure || error instanceof ProgramFault) {
        const { failure } = error;
        const { exchange } = failure;
        const at = exchange ? trial.exchanges.lastIndexOf(exchange) : -1;
        if (at < 1) return failure;
        const before = trial.exchanges.slice(0, at).filter(({ port }) => port === exchange?.port);
        return { before, ...failure };
      }
      throw error;
    } finally {
      trial.close();
      await Promise.all(this.#others.map((program) => program.stop()));
      this.#others = [];
    }
  }

  /** What a failure left behind must not spoil the next step. */
  async #afterFailure(failure: Failure): Promise<void> {
    const waited =
      /no-answer|never-ended|endless/.test(failure.exchange?.outcome ?? '') ||
      failure.diagnosis === 'event-loop-blocked';
    this.#waited ||= waited;
    if (waited && this.trusted && this.#options.limitMs === undefined)
      this.limitMs = budget.hurriedMs;
    const program = this.#current;
    if (!program || program.exit) return;
    const alive =
      !program.broke && (this.trusted ? (await program.ping(250)) !== undefined : !waited);
    if (!alive) {
      await program.stop();
      this.#current = undefined;
    }
  }

  /** Whether the step fails because its part of the stub still stands. */
  #notDone(number: number, failure: Failure): Failure | undefined {
    const { lesson } = this.#suite;
    const body =
      failure.exchange?.message?.status === 501
        ? failure.exchange.message.body.toString('utf8')
        : '';
    const [, said, title] = /TODO\(step (\d+)\)(?:: (.+))?/.exec(body) ?? [];
    const open = openSteps(lesson, this.texts);
    const earlier = open.includes(number) ? undefined : whoseStub(lesson, Number(said), title);
    if (earlier)
      return {
        diagnosis: 'earlier-lesson-unfinished',
        message: `This step needs step ${said} of the ${earlier.title} lesson, "${title}", which isn't done yet.`,
        expected: earlier.steps[Number(said) - 1]?.asks,
        actual: `501 Not Implemented: TODO(step ${said}): ${title}`,
        exchange: failure.exchange,
      };
    const answered = Number(said ?? 0);
    const missing = open.includes(number) ? number : answered;
    const step = lesson.steps[missing - 1];
    if (!step) return undefined;
    return {
      diagnosis: 'not-done-yet',
      message:
        missing === number
          ? `Not done yet. ${step.asks}`
          : `Step ${missing}, "${step.title}", isn't done yet, and this one needs it.`,
      expected: step.asks,
      actual:
        answered === missing
          ? `501 Not Implemented: TODO(step ${missing})`
          : `the stub's lines for step ${missing} still stand`,
      exchange: failure.exchange,
    };
  }

  /** The program answered everything: is it still well, and has it left nothing behind? */
  async #lastLook(results: StepResult[]): Promise<void> {
    const program = this.#current;
    if (!program) return;
    if (!this.trusted && !program.exit) await settled(program);
    if (program.exit && !program.ended) {
      blameStepBefore(results, await explainDeath(program, this));
      return;
    }
    if (program.children.length > 0 || !this.trusted) {
      await program.stop();
      if (program.leftBehind > 0) {
        throw new ProgramFault({
          diagnosis: 'left-a-child',
          message:
            'The program started another process, which went on running after the program was gone. It was ended. A server of this workbook needs no other process.',
        });
      }
    }
  }
}

/** A process at its gate was started before it was known in which environment and folder it would run. */
function adapted(program: Program, options: StartOptions): Program {
  Object.assign(program.options, options);
  return program;
}

/** The earlier lesson whose stub answers so; undefined where it may be this one's own. */
function whoseStub(lesson: Lesson, step: number, title: string | undefined): Lesson | undefined {
  const says = ({ steps }: Lesson): boolean => steps[step - 1]?.title === title;
  if (title === undefined || says(lesson)) return undefined;
  for (const earlier of lesson.needs.map(findLesson)) {
    const found = says(earlier) ? earlier : whoseStub(earlier, step, title);
    if (found) return found;
  }
  return undefined;
}

function blameStepBefore(results: StepResult[], failure: Failure): void {
  const last = results.at(-1);
  if (last?.status === 'pass') results[results.length - 1] = failed(last.step, last.title, failure);
}

/** Verdicts on earlier lessons, by what stands in their files: they change seldom, and are asked for on every save. */
const earlierVerdicts = new Map<string, Promise<Result>>();

async function judgedAsItStands(
  earlier: Lesson,
  target: Target,
  options: JudgeOptions,
): Promise<Result> {
  const texts = [...inspect(target, earlier)].map(([file, text]) => `${file}\n${text}`);
  const key = `${target.dir}\n${earlier.name}\n${texts.join('\n')}`;
  const {
    prepared: _prepared,
    onStep: _onStep,
    signal: _signal,
    firstOnly: _firstOnly,
    ...rest
  } = options;
  let verdict = earlierVerdicts.get(key);
  if (!verdict) {
    verdict = suiteOf(earlier).then((suite) =>
      judge(suite, { ...rest, target: target.dir, endLater: false }),
    );
    if (earlierVerdicts.size > 50) earlierVerdicts.clear();
    earlierVerdicts.set(key, verdict);
    verdict.catch(() => earlierVerdicts.delete(key));
  }
  return verdict;
}

/** Suites of the lessons that a lesson needs, found by name. */
async function suiteOf(lesson: Lesson): Promise<Suite> {
  const { loadSuite } = await import('./catalogue.ts');
  return loadSuite(lesson);
}

/**
 * A lesson that stands on a faulty one isn't at fault itself.
 * @throws ProgramFault that names the earlier lesson and its step
 */
async function blameEarlierLessons(
  lesson: Lesson,
  target: Target,
  options: JudgeOptions,
): Promise<void> {
  for (const name of lesson.needs) {
    const earlier = findLesson(name);
    if (options.proven?.(earlier)) continue;
    const result = await judgedAsItStands(earlier, target, options);
    if (result.status === 'pass') continue;
    const step = result.steps.find(({ status }) => status === 'fail');
    const what = step ? `step ${step.step}, "${step.title}"` : 'its program';
    throw new ProgramFault({
      diagnosis: 'earlier-lesson-unfinished',
      message: `The ${lesson.title} lesson uses what you wrote in the ${earlier.title} lesson, and ${what} fails there: ${step?.message ?? result.message} Go on with "npm run lesson ${earlier.number}".`,
    });
  }
}
