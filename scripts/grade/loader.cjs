'use strict';
// Given to Node with --require where it can't run TypeScript by itself: strip-register.cjs for strangers' programs.
require('./strip-register.cjs');

// Under the permission model the hooks run in a worker, so workers must be allowed; but one with options of its own gets round the permission model.
if (process.permission) {
  const module = require('node:module');
  const threads = require('node:worker_threads');
  const refuse = () => {
    throw new Error('Workers and module hooks are not to be had while a program is graded.');
  };
  threads.Worker = class Worker {
    constructor() {
      refuse();
    }
  };
  module.register = refuse;
  process.binding = refuse;
  module.syncBuiltinESMExports();
}
