// Given to Node with --import: makes it run TypeScript where it can't by itself. See strip.mjs.
import { register } from 'node:module';

if (!process.features.typescript) register('./strip-hook.mjs', import.meta.url);
