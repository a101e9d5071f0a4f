// Fault: import-not-found
// Imports a name that the module does not have.
import { creatServer } from 'node:http';
console.log(creatServer);
