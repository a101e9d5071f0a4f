// A module hook: TypeScript files are stripped as they are loaded. See strip.cjs.
import { fileURLToPath } from 'node:url';
import { strip } from './strip.cjs';

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  const [path = ''] = url.split(/[?#]/);
  if (!path.startsWith('file:') || !path.endsWith('.ts')) return next(url, context);
  return {
    format: 'module',
    responseURL: url,
    shortCircuit: true,
    source: strip(fileURLToPath(path)),
  };
}
