// Given to Node with --import: makes it run TypeScript where it can't by itself. See strip.mjs.
import { createRequire, register } from 'node:module';
import { load } from './strip-hook.mjs';

if (!process.features.typescript && !hooked()) register('./strip-hook.mjs', import.meta.url);

/**
 * Node 20 runs module hooks in a worker, and a start with a worker costs as much as two. Given --expose-internals as well,
 * the hook goes into the loader of this thread. Node 20 changes no more; where its loader has another shape, false.
 */
function hooked() {
  if (!process.execArgv.includes('--expose-internals')) return false;
  try {
    const internal = createRequire(import.meta.url)('internal/modules/esm/loader');
    const loader = Object.getPrototypeOf(internal.getOrInitializeCascadedLoader());
    const next = loader.load;
    if (typeof next !== 'function') return false;
    loader.load = function (url, context) {
      return load(url, context, () => Reflect.apply(next, this, [url, context]));
    };
    return true;
  } catch {
    return false;
  }
}
