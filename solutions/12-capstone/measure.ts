// Finished: requests per second and lines of code of the same program on node:http, on Express and on Fastify.
// npx tsx lessons/12-capstone/measure.ts [seconds]
import autocannon from 'autocannon';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const seconds = Math.min(Math.max(Number(process.argv[2] ?? 5) || 5, 1), 60);
const folder = join(import.meta.dirname, '../../solutions/12-capstone');
// Node 22.18 and later run TypeScript by themselves.
const loader = 'typescript' in process.features && process.features.typescript ? [] : ['--import', 'tsx'];

/** Lines that say something: no comments, no empty ones. */
const lines = (file: string): number =>
  readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trim().startsWith('//') && !line.trim().startsWith('/*') && !line.trim().startsWith('*')).length;

async function measure(file: string): Promise<number> {
  const program = spawn(process.execPath, [...loader, '--disable-warning=ExperimentalWarning', join(folder, file)], {
    env: { ...process.env, PORT: '0', RATE_LIMIT: '1000000000', NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let printed = '';
    program.stdout.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-200)));
    while (!/localhost:\d+/.test(printed)) await once(program.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
    const port = /localhost:(\d+)/.exec(printed)?.[1];
    const { requests } = await autocannon({ url: `http://127.0.0.1:${port}/users`, connections: 20, duration: seconds });
    return requests.average;
  } finally {
    program.kill('SIGKILL');
  }
}

console.log(`GET /users, 20 connections, ${seconds} s each, Node ${process.version}`);
for (const [name, file] of [['node:http', 'server.ts'], ['Express', 'express.ts'], ['Fastify', 'fastify.ts']] as const) {
  const rate = await measure(file);
  console.log(`${name.padEnd(10)}${Math.round(rate).toLocaleString('en').padStart(8)} requests/s  ${String(lines(file)).padStart(4)} lines`);
}
