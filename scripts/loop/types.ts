/** What the type checker says about the learner's files: shown beside the verdict, never as a failure. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { lessonsDir, projectRoot, type Lesson } from '../kernel/course.ts';
import { brief } from '../kernel/exchange.ts';
import { workbookDir } from '../progress.ts';

const maxShown = 5;

/** A check that is under way; `stop` ends it, and its result is then never given. */
export interface TypeCheck {
  stop(): void;
}

/** Checks the files that the learner edits in this lesson. `done` gets one line for each remark. */
export function checkTypes(lesson: Lesson, done: (remarks: string[]) => void): TypeCheck {
  let stopped = false;
  let child: ChildProcess | undefined;
  try {
    const folder = join(workbookDir, 'types');
    mkdirSync(folder, { recursive: true });
    const config = join(folder, `${lesson.name}.json`);
    const files = lesson.edits.map((file) =>
      relative(folder, join(lessonsDir, lesson.name, file)).replaceAll('\\', '/'),
    );
    writeFileSync(
      config,
      JSON.stringify({
        extends: relative(folder, join(projectRoot, 'tsconfig.json')).replaceAll('\\', '/'),
        compilerOptions: {
          incremental: true,
          tsBuildInfoFile: `${lesson.name}.tsbuildinfo`,
          typeRoots: [
            relative(folder, join(projectRoot, 'node_modules/@types')).replaceAll('\\', '/'),
          ],
        },
        files,
        include: [],
      }),
    );
    const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');
    child = spawn(process.execPath, [tsc, '-p', config, '--pretty', 'false'], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (data: string) => {
      if (text.length < 100_000) text += data;
    });
    child.on('error', () => {});
    child.on('close', () => {
      if (!stopped) done(remarks(text, lesson));
    });
  } catch {
    // No type checker, or no place to write: the verdict doesn't need it.
  }
  return {
    stop() {
      stopped = true;
      child?.kill('SIGKILL');
    },
  };
}

function remarks(text: string, lesson: Lesson): string[] {
  const found = [...text.matchAll(/^(\S.*?)\((\d+),\d+\): error TS(\d+): (.*)$/gm)]
    .filter(([, file = '']) => file.replaceAll('\\', '/').includes(`lessons/${lesson.name}/`))
    .map(
      ([, file = '', line, code, message = '']) =>
        `${file.replaceAll('\\', '/').replace(/^.*\//, '')} line ${line}: ${brief(message, 140)} (TS${code})`,
    );
  return found.length > maxShown
    ? [...found.slice(0, maxShown), `and ${found.length - maxShown} more`]
    : found;
}
