'use strict';
// Given to Node with --require where it can't run TypeScript by itself: strip-register.cjs for strangers' programs.
require('./strip-register.cjs');

const nodeModule = require('node:module');

// The loader was put in from inside of Node; before the program is loaded that door is closed again.
if (process.execArgv.includes('--expose-internals')) {
  const { constructor: Builtin } = require('internal/modules/helpers').loadBuiltinModule('module');
  Builtin.setRealmAllowRequireByUsers([
    ...nodeModule.builtinModules.filter((id) => !id.startsWith('internal/')),
    ...Builtin.getSchemeOnlyModuleNames(),
  ]);
}

// Where the hooks run in a worker, workers must be allowed; but one with options of its own gets round the permission model.
if (process.permission?.has('worker')) {
  const threads = require('node:worker_threads');
  const refuse = () => {
    throw new Error('Workers and module hooks are not to be had while a program is graded.');
  };
  threads.Worker = class Worker {
    constructor() {
      refuse();
    }
  };
  nodeModule.register = refuse;
  process.binding = refuse;
  nodeModule.syncBuiltinESMExports();
}
