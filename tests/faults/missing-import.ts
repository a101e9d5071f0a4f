// Fault: import-not-found
// Imports a file that is not there.
import { router } from './no-such-router.ts';
console.log(router);
