/**
 * The TypeScript loader of a staged submission, where Node needs one: a copy beside it with a cache of its own. The project's
 * own cache holds what the solutions and the tests became, so no stranger's program may see it.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../kernel/course.ts';
import { stripsTypes } from '../kernel/program.ts';
import { strip } from '../kernel/strip.cjs';

/** Needed where a submission's file cannot be read by Node: the library says why. */
export const stripper = withoutLinks(join(projectRoot, 'node_modules/amaro'));

/** Node's permission model compares paths as they are. */
function withoutLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

const loaderDir = (stage: string): string => join(stage, '.loader/scripts/grade');
const cacheDir = (stage: string): string => join(stage, '.loader/.workbook/strip');

/** Lays the loader out in the staged folder. */
export function layLoader(stage: string): void {
  const dir = loaderDir(stage);
  if (stripsTypes) return;
  mkdirSync(dir, { recursive: true });
  mkdirSync(cacheDir(stage), { recursive: true });
  mkdirSync(join(stage, '.loader/node_modules'));
  for (const file of ['strip.cjs', 'strip-hook.mjs', 'strip-register.cjs'])
    copyFileSync(join(projectRoot, 'scripts/kernel', file), join(dir, file));
  copyFileSync(join(import.meta.dirname, 'loader.cjs'), join(dir, 'loader.cjs'));
  symlinkSync(stripper, join(stage, '.loader/node_modules/amaro'), 'junction');
}

/** Strips what the staged folder holds ahead of time: a start does not pay for it. It may take a hostile file for ever. */
export function stripAhead(stage: string): void {
  for (const file of readdirSync(join(stage, 'lessons'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    try {
      strip(join(stage, 'lessons', file), cacheDir(stage));
    } catch {
      // It does not compile: its own start says so.
    }
  }
}

/**
 * Whether the staged loader needs a worker, so that the permission model must allow them. Node 20, which changes no more, has a
 * place for it in the program's own thread: a start costs half as much, and what lies open of Node for that is closed before
 * the program is loaded.
 */
export const needsWorker = !stripsTypes && !process.versions.node.startsWith('20.');

/**
 * Node's words with the staged loader in place of the project's.
 * @param words Node's own, without the command
 */
export function withLoader(stage: string, words: string[]): string[] {
  const at = words.findIndex((word) => word.endsWith('strip-register.cjs'));
  if (at < 0) return words;
  const staged = words.with(at, join(loaderDir(stage), 'loader.cjs'));
  return needsWorker ? staged : ['--expose-internals', ...staged];
}
