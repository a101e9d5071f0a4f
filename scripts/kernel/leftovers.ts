/** Temporary folders carry the number of the process that made them, so that what a killed one left can be swept away. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const swept = new Set<string>();

/** Removes the folders of this name whose process is gone; once for each name. */
function sweep(parent: string, name: string): void {
  if (swept.has(`${parent}\n${name}`)) return;
  swept.add(`${parent}\n${name}`);
  for (const entry of readdirSync(parent)) {
    if (!entry.startsWith(`${name}-`)) continue;
    const pid = Number(/^(\d+)-/.exec(entry.slice(name.length + 1))?.[1]);
    if (!pid || runs(pid)) continue;
    try {
      rmSync(join(parent, entry), { recursive: true, force: true });
    } catch {
      // Another user's: theirs to remove.
    }
  }
}

/**
 * Makes a folder that nobody else has; its maker removes it.
 * @returns its real path: a system's own temporary folder may be reached through a link
 */
export function scratchFolder(parent: string, name: string): string {
  mkdirSync(parent, { recursive: true });
  sweep(parent, name);
  return realpathSync(mkdtempSync(join(parent, `${name}-${process.pid}-`)));
}
