#!/usr/bin/env node
// Runs one of the project's commands. Node 22.18 and later run TypeScript as it is; elsewhere it is stripped on the way.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import './kernel/strip-register.cjs';

const [, , command = 'lesson', ...rest] = process.argv;
process.argv = [process.argv[0], join(import.meta.dirname, `${command}.ts`), ...rest];

await import(pathToFileURL(process.argv[1]).href);
