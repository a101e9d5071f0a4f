/** Grades submissions, some at a time, and writes each result as it comes. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  findLesson,
  lessonsDir,
  projectRoot,
  solutionsDir,
  type Lesson,
} from '../kernel/course.ts';
import { brief } from '../kernel/exchange.ts';
import { UsageError } from '../kernel/failure.ts';
import { scratchFolder } from '../kernel/leftovers.ts';
import { stripsTypes } from '../kernel/program.ts';
import { stubOf } from '../kernel/stub.ts';
import { takeFiles, putFiles, type Submission, type TakenFile } from './intake.ts';
import type { Isolation } from './isolation.ts';
import { layLoader } from './loading.ts';
import { Worker } from './pool.ts';
import {
  deservesAnotherTry,
  graded,
  maxPoints,
  missing,
  notUtf8,
  type GradedLesson,
  type GradedSubmission,
} from './results.ts';
import type { Job } from './worker.ts';

export interface GradeOptions {
  lessons: Lesson[];
  seed: number;
  jobs: number;
  isolation: Isolation;
  /** Earlier modules come from the reference, so that one fault isn't paid twice. */
  withReference: boolean;
  /** The folder that the reference comes from, shaped like `solutions/`. */
  reference: string;
  /** Folders that no program may see: the class, the reports. */
  hidden: string[];
  /** Each submission's result is kept here as it comes. */
  keep: string;
  onDone?: (submission: GradedSubmission, left: number) => void;
}

/** Lays out a tree that holds our finished files and the submission's own. */
function stage(base: string, files: TakenFile[]): string {
  const dir = mkdtempSync(join(base, 'stage-'));
  writeFileSync(join(dir, 'package.json'), '{ "private": true, "type": "module" }\n');
  for (const name of readdirSync(lessonsDir)) {
    if (!/^\d\d-/.test(name)) continue;
    const { edits } = findLesson(name);
    cpSync(join(lessonsDir, name), join(dir, 'lessons', name), {
      recursive: true,
      filter: (source) =>
        !/\.(md|json)$/.test(source) &&
        !edits.some((file) => source === join(lessonsDir, name, file)),
    });
  }
  putFiles(files, join(dir, 'lessons'));
  layLoader(dir);
  return dir;
}

const needed = (lesson: Lesson): Lesson[] =>
  lesson.needs.map(findLesson).flatMap((earlier) => [...needed(earlier), earlier]);

/** The lessons and those that they stand on, each once. */
export const withNeeded = (lessons: Lesson[]): Lesson[] => [
  ...new Set(lessons.flatMap((lesson) => [...needed(lesson), lesson])),
];

/** Says of a lesson that lost points which of those that it stands on lost some too: one fault may have cost both. */
function nameEarlier(lesson: GradedLesson, _index: number, all: GradedLesson[]): void {
  if (lesson.points === lesson.maxPoints || lesson.verdict === 'missing') return;
  const below = needed(findLesson(lesson.lesson)).flatMap(({ name, title }) => {
    const found = all.find((one) => one.lesson === name);
    if (!found || found.points === found.maxPoints) return [];
    return `"${title}" (${found.points} of ${found.maxPoints} points)`;
  });
  if (below.length === 0) return;
  const note = `This lesson stands on ${[...new Set(below)].join(', ')}: what fails there can fail here too, and --with-reference grades this one without it.`;
  lesson.message = lesson.message === null ? note : `${lesson.message} ${note}`;
}

/** Says of each lesson that is missing that an archive was handed in. */
function namePacked({ lessons }: GradedSubmission, archive: string): void {
  for (const lesson of lessons)
    if (lesson.verdict === 'missing')
      lesson.message =
        `${lesson.message ?? ''} There is an archive, ${brief(archive, 60)}: unpack it and grade again.`.trim();
}

/** What a submission's text may take to be stripped, in ms; the library is loaded in it too. */
const stripMs = 10_000;

/** Where one submission is graded: lessons that wait for something real wait beside the others. */
interface Desk {
  quick: Worker;
  waiting: Worker;
}

export class Grader {
  readonly #options: GradeOptions;
  readonly #base: string;
  readonly #desks: Desk[];
  readonly #stripper = new Worker(
    'process',
    '',
    join(projectRoot, 'scripts/grade/stripping.ts'),
    stripMs,
  );
  #stripping: Promise<void> = Promise.resolve();
  /** Staged folders that took the stripper too long. */
  readonly #unstripped = new Set<string>();
  /** While a lesson is tried again, alone, this holds the others up. */
  #alone: Promise<void> = Promise.resolve();
  #running = new Set<Promise<unknown>>();

  constructor(options: GradeOptions) {
    this.#options = options;
    // Without links: Node's permission model compares paths as they are, and macOS reaches its temporary folder by one.
    this.#base = scratchFolder(tmpdir(), 'workbook-grade');
    const { tier } = options.isolation;
    this.#desks = Array.from({ length: options.jobs }, (_, index) => ({
      quick: new Worker(tier, join(this.#base, `root-${index}-quick`)),
      waiting: new Worker(tier, join(this.#base, `root-${index}-waiting`)),
    }));
  }

  /** What is nobody's to see but the grader's: a stage is shown in spite of the folder that it lies in. */
  get #hidden(): string[] {
    const { reference, hidden } = this.#options;
    return [projectRoot, reference, ...hidden, this.#base].map((path) => realpathSync(path));
  }

  /** @throws UsageError when a program under grading could read what it must not */
  async #probe(worker: Worker): Promise<void> {
    const { lessons, reference, hidden, isolation, seed } = this.#options;
    const dir = stage(this.#base, []);
    try {
      const probe = [
        ...lessons.flatMap(({ name, edits }) => [
          ...edits.flatMap((file) => [join(reference, name, file), join(solutionsDir, name, file)]),
          join(projectRoot, 'tests', `${name}.test.ts`),
        ]),
        ...hidden.flatMap((folder) =>
          readdirSync(folder)
            .slice(0, 100)
            .map((name) => join(folder, name)),
        ),
      ].filter((path) => existsSync(path) && !dir.startsWith(join(path, '/')));
      const { readable, error } = await worker.run({
        lesson: lessons[0]?.name ?? '',
        target: join(dir, 'lessons'),
        stage: dir,
        seed,
        tier: isolation.tier,
        root: worker.root,
        hidden: this.#hidden,
        probe,
      });
      if (!readable) throw new Error(error ?? 'no answer to the question what can be read');
      if (readable.length > 0)
        throw new UsageError(
          `Nobody was graded, for a submission's program could read ${readable[0]}: move this workbook, the submissions and the reports out of the folders that Node itself needs.`,
        );
    } finally {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  #reference(lesson: Lesson): TakenFile[] {
    return lesson.edits.map((file) => ({
      lesson: lesson.name,
      file,
      sha256: '',
      bytes: readFileSync(join(this.#options.reference, lesson.name, file)),
    }));
  }

  async #judge(
    worker: Worker,
    dir: string,
    lesson: Lesson,
  ): Promise<{ lesson?: GradedLesson; error?: string }> {
    const { seed, isolation } = this.#options;
    const job = {
      lesson: lesson.name,
      target: join(dir, 'lessons'),
      stage: dir,
      seed,
      tier: isolation.tier,
      root: worker.root,
      hidden: this.#hidden,
    };
    await this.#strip(job);
    const { result, error } = await worker.run(job);
    if (!result) return { error: error ?? 'no verdict' };
    return { lesson: graded(lesson, { ...result, target: 'submission' }) };
  }

  /** Strips ahead of time, one submission after the other. Where that fails or takes long, the programs' own starts do it. */
  async #strip(job: Omit<Job, 'id'>): Promise<void> {
    if (stripsTypes || this.#unstripped.has(job.stage)) return;
    this.#stripping = this.#stripping.then(async () => {
      const { error } = await this.#stripper.run(job);
      if (error !== undefined) this.#unstripped.add(job.stage);
    });
    await this.#stripping;
  }

  /** Waits until nobody else is at work, runs, and lets the others go on. */
  async #byItself<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#alone;
    let done: () => void = () => {};
    this.#alone = new Promise((resolve) => (done = resolve));
    await before;
    await Promise.allSettled([...this.#running]);
    try {
      return await run();
    } finally {
      done();
    }
  }

  async #among<T>(run: () => Promise<T>): Promise<T> {
    await this.#alone;
    const running = run();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #lesson(
    worker: Worker,
    files: TakenFile[],
    dir: string,
    lesson: Lesson,
  ): Promise<{ lesson?: GradedLesson; error?: string }> {
    const own = files.filter((file) => file.lesson === lesson.name);
    if (own.length === 0)
      return {
        lesson: missing(
          lesson,
          this.#options.seed,
          `No file of this lesson was handed in: ${lesson.edits.join(', ')}.`,
        ),
      };
    const absent = lesson.edits.filter((file) => !own.some((taken) => taken.file === file));
    if (absent.length > 0)
      return {
        lesson: missing(
          lesson,
          this.#options.seed,
          `A file of this lesson is missing: ${absent.join(', ')}.`,
        ),
      };
    const used = this.#options.withReference ? [lesson] : withNeeded([lesson]);
    const noText = files.find(
      (taken) => used.some(({ name }) => name === taken.lesson) && !isUtf8(taken.bytes),
    );
    if (noText)
      return {
        lesson: notUtf8(lesson, this.#options.seed, `${noText.lesson}/${noText.file}`),
      };
    if (this.#options.withReference)
      putFiles(
        needed(lesson).flatMap((earlier) => this.#reference(earlier)),
        join(dir, 'lessons'),
      );
    else {
      for (const earlier of needed(lesson)) {
        const lacking = earlier.edits.filter(
          (file) => !files.some((taken) => taken.lesson === earlier.name && taken.file === file),
        );
        if (lacking.length > 0)
          return {
            lesson: missing(
              lesson,
              this.#options.seed,
              lacking.length === earlier.edits.length
                ? `This lesson stands on "${earlier.title}", of which no file was handed in.`
                : `This lesson stands on "${earlier.title}", of which a file is missing: ${lacking.join(', ')}.`,
            ),
          };
      }
    }
    try {
      const first = await this.#among(() => this.#judge(worker, dir, lesson));
      if (!first.lesson || !deservesAnotherTry(first.lesson)) return first;
      const second = await this.#byItself(() => this.#judge(worker, dir, lesson));
      if (!second.lesson) return second;
      const better = second.lesson.points >= first.lesson.points ? second.lesson : first.lesson;
      const tries = [first.lesson, second.lesson].map(({ points, diagnosis, steps }) => ({
        points,
        diagnosis: diagnosis ?? steps.find((step) => step.status === 'fail')?.diagnosis ?? null,
      }));
      return { lesson: { ...better, tries } };
    } finally {
      if (this.#options.withReference) {
        // The submission's own modules again, for their own lessons.
        for (const earlier of needed(lesson))
          for (const file of earlier.edits)
            rmSync(join(dir, 'lessons', earlier.name, file), { force: true });
        putFiles(files, join(dir, 'lessons'));
      }
    }
  }

  async #files(
    desk: Desk,
    name: string,
    files: TakenFile[],
    tampered: string | null,
  ): Promise<GradedSubmission> {
    const { lessons } = this.#options;
    const submission: GradedSubmission = {
      name,
      outcome: 'graded',
      reason: null,
      points: 0,
      maxPoints: lessons.reduce((sum, lesson) => sum + maxPoints(lesson), 0),
      files: Object.fromEntries(
        files.map(({ lesson, file, sha256 }) => [`${lesson}/${file}`, sha256]),
      ),
      lessons: [],
    };
    if (tampered) return { ...submission, outcome: 'tampered', reason: tampered };
    try {
      const parts = await Promise.all([
        this.#part(
          desk.quick,
          files,
          lessons.filter(({ waits }) => !waits),
        ),
        this.#part(
          desk.waiting,
          files,
          lessons.filter(({ waits }) => waits),
        ),
      ]);
      const order = lessons.map((lesson) => lesson.name);
      const error = parts.find((part) => typeof part === 'string');
      if (error !== undefined)
        return { ...submission, outcome: 'grader-error', reason: error, points: null };
      submission.lessons = parts
        .flatMap((part) => (typeof part === 'string' ? [] : part))
        .sort((one, other) => order.indexOf(one.lesson) - order.indexOf(other.lesson));
      if (!this.#options.withReference) submission.lessons.forEach(nameEarlier);
      submission.points = submission.lessons.reduce((sum, lesson) => sum + lesson.points, 0);
      return submission;
    } catch (error) {
      return {
        ...submission,
        outcome: 'grader-error',
        points: null,
        reason: error instanceof Error ? error.message : String(error),
      };
    }
  }

  /** Grades some lessons of a submission, in a tree of their own. Gives a text where the grader itself failed. */
  async #part(
    worker: Worker,
    files: TakenFile[],
    lessons: Lesson[],
  ): Promise<GradedLesson[] | string> {
    if (lessons.length === 0) return [];
    const dir = stage(this.#base, files);
    const results: GradedLesson[] = [];
    try {
      for (const lesson of lessons) {
        const { lesson: result, error } = await this.#lesson(worker, files, dir, lesson);
        if (!result) return `${lesson.name}: ${error?.replaceAll(join(dir, '/'), '')}`;
        results.push(result);
      }
      return results;
    } finally {
      // The next submission gets a network that nobody has used.
      if (this.#options.isolation.tier === 'namespaces') await worker.stop();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /**
   * The reference must get every point, and the untouched stubs none. Gives what is wrong, or null.
   * @throws UsageError when a program could read what it must not
   */
  async selfCheck(): Promise<string | null> {
    const [desk, other] = this.#desks;
    if (!desk) return 'there is no worker';
    await this.#probe(desk.quick);
    const { lessons } = this.#options;
    const all = withNeeded(lessons);
    const stubs = all.flatMap((lesson) =>
      lesson.edits.map((file): TakenFile => ({
        lesson: lesson.name,
        file,
        sha256: '',
        bytes: Buffer.from(stubOf(lesson, file)),
      })),
    );
    const reference = all.flatMap((lesson) => this.#reference(lesson));
    const first = this.#files(desk, 'reference', reference, null);
    // At one desk one after the other.
    if (!other) await first;
    const second = this.#files(other ?? desk, 'stubs', stubs, null);
    const [right, empty] = await Promise.all([first, second]);
    if (right.outcome !== 'graded') return `the reference could not be graded: ${right.reason}`;
    const short = right.lessons.find((lesson) => lesson.points < lesson.maxPoints);
    if (short) {
      const step = short.steps.find(({ status }) => status !== 'pass');
      return `the reference gets ${short.points} of ${short.maxPoints} points in ${short.lesson}: ${step?.diagnosis ?? short.diagnosis}: ${short.message ?? step?.message} ${short.detail ?? ''}`;
    }
    if (empty.outcome !== 'graded') return `the stubs could not be graded: ${empty.reason}`;
    const over = empty.lessons.find((lesson) => lesson.points > 0);
    return over ? `the untouched stub gets ${over.points} points in ${over.lesson}` : null;
  }

  /** Grades them all. Those that `done` holds are taken as they are, unless their files have changed. */
  async run(
    submissions: Submission[],
    done: Map<string, GradedSubmission>,
  ): Promise<GradedSubmission[]> {
    const needs = withNeeded(this.#options.lessons);
    const results = new Map<string, GradedSubmission>();
    const queue = submissions.filter((submission) => {
      const kept = done.get(submission.name);
      const { files, tampered } = takeFiles(submission, needs);
      const same = kept && (tampered ? kept.reason === tampered : sameFiles(kept, files));
      if (same) results.set(submission.name, kept);
      return !same;
    });
    const work = async (desk: Desk): Promise<void> => {
      for (let submission = queue.shift(); submission; submission = queue.shift()) {
        const { files, tampered, packed } = takeFiles(submission, needs);
        const result = await this.#files(desk, submission.name, files, tampered);
        if (packed !== undefined) namePacked(result, packed);
        results.set(submission.name, result);
        keepOne(this.#options.keep, result);
        this.#options.onDone?.(result, submissions.length - results.size);
      }
    };
    await Promise.all(this.#desks.map(work));
    return submissions.flatMap(({ name }) => results.get(name) ?? []);
  }

  async end(): Promise<void> {
    const workers = this.#desks.flatMap(({ quick, waiting }) => [quick, waiting]);
    await Promise.all([...workers, this.#stripper].map((worker) => worker.stop()));
    rmSync(this.#base, { recursive: true, force: true, maxRetries: 5 });
  }
}

const sameFiles = (kept: GradedSubmission, files: TakenFile[]): boolean =>
  Object.keys(kept.files).length === files.length &&
  files.every(({ lesson, file, sha256 }) => kept.files[`${lesson}/${file}`] === sha256);

/** Names may be long, and alike but for their letters' case. */
const keptName = (name: string): string =>
  `${createHash('sha256').update(name).digest('hex')}.json`;

/** Writes one submission's result whole: what a sudden end leaves is readable. */
function keepOne(folder: string, result: GradedSubmission): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, keptName(result.name));
  writeFileSync(`${path}.tmp`, JSON.stringify(result));
  renameSync(`${path}.tmp`, path);
}

/** The results that an earlier run has kept. The grader's own errors are not among them: they are tried again. */
export function keptResults(folder: string): Map<string, GradedSubmission> {
  const found = new Map<string, GradedSubmission>();
  if (!existsSync(folder)) return found;
  for (const name of readdirSync(folder).filter(
    (file) => file.endsWith('.json') && file !== 'run.json',
  )) {
    try {
      const result = JSON.parse(readFileSync(join(folder, name), 'utf8')) as GradedSubmission;
      if (result.outcome !== 'grader-error') found.set(result.name, result);
    } catch {
      // Half written by a run that was killed: it is graded again.
    }
  }
  return found;
}
