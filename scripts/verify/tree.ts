/** The project's files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../kernel/course.ts';

const notOurs = new Set(['node_modules', '.git', '.workbook', 'coverage']);

/** Every file, relative to the project's folder, with `/`, in order. */
export function projectFiles(folder = ''): string[] {
  return readdirSync(join(projectRoot, folder), { withFileTypes: true })
    .filter(({ name }) => !notOurs.has(name))
    .flatMap((entry) => {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      return entry.isDirectory() ? projectFiles(path) : [path];
    })
    .sort();
}

export const readBytes = (file: string): Buffer => readFileSync(join(projectRoot, file));

export const readText = (file: string): string =>
  readFileSync(join(projectRoot, file), 'utf8').replaceAll('\r\n', '\n');

/** Not an image or another file of bytes. */
export const isText = (file: string): boolean => !readBytes(file).subarray(0, 4096).includes(0);
