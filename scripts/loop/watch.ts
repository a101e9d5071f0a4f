/** Tells when the learner has saved: once for each new text, however their editor writes it. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { workbookDir } from '../progress.ts';

/** After a sign of a save this much quiet is waited for, in ms: an editor may write in several steps. */
const quietMs = 8;
/** A file that is empty or gone may be about to be written: so long is waited for it, in ms. */
const absentMs = 120;
const pollMs = 250;

export interface Watching {
  /** Whether changes are looked for by polling. */
  polling: boolean;
  close(): void;
}

/** The texts of the files, as one fingerprint; `null` while one of them is empty or missing. */
function fingerprint(files: string[]): { print: string; whole: boolean } {
  const hash = createHash('sha256');
  let whole = true;
  for (const file of files) {
    try {
      const bytes = readFileSync(file);
      if (bytes.length === 0) whole = false;
      hash.update(`${bytes.length}\n`).update(bytes);
    } catch {
      whole = false;
      hash.update('missing\n');
    }
  }
  return { print: hash.digest('hex'), whole };
}

/**
 * Watches files by their folders, so that a file that is replaced is still seen.
 * @param onSave called once for each text that differs from the one before
 */
export function watchFiles(
  files: string[],
  onSave: () => void,
  options: { poll: boolean },
): Watching {
  let last = fingerprint(files).print;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const look = (patience: number): void => {
    if (closed) return;
    const now = fingerprint(files);
    if (now.print === last) return;
    if (!now.whole && patience > 0) {
      timer = setTimeout(() => look(patience - quietMs), quietMs);
      return;
    }
    last = now.print;
    onSave();
  };
  const sign = (quiet: number): void => {
    clearTimeout(timer);
    // A file that was put in place of another is whole.
    if (quiet === 0) look(absentMs);
    else timer = setTimeout(() => look(absentMs), quiet);
  };

  const watchers: FSWatcher[] = [];
  let interval: NodeJS.Timeout | undefined;
  const poll = (): void => {
    interval ??= setInterval(() => look(0), pollMs);
  };
  if (options.poll) poll();
  else {
    const names = new Map<string, Set<string>>();
    for (const file of files)
      names.set(dirname(file), (names.get(dirname(file)) ?? new Set()).add(basename(file)));
    for (const [folder, wanted] of names) {
      try {
        const watcher = watch(folder, (event, name) => {
          if (name === null || wanted.has(name)) sign(event === 'rename' ? 0 : quietMs);
        });
        watcher.on('error', poll);
        watchers.push(watcher);
      } catch {
        poll();
      }
    }
  }
  return {
    get polling() {
      return interval !== undefined;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(interval);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Whether the system reports changes in this project's folder at all; network drives and some mounts don't. */
export async function watchingWorks(limitMs = 700): Promise<boolean> {
  const probe = join(workbookDir, `watch-${process.pid}`);
  try {
    mkdirSync(workbookDir, { recursive: true });
    return await new Promise<boolean>((resolve) => {
      const over = (works: boolean): void => {
        clearTimeout(timer);
        watcher.close();
        resolve(works);
      };
      const timer = setTimeout(() => over(false), limitMs);
      const watcher = watch(workbookDir, (_event, name) => {
        if (name === null || name === basename(probe)) over(true);
      });
      watcher.on('error', () => over(false));
      writeFileSync(probe, '');
    });
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}
