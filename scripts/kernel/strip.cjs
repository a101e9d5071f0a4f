'use strict';
// Type stripping for Node versions that don't have it, with the library that Node itself uses, so that a program means
// the same on all of them. What was stripped once is kept: a start does not pay for it again. It is on the way of every
// start, so it is CommonJS and loads no more than it must: an ES module more, or node:crypto, costs milliseconds.
const fs = require('node:fs');
const { join } = require('node:path');

const folder = join(__dirname, '../../.workbook/strip');

/** The library is WebAssembly: compiled plainly it takes half the memory, and is quick enough. */
const library = () => {
  require('node:v8').setFlagsFromString('--liftoff-only');
  return require('amaro');
};

/** Loads the library, so that the next text is stripped at once. */
function warmUp() {
  library().transformSync('let warm: number = 1', { mode: 'strip-only' });
}

/**
 * Where the form of a text is kept. The name is quick to reckon, and another text may have it too: the text is kept as well.
 * @param {Buffer} source
 */
function placeOf(source) {
  let hash = source.length;
  const whole = source.length >>> 2;
  const words = new Uint32Array(
    source.buffer.slice(source.byteOffset, source.byteOffset + whole * 4),
  );
  for (let i = 0; i < whole; i++)
    hash = Math.imul((hash << 5) ^ (hash >>> 27) ^ (words[i] ?? 0), 0x9e3779b1);
  for (let i = whole * 4; i < source.length; i++)
    hash = Math.imul(hash ^ (source[i] ?? 0), 0x9e3779b1);
  return `${source.length}-${(hash >>> 0).toString(36)}`;
}

/**
 * @param {Buffer} source
 * @param {string} file
 */
function kept(source, file) {
  try {
    const both = fs.readFileSync(file);
    const code = both.subarray(source.length);
    return source.equals(both.subarray(0, source.length)) ? code.toString('utf8') : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} text
 * @param {string} path
 */
function stripped(text, path) {
  try {
    return library().transformSync(text, { mode: 'strip-only' }).code;
  } catch (error) {
    const overrun = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
    if (!overrun) throw asNode(String(error), path, text);
    // Its stack ran over, and what it holds in memory is no good any more: the next text gets a fresh one.
    delete require.cache[require.resolve('amaro')];
    throw asNode('x Expressions are nested too deeply to be read', path, text);
  }
}

/**
 * A TypeScript file as JavaScript, with every letter at its place.
 * @param {string} path
 * @param {string} [cache] the folder in which it is kept
 * @returns {string}
 * @throws {SyntaxError} in Node's own words, with the file and the line
 */
function strip(path, cache = folder) {
  const source = fs.readFileSync(path);
  const place = placeOf(source);
  const file = join(cache, place);
  const known = kept(source, file);
  if (known !== undefined) return known;
  // Another cache than ours is filled from ours, which is quicker than the library is loaded.
  const ours = cache === folder ? undefined : kept(source, join(folder, place));
  const code = ours ?? stripped(source.toString('utf8'), path);
  try {
    fs.mkdirSync(cache, { recursive: true });
    if (Math.random() < 0.01) prune(cache);
    const scratch = `${file}.${process.pid}.tmp`;
    fs.writeFileSync(scratch, Buffer.concat([source, Buffer.from(code)]));
    fs.renameSync(scratch, file);
  } catch {
    // A folder that can't be written to costs time, nothing else.
  }
  return code;
}

/**
 * Every save leaves a text behind: now and then those of last week are removed.
 * @param {string} cache
 */
function prune(cache) {
  const old = Date.now() - 7 * 24 * 3600 * 1000;
  for (const name of fs.readdirSync(cache)) {
    const file = join(cache, name);
    if (fs.statSync(file).mtimeMs < old) fs.rmSync(file, { force: true });
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
  const { href } = require('node:url').pathToFileURL(path);
  error.stack = `${href}:${line}\n${source.split('\n')[line - 1] ?? ''}\n\nSyntaxError [${code}]: ${message}`;
  return error;
}

/**
 * The JavaScript of a module that is TypeScript; undefined of any other.
 * @param {string} url
 */
function stripModule(url) {
  const [path = ''] = url.split(/[?#]/);
  if (!path.startsWith('file:') || !path.endsWith('.ts')) return undefined;
  return strip(require('node:url').fileURLToPath(path));
}

module.exports = { strip, stripModule, warmUp };
