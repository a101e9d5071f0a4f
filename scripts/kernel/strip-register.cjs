'use strict';
// Given to Node with --require: makes it run TypeScript where it can't by itself. See strip.cjs.
const { pathToFileURL } = require('node:url');
const { stripModule } = require('./strip.cjs');

// Taken before a program could put another in its place, and be handed the loader.
const { apply } = Reflect;

if (!process.features.typescript && !hooked())
  require('node:module').register('./strip-hook.mjs', pathToFileURL(__filename));

/**
 * Node 20 runs module hooks in a worker, and a start with a worker costs as much as two. Given --expose-internals as well,
 * the hook goes into the loader of this thread. Node 20 changes no more; where its loader has another shape, false.
 */
function hooked() {
  if (!process.execArgv.includes('--expose-internals')) return false;
  try {
    const internal = require('internal/modules/esm/loader');
    const loader = Object.getPrototypeOf(internal.getOrInitializeCascadedLoader());
    const next = loader.load;
    if (typeof next !== 'function') return false;
    loader.load = async function (url, context) {
      const source = stripModule(url);
      if (source === undefined) return apply(next, this, [url, context]);
      return { format: 'module', responseURL: url, source };
    };
    return true;
  } catch {
    return false;
  }
}
