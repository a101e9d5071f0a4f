// A module hook: TypeScript files are stripped as they are loaded. See strip.cjs.
import { stripModule } from './strip.cjs';

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  const source = stripModule(url);
  if (source === undefined) return next(url, context);
  return { format: 'module', responseURL: url, shortCircuit: true, source };
}
