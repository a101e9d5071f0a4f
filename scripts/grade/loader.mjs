// Given to Node with --import where it can't run TypeScript by itself: strip-register.mjs for strangers' programs.
import './strip-register.mjs';
import module, { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

// Under the permission model the hooks run in a worker, so workers must be allowed; but one with options of its own gets round the permission model.
if (process.permission) {
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
  syncBuiltinESMExports();
}
