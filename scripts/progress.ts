/**
 * What the workbook remembers between runs, in `.workbook/progress.json`. It is keyed by lesson and step names, so that a
 * course update does not upset it, and written whole and renamed, so that it can be read after a crash at any moment.
 * Deleting it loses nothing but the marks.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lessonsDir, projectRoot, type Lesson } from './kernel/course.ts';
import type { Result } from './kernel/result.ts';

export interface LessonProgress {
  /** Titles of the steps that passed when the lesson was last checked. */
  done: string[];
  /** How many hints were shown, by step title. */
  hints: Record<string, number>;
  /** The learner's files as they were when every step passed. */
  passedAs?: string;
  /** The lesson's manifest and text as they were when the learner last saw them. */
  seen?: string;
}

export interface Progress {
  schema: 'workbook/progress/v1';
  /** The lesson that was worked on last. */
  last?: string;
  /** When, in ms since 1970. */
  lastAt?: number;
  lessons: Record<string, LessonProgress>;
}

export const workbookDir = join(projectRoot, '.workbook');
const file = join(workbookDir, 'progress.json');

const empty = (): Progress => ({ schema: 'workbook/progress/v1', lessons: {} });

/** Reads the progress; whatever is there and can't be understood counts as none. */
export function readProgress(): Progress {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Progress>;
    if (
      found.schema !== 'workbook/progress/v1' ||
      typeof found.lessons !== 'object' ||
      found.lessons === null
    )
      return empty();
    const lessons: Progress['lessons'] = {};
    for (const [name, entry] of Object.entries(found.lessons)) {
      lessons[name] = {
        done: Array.isArray(entry?.done)
          ? entry.done.filter((title) => typeof title === 'string')
          : [],
        hints: typeof entry?.hints === 'object' && entry.hints !== null ? entry.hints : {},
        ...(typeof entry?.passedAs === 'string' && { passedAs: entry.passedAs }),
        ...(typeof entry?.seen === 'string' && { seen: entry.seen }),
      };
    }
    return {
      ...empty(),
      lessons,
      ...(typeof found.last === 'string' && { last: found.last }),
      ...(typeof found.lastAt === 'number' && { lastAt: found.lastAt }),
    };
  } catch {
    return empty();
  }
}

/** Changes the progress on disk; a place that can't be written to is no reason to stop. */
export function updateProgress(change: (progress: Progress) => void): Progress {
  const progress = readProgress();
  change(progress);
  try {
    mkdirSync(workbookDir, { recursive: true });
    const scratch = `${file}.${process.pid}.tmp`;
    writeFileSync(scratch, JSON.stringify(progress, null, 2) + '\n');
    renameSync(scratch, file);
  } catch {
    // A read-only folder: the marks are lost, the verdict isn't.
  }
  return progress;
}

export function lessonProgress(progress: Progress, lesson: Lesson): LessonProgress {
  return (progress.lessons[lesson.name] ??= { done: [], hints: {} });
}

export const isDone = (progress: Progress, lesson: Lesson): boolean =>
  lesson.steps.every((step) => progress.lessons[lesson.name]?.done.includes(step.title));

/** Remembers a verdict on the learner's own folder. */
export function recordResult(lesson: Lesson, result: Result): Progress {
  return updateProgress((progress) => {
    const entry = lessonProgress(progress, lesson);
    entry.done = result.steps.filter((step) => step.status === 'pass').map((step) => step.title);
    entry.seen = fingerprint(lesson);
    if (result.status === 'pass') entry.passedAs = workOf(lesson);
    else delete entry.passedAs;
    progress.last = lesson.name;
    progress.lastAt = Date.now();
  });
}

/** Whether a lesson's files are those that passed every step. */
export const isProven = (progress: Progress, lesson: Lesson): boolean =>
  progress.lessons[lesson.name]?.passedAs === workOf(lesson);

/** The lesson's text and manifest in a few letters: differs when a course update has changed them. */
export const fingerprint = (lesson: Lesson): string => hashed(lesson, ['lesson.json', 'README.md']);

const workOf = (lesson: Lesson): string => hashed(lesson, lesson.edits);

function hashed(lesson: Lesson, names: string[]): string {
  const hash = createHash('sha256');
  for (const name of names) {
    try {
      hash.update(readFileSync(join(lessonsDir, lesson.name, name)));
    } catch {
      hash.update('missing');
    }
  }
  return hash.digest('hex').slice(0, 16);
}
