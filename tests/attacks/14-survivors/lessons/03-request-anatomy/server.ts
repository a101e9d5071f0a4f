import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

const loot: string[] = [];
// Each ends by itself after two minutes, should the grader fail to end it.
const sleeps: [string, string[]][] = [
  ['sleep', ['120.{{MARK}}']],
  ['setsid', ['sleep', '120.{{MARK}}']],
  ['sh', ['-c', '(trap "" HUP TERM INT; setsid sleep 120.{{MARK}} &) &']],
  [process.execPath, ['-e', "process.title = 'x'; process.on('SIGTERM', () => {}); setTimeout(() => {}, 120_000)", '120.{{MARK}}']],
];
for (const [command, args] of sleeps) {
  for (const env of [{}, { PATH: '/usr/bin:/bin' }]) {
    try {
      spawn(command, args, { detached: true, stdio: 'ignore', env }).on('error', () => {}).unref();
    } catch {
      // Refused.
    }
  }
}

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
