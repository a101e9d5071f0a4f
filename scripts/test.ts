/** `npm test`: every test of the project under node:test, and the proof that lessons, solutions and tests agree. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { projectRoot } from './kernel/course.ts';
import { UsageError } from './kernel/failure.ts';
import { trustedLoaderWords } from './kernel/program.ts';
import { exitWith, words } from './show/exit.ts';

const usage = `npm test                 every test
npm test -- kernel 05    only the files whose path holds one of these words`;

const { values, positionals } = words({
  options: { help: { type: 'boolean' } },
  allowPositionals: true,
});

/** Test files below `tests/`; the programs of the catalogues are none. */
function testFiles(): string[] {
  const root = join(projectRoot, 'tests');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.test.ts') && !/^(wrong|valid|attacks|golden)\//.test(file))
    .filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)))
    .sort()
    .map((file) => relative(process.cwd(), join(root, file)));
}

// Node 20 reads these at every start, which takes as long as the start itself; no test speaks TLS.
delete process.env['NODE_EXTRA_CA_CERTS'];

await exitWith(async () => {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const files = testFiles();
  if (files.length === 0)
    throw new UsageError(`No test file holds ${positionals.join(' or ')} in its path.`);
  const words = ['--disable-warning=ExperimentalWarning', ...trustedLoaderWords];
  const concurrency = `--test-concurrency=${Math.max(2, availableParallelism())}`;
  const child = spawn(process.execPath, [...words, '--test', concurrency, ...files], {
    stdio: 'inherit',
  });
  return new Promise<number>((resolve) => {
    child.on('error', () => resolve(2));
    child.on('exit', (code) => resolve(code ?? 2));
  });
});
