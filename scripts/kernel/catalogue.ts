/** The catalogue: for each lesson programs that must fail, each for its reason, and programs that must pass. */
import { cpSync, existsSync, rmSync, statSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findLesson, projectRoot, solutionsDir, type Lesson } from './course.ts';
import { UsageError } from './failure.ts';
import { judge, type JudgeOptions } from './judge.ts';
import { scratchFolder } from './leftovers.ts';
import type { Result, StepResult } from './result.ts';
import { stubOf } from './stub.ts';
import type { Suite } from './suite.ts';

/** Loads a lesson's suite. */
export async function loadSuite(lesson: Lesson): Promise<Suite> {
  const file = join(projectRoot, 'tests', `${lesson.name}.test.ts`);
  if (!existsSync(file))
    throw new UsageError(
      `tests/${lesson.name}.test.ts is missing: the checks of this lesson are not there.`,
    );
  const module = (await import(pathToFileURL(file).href)) as { default: Suite };
  return module.default;
}

export interface Specimen {
  kind: 'wrong' | 'valid';
  lesson: Lesson;
  slug: string;
  /** The file or folder, in `tests/`. */
  path: string;
  /** Why it is in the catalogue. */
  about: string;
  /** For a wrong program: the first step that must fail, and the diagnoses that are true of it. 0 stands for the program as a whole. */
  step: number;
  diagnoses: string[];
  /** Whether this machine can show it. */
  applies: boolean;
  /** Whether it is one of those that a quick look takes: one right one, and a wrong one of every third step, each with another diagnosis. */
  representative: boolean;
}

const header = { wrong: /^\/\/ Wrong: (.+)$/m, valid: /^\/\/ Right: (.+)$/m };

/** @throws UsageError when a program's first lines don't say what it is */
export async function specimens(lesson: Lesson, kind: 'wrong' | 'valid'): Promise<Specimen[]> {
  const dir = join(projectRoot, 'tests', kind, lesson.name);
  if (!existsSync(dir)) return [];
  const names = (await readdir(dir)).filter((name) => !name.startsWith('.')).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(dir, name);
      const folder = (await stat(path)).isDirectory();
      const first = folder ? await firstEdited(path, lesson) : path;
      const text = (await readFile(first, 'utf8')).slice(0, 2000);
      const about = header[kind].exec(text)?.[1];
      const fails = /^\/\/ Fails: (?:step (\d+)|program), (.+)$/m.exec(text);
      if (!about || (kind === 'wrong' && !fails)) {
        throw new UsageError(
          `tests/${kind}/${lesson.name}/${name} does not begin with ${kind === 'wrong' ? '"// Wrong: …" and a line such as "// Fails: step 2, no-answer"' : '"// Right: …"'}. No program is judged before that; "npm run verify ${lesson.number} -- --only stray" lists all such files.`,
        );
      }
      return {
        kind,
        lesson,
        slug: name.replace(/\.ts$/, ''),
        path,
        about,
        step: Number(fails?.[1] ?? 0),
        diagnoses: (fails?.[2] ?? '')
          .split('|')
          .map((id) => id.trim())
          .filter(Boolean),
        applies: applies(/^\/\/ Only: (.+)$/m.exec(text)?.[1]),
        representative: false,
      };
    }),
  );
  const shown = new Set<number>();
  const seen = new Set<string>();
  for (const specimen of found) {
    const [diagnosis = ''] = specimen.diagnoses;
    if (specimen.step % 3 > 0 || shown.has(specimen.step) || seen.has(diagnosis)) continue;
    specimen.representative = true;
    shown.add(specimen.step);
    seen.add(diagnosis);
  }
  return found;
}

async function firstEdited(folder: string, lesson: Lesson): Promise<string> {
  for (const file of [...lesson.edits, ...(await readdir(folder))]) {
    if (existsSync(join(folder, file))) return join(folder, file);
  }
  throw new UsageError(`${folder} is empty.`);
}

function applies(only: string | undefined): boolean {
  if (!only) return true;
  const version = /node >= (\d+)/.exec(only);
  if (version) return Number(process.versions.node.split('.')[0]) >= Number(version[1]);
  return only
    .trim()
    .split(/\s*\|\s*/)
    .includes(process.platform);
}

/**
 * Lays a target folder out: the solutions of this lesson and of those that it needs, with the specimen's files in
 * place. The folder lies inside the project, so that installed packages resolve.
 */
export function layOut(lesson: Lesson, path?: string): { dir: string; remove: () => void } {
  const base = scratchFolder(join(projectRoot, '.workbook', 'run'), 'target');
  const dir = join(base, 'lessons');
  for (const { name } of withNeeds(lesson))
    cpSync(join(solutionsDir, name), join(dir, name), { recursive: true });
  if (path) {
    const into = join(dir, lesson.name);
    if (statSync(path).isDirectory()) cpSync(path, into, { recursive: true });
    else cpSync(path, join(into, lesson.edits[0] ?? 'server.ts'));
  }
  return { dir, remove: () => rmSync(base, { recursive: true, force: true, maxRetries: 3 }) };
}

/** A lesson and all that it stands on. */
function withNeeds(lesson: Lesson): Lesson[] {
  return [...new Set([lesson, ...lesson.needs.flatMap((name) => withNeeds(findLesson(name)))])];
}

/** Judges one program of the catalogue, or the solution when no path is given. */
export async function judgeSpecimen(
  lesson: Lesson,
  path: string | undefined,
  options: JudgeOptions = {},
): Promise<Result> {
  const suite = await loadSuite(lesson);
  const { dir, remove } = layOut(lesson, path);
  try {
    // All but this lesson is the reference.
    return await judge(suite, { proven: () => true, ...options, target: dir });
  } finally {
    remove();
  }
}

/** What is wrong with the verdict on a specimen; undefined when it is the right one. */
export function complaint(specimen: Specimen, result: Result): string | undefined {
  const failing = result.steps.find((step) => step.status === 'fail');
  const got =
    result.status === 'error'
      ? `program, ${result.diagnosis}`
      : failing
        ? `step ${failing.step}, ${failing.diagnosis}`
        : 'pass';
  if (specimen.kind === 'valid') {
    return result.status === 'pass'
      ? undefined
      : `a right program was refused: ${got}: ${failing?.message ?? result.message}`;
  }
  const step = result.status === 'error' ? 0 : (failing?.step ?? -1);
  const diagnosis = (result.status === 'error' ? result.diagnosis : failing?.diagnosis) ?? '';
  if (step === specimen.step && specimen.diagnoses.includes(diagnosis)) return undefined;
  const wanted = `${specimen.step === 0 ? 'program' : `step ${specimen.step}`}, ${specimen.diagnoses.join(' | ')}`;
  return got === 'pass'
    ? `a wrong program was accepted; expected ${wanted}`
    : `expected ${wanted}; got ${got}: ${failing?.message ?? result.message}`;
}

export interface Proof {
  /** What was judged, such as `wrong/no-end` or `stub`. */
  name: string;
  result: Result | null;
  /** What is wrong with the verdict; undefined when it is right. */
  complaint: string | undefined;
}

export interface ProofOptions extends JudgeOptions {
  /** Only programs whose name holds this text. */
  only?: string;
  /** Only those that a quick look takes (see `Specimen`), and not the solution: the lesson's own test judges it. */
  sample?: boolean;
  /** How many are judged at once. */
  jobs?: number;
  onProof?: (proof: Proof) => void;
}

/** Proves that a lesson's tests are right: the solution and the valid programs pass, the stub and the wrong ones fail for their reasons. */
export async function prove(lesson: Lesson, options: ProofOptions = {}): Promise<Proof[]> {
  const { only, sample, jobs = 2, onProof, ...judging } = options;
  const work: {
    name: string;
    run: () => Promise<{ result: Result; complaint: string | undefined }>;
  }[] = [];
  const refused = (result: Result): string | undefined => {
    const failing = result.steps.find((step) => step.status !== 'pass');
    return result.status === 'pass'
      ? undefined
      : `${failing?.step ?? ''} ${failing?.diagnosis ?? result.diagnosis}: ${failing?.message || result.message}`;
  };
  if (!sample)
    work.push({
      name: 'solution',
      run: async () => {
        const result = await judgeSpecimen(lesson, undefined, judging);
        return { result, complaint: refused(result) };
      },
    });
  work.push({
    name: 'stub',
    run: async () => {
      const result = await judgeStub(lesson, judging);
      const odd = result.steps.find(
        (step) => step.status !== 'fail' || step.diagnosis !== 'not-done-yet',
      );
      return {
        result,
        complaint: odd && oddInStub(odd, result),
      };
    },
  });
  for (const kind of ['valid', 'wrong'] as const) {
    for (const specimen of await specimens(lesson, kind)) {
      if (!specimen.applies || (sample && !specimen.representative)) continue;
      work.push({
        name: `${kind}/${specimen.slug}`,
        run: async () => {
          const result = await judgeSpecimen(lesson, specimen.path, {
            ...judging,
            firstOnly: true,
          });
          return { result, complaint: complaint(specimen, result) };
        },
      });
    }
  }
  const queue = work.filter(({ name }) => !only || name.includes(only));
  const proofs: Proof[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item; item = queue.shift()) {
      const { result, complaint: wrong } = await item.run();
      const proof = {
        name: item.name,
        result,
        complaint: wrong,
      };
      proofs.push(proof);
      onProof?.(proof);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return proofs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What is wrong where a step of the untouched stub is anything but "not done yet". */
function oddInStub({ step, status, diagnosis, message }: StepResult, result: Result): string {
  if (status === 'pass')
    return `step ${step} passes on the untouched stub, where nothing is done yet: what does its function check?`;
  return `step ${step} of the untouched stub is not "not done yet" but ${diagnosis ?? result.diagnosis ?? status}: ${message || result.message} The stub answers 501 with "TODO(step ${step}): …" there, or has a "//:" line of the region with the title.`;
}

/** Judges the untouched stub of a lesson, on the reference's earlier modules. */
export async function judgeStub(lesson: Lesson, options: JudgeOptions = {}): Promise<Result> {
  const suite = await loadSuite(lesson);
  const { dir, remove } = layOut(lesson);
  try {
    for (const file of lesson.edits)
      await writeFile(join(dir, lesson.name, file), stubOf(lesson, file));
    // All but this lesson is the reference.
    return await judge(suite, { proven: () => true, ...options, target: dir });
  } finally {
    remove();
  }
}
