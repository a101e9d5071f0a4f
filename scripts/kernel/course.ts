/** The course as it lies on disk: which lessons there are, and what each one's manifest says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageError } from './failure.ts';

export interface StepManifest {
  title: string;
  /** Whole points in a grade. */
  points: number;
  /** What the step wants, in one or two sentences. */
  asks: string;
}

export interface Manifest {
  title: string;
  about: string;
  /** The files that the learner edits. */
  edits: string[];
  /** Lessons whose modules this one imports. */
  needs: string[];
  /** The same program on other foundations, beside the solution. */
  twins?: string[];
  learned: string;
  /** Why a verdict on this lesson takes longer than a start of Node, where it does. */
  waits?: string;
  steps: StepManifest[];
}

export interface Lesson extends Manifest {
  /** The folder's name, such as `05-router`. */
  name: string;
  number: number;
}

export const projectRoot = resolve(import.meta.dirname, '../..');

/** The words that run one of the project's commands, as its npm script does. */
export const commandWords = (name: string, root = projectRoot): [string, ...string[]] => [
  process.execPath,
  '--expose-internals',
  join(root, 'scripts/run.mjs'),
  name,
];
export const lessonsDir = join(projectRoot, 'lessons');
export const solutionsDir = join(projectRoot, 'solutions');

let cache: Lesson[] | undefined;

/** Every lesson, in order. The manifests are read once. */
export function allLessons(): Lesson[] {
  return (cache ??= readdirSync(lessonsDir, { withFileTypes: true })
    .filter(
      (entry) =>
        /^\d\d-/.test(entry.name) && existsSync(join(lessonsDir, entry.name, 'lesson.json')),
    )
    .map((entry) => readLesson(entry.name))
    .sort((a, b) => a.number - b.number));
}

function readLesson(name: string): Lesson {
  const file = join(lessonsDir, name, 'lesson.json');
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`lessons/${name}/lesson.json cannot be read: ${why}`);
  }
  return { ...manifest, name, number: Number(name.slice(0, 2)) };
}

/**
 * Finds a lesson by number (`5`, `05`), slug (`router`) or name (`05-router`).
 * @throws UsageError when there is none, with the names that there are
 */
export function findLesson(word: string): Lesson {
  const lessons = allLessons();
  const wanted = word
    .toLowerCase()
    .replace(/[\\/]+$/, '')
    .replace(/^.*[\\/]/, '');
  const exact = lessons.find(
    (lesson) =>
      lesson.name === wanted ||
      lesson.name.slice(3) === wanted ||
      (/^\d{1,2}$/.test(wanted) && lesson.number === Number(wanted)),
  );
  if (exact) return exact;
  const close = wanted.length > 2 ? lessons.filter((lesson) => lesson.name.includes(wanted)) : [];
  if (close.length === 1 && close[0]) return close[0];
  throw new UsageError(
    `There is no lesson "${word}". Give a number from 1 to ${lessons.length} or a name such as "${lessons[0]?.name.slice(3)}"; "npm run lesson list" shows them all.`,
  );
}

/** A lesson's program: `server.ts` in its folder. */
export const programFile = 'server.ts';
