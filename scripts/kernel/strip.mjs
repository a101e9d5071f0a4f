// Type stripping for Node versions that don't have it, with the library that Node itself uses, so that a program means
// the same on all of them. What was stripped once is kept by its content: a start does not pay for it again.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const folder = join(import.meta.dirname, '../../.workbook/strip');

/** @param {string} source */
export const cacheName = (source) =>
  `${createHash('sha256').update('1\n').update(source).digest('hex')}.js`;

/** @param {string} source */
const cacheFile = (source) => join(folder, cacheName(source));

/** @param {string} file */
function cached(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** The library is WebAssembly: compiled plainly it takes half the memory, and is quick enough. */
const library = () => {
  setFlagsFromString('--liftoff-only');
  return import('amaro');
};

/** Loads the library, so that the next text is stripped at once. */
export async function warmUp() {
  const { transformSync } = await library();
  transformSync('let warm: number = 1', { mode: 'strip-only' });
}

/**
 * A TypeScript file as JavaScript, with every letter at its place.
 * @param {string} path
 * @returns {Promise<string>}
 * @throws {SyntaxError} in Node's own words, with the file and the line
 */
export async function strip(path) {
  const source = readFileSync(path, 'utf8');
  const file = cacheFile(source);
  const known = cached(file);
  if (known !== undefined) return known;
  const { transformSync } = await library();
  let code;
  try {
    ({ code } = transformSync(source, { mode: 'strip-only' }));
  } catch (error) {
    throw asNode(String(error), path, source);
  }
  try {
    mkdirSync(folder, { recursive: true });
    if (Math.random() < 0.01) prune();
    const scratch = `${file}.${process.pid}.tmp`;
    writeFileSync(scratch, code);
    renameSync(scratch, file);
  } catch {
    // A folder that can't be written to costs time, nothing else.
  }
  return code;
}

/** Every save leaves a text behind: now and then those of last week are removed. */
function prune() {
  const old = Date.now() - 7 * 24 * 3600 * 1000;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (statSync(file).mtimeMs < old) rmSync(file, { force: true });
  }
}

/**
 * @param {string} words what the stripper said
 * @param {string} path
 * @param {string} source
 */
function asNode(words, path, source) {
  const message = /^\s*x\s+(.*)$/m.exec(words)?.[1] ?? words.split('\n')[0] ?? words;
  const line = Number(/,-\[(\d+):/.exec(words)?.[1] ?? /^\s*(\d+) \|/m.exec(words)?.[1] ?? 1);
  const code = /strip-only mode/.test(message)
    ? 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'
    : 'ERR_INVALID_TYPESCRIPT_SYNTAX';
  const error = Object.assign(new SyntaxError(message), { code });
  error.stack = `${pathToFileURL(path).href}:${line}\n${source.split('\n')[line - 1] ?? ''}\n\nSyntaxError [${code}]: ${message}`;
  return error;
}
