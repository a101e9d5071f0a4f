/** Finds submissions in a folder and takes from each the files that a learner edits, and nothing else. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { allLessons, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';

/** No learner's file is larger than this, in bytes. */
const maxBytes = 256 * 1024;
/** How deep below a submission's folder the lessons may lie: archives add a folder or two. */
const maxDepth = 3;

export interface Submission {
  /** The folder's name. */
  name: string;
  dir: string;
}

export interface TakenFile {
  lesson: string;
  file: string;
  /** Of the bytes, in hex. */
  sha256: string;
  bytes: Buffer;
}

export interface Intake {
  files: TakenFile[];
  /** Why the submission can't be trusted; `null` when it can. */
  tampered: string | null;
  /** An archive that lies where the lessons should. */
  packed?: string;
}

const isArchive = (name: string): boolean => /\.(zip|7z|rar|tar|tgz|tar\.\w+)$/i.test(name);

const hidden = (name: string): boolean =>
  name.startsWith('.') || name === '__MACOSX' || name === 'node_modules';

/** The submissions of a folder: one for each folder in it. @throws UsageError when there is none */
export function findSubmissions(dir: string): Submission[] {
  let entries;
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    throw new UsageError(
      `There is no folder "${dir}". npm run grade takes a folder that holds one folder for each submission.`,
    );
  }
  const found = entries
    .filter((entry) => entry.isDirectory() && !hidden(entry.name))
    .map(({ name }) => ({ name, dir: join(dir, name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = allLessons().map(({ name }) => name);
  if (found.some(({ name }) => name === 'lessons' || names.includes(name)))
    throw new UsageError(
      `"${dir}" looks like one submission: it holds "${found.find(({ name }) => name === 'lessons' || names.includes(name))?.name}". npm run grade takes a folder that holds one folder for each submission.`,
    );
  if (found.length === 0) {
    const archive = entries.find(({ name }) => isArchive(name))?.name;
    throw new UsageError(
      archive === undefined
        ? `"${dir}" holds no folders. npm run grade takes a folder that holds one folder for each submission.`
        : `"${dir}" holds no folders, but archives such as ${archive}. Unpack each into a folder of its own first.`,
    );
  }
  return found;
}

/**
 * The folder that holds `05-router/` and the others: the submission itself, its `lessons/`, or one that an archive put
 * around it; the one that lies least deep. What can't be looked into on the way is noted, and so are archives.
 */
function lessonsFolder(
  dir: string,
  names: string[],
  unreadable: string[],
  archives: string[],
): string | undefined {
  const list = (folder: string): string[] => {
    try {
      return readdirSync(folder).sort();
    } catch {
      unreadable.push(folder);
      return [];
    }
  };
  const isFolder = (path: string): boolean => {
    try {
      return lstatSync(path).isDirectory();
    } catch {
      unreadable.push(path);
      return false;
    }
  };
  let level = [dir];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth++) {
    const below: string[] = [];
    for (const folder of level) {
      const entries = list(folder);
      const lessons = join(folder, 'lessons');
      const own = entries.includes('lessons') && isFolder(lessons) ? list(lessons) : [];
      if (own.some((name) => names.includes(name))) return lessons;
      if (entries.some((name) => names.includes(name))) return folder;
      archives.push(...entries.filter(isArchive));
      if (depth === maxDepth) continue;
      below.push(
        ...entries
          .filter((entry) => !hidden(entry))
          .map((entry) => join(folder, entry))
          .filter(isFolder)
          .slice(0, 50),
      );
    }
    level = below.slice(0, 500);
  }
  return undefined;
}

/**
 * Reads the edited files of the given lessons. A link or a special file where a file should be is tampering, and so is
 * what cannot be read: whatever one submission holds, the others are graded.
 */
export function takeFiles(submission: Submission, lessons: Lesson[]): Intake {
  const files: TakenFile[] = [];
  const names = allLessons().map(({ name }) => name);
  const unreadable: string[] = [];
  const archives: string[] = [];
  const folder = lessonsFolder(submission.dir, names, unreadable, archives);
  if (folder === undefined) {
    const [path] = unreadable;
    const shown = path && relative(submission.dir, path).replaceAll('\\', '/');
    return {
      files,
      tampered: path === undefined ? null : `${shown || 'The folder'} cannot be read.`,
      ...(archives[0] !== undefined && { packed: archives[0] }),
    };
  }
  for (const lesson of lessons) {
    for (const file of lesson.edits) {
      const parts = [lesson.name, ...file.split('/')];
      const taken = take(folder, parts);
      if (typeof taken === 'string') return { files: [], tampered: taken };
      if (taken)
        files.push({
          lesson: lesson.name,
          file,
          bytes: taken,
          sha256: createHash('sha256').update(taken).digest('hex'),
        });
    }
  }
  return { files, tampered: null };
}

/** The bytes of a file; `null` when it is not there; a sentence when it is something else than a file. */
function take(folder: string, parts: string[]): Buffer | string | null {
  const shown = parts.join('/');
  let path = folder;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    let stat;
    try {
      stat = lstatSync(path, { throwIfNoEntry: false });
    } catch {
      return `${shown} cannot be read.`;
    }
    if (!stat) return null;
    if (stat.isSymbolicLink()) return `${shown} is, or lies behind, a symbolic link.`;
    const last = index === parts.length - 1;
    if (last ? !stat.isFile() : !stat.isDirectory()) return `${shown} is not an ordinary file.`;
    if (last && stat.nlink > 1)
      return `${shown} is a hard link: the same file has another name elsewhere.`;
    if (last && stat.size > maxBytes) return `${shown} is larger than ${maxBytes / 1024} kB.`;
  }
  // Opened without following a link, and looked at again: what was checked is what is read.
  let fd: number;
  try {
    fd = openSync(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
  } catch {
    return `${shown} cannot be read.`;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxBytes) return `${shown} is not an ordinary file.`;
    const bytes = Buffer.alloc(stat.size);
    return bytes.subarray(0, readSync(fd, bytes, 0, stat.size, 0));
  } catch {
    return `${shown} cannot be read.`;
  } finally {
    closeSync(fd);
  }
}

/** Writes files below a folder that holds nothing of the learner's yet. */
export function putFiles(files: TakenFile[], dir: string): void {
  for (const { lesson, file, bytes } of files) {
    const path = join(dir, lesson, file);
    if (!existsSync(join(dir, lesson))) mkdirSync(join(dir, lesson), { recursive: true });
    writeFileSync(path, bytes);
  }
}
