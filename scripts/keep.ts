/** Copies of what would be written over: nobody's work is lost. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a copy under a name that is not taken: with `-2`, `-3` and so on before its ending, where need be.
 * @returns the path that it got
 */
export function keepCopy(path: string, bytes: Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  for (let n = 1; n < 1000; n++) {
    const name = n === 1 ? path : path.replace(/(\.\w+)$/, `-${n}$1`);
    if (existsSync(name)) continue;
    writeFileSync(name, bytes, { flag: 'wx' });
    return name;
  }
  throw new Error(`${path} has been kept a thousand times`);
}
