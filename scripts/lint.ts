/** `npm run lint`: eslint and prettier, installed beside the project in scripts/lint. `--fix` mends what can be mended. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './kernel/course.ts';
import { exitWith, words } from './show/exit.ts';

const usage = `npm run lint           eslint and prettier over the project; the first time it installs them in scripts/lint/
npm run lint -- --fix  mends what can be mended`;
const { values } = words({ options: { fix: { type: 'boolean' }, help: { type: 'boolean' } } });

await exitWith(() => {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const home = join(projectRoot, 'scripts/lint');
  const run = (command: string, args: string[], cwd: string): number =>
    spawnSync(command, args, {
      cwd,
      stdio: 'inherit',
      shell: command === 'npm' && process.platform === 'win32',
    }).status ?? 2;
  if (!existsSync(join(home, 'node_modules')) && run('npm', ['ci'], home) !== 0) return 2;
  const fix = values.fix ?? false;
  const tool = (path: string): string => join(home, 'node_modules', path);
  const eslint = run(
    process.execPath,
    [
      tool('eslint/bin/eslint.js'),
      '--config',
      join(home, 'eslint.config.js'),
      ...(fix ? ['--fix'] : []),
      '.',
    ],
    projectRoot,
  );
  const prettier = run(
    process.execPath,
    [tool('prettier/bin/prettier.cjs'), fix ? '--write' : '--check', '--log-level', 'warn', '.'],
    projectRoot,
  );
  return eslint === 0 && prettier === 0 ? 0 : 1;
});
