// A module hook: TypeScript files are stripped as they are loaded. See strip.mjs.
import { fileURLToPath } from 'node:url';
import { strip } from './strip.mjs';

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  const [path = ''] = url.split(/[?#]/);
  if (!path.startsWith('file:') || !path.endsWith('.ts')) return next(url, context);
  const source = await strip(fileURLToPath(path));
  return { format: 'module', responseURL: url, shortCircuit: true, source };
}
