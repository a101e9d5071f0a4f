/** `npm run coverage`: which lines of the solutions and the scripts the suites reach, by c8. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { allLessons, projectRoot } from './kernel/course.ts';
import { trustedLoaderWords } from './kernel/program.ts';
import { exitWith, words } from './show/exit.ts';

const usage = `npm run coverage   runs the suites, the kernel's tests and those of the commands, and prints which lines of the
                   solutions and the scripts they reached; coverage/lcov.info holds them for other tools`;
const { values } = words({ options: { help: { type: 'boolean' } } });

await exitWith(() => {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const c8 = join(dirname(createRequire(import.meta.url).resolve('c8/package.json')), 'bin/c8.js');
  const suites = allLessons().map(({ name }) => `tests/${name}.test.ts`);
  const kernel = readdirSync(join(projectRoot, 'tests/kernel')).map(
    (file) => `tests/kernel/${file}`,
  );
  const others = ['faults', 'verify', 'grade/command', 'grade/intake', 'grade/progress'].map(
    (name) => `tests/${name}.test.ts`,
  );
  const run = spawnSync(
    process.execPath,
    [
      c8,
      '--include=solutions/**/*.ts',
      '--include=scripts/**/*.ts',
      '--exclude=scripts/lint/**',
      '--reporter=text',
      '--reporter=lcov',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...trustedLoaderWords,
      '--test',
      ...suites,
      ...kernel,
      ...others,
    ],
    { cwd: projectRoot, stdio: 'inherit' },
  );
  return run.status ?? 2;
});
