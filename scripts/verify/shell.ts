/** Runs the commands of one console block in one bash, so that variables, folders and background jobs carry over. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, delimiter } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { marked } from '../kernel/procfs.ts';
import { adopt, killGroup, release, signal } from '../kernel/reaper.ts';
import type { Sandbox } from './sandbox.ts';

export interface Ran {
  /** The output of each command that ended, in order. */
  outputs: string[];
  /** What the first command that did not end had printed; `null` where all did. */
  unfinished: string | null;
}

/** The most that a block may print, in characters. */
const maxOutput = 1024 * 1024;

/**
 * @param limitMs for each command
 * @param env added to an environment that is otherwise the same everywhere
 */
export async function runInShell(
  commands: string[],
  sandbox: Sandbox,
  env: Record<string, string>,
  limitMs: number,
): Promise<Ran> {
  const folder = await mkdtemp(join(sandbox.home, 'block-'));
  const mark = randomBytes(8).toString('hex');
  const script = ['exec 2>&1 </dev/null'];
  for (const [index, command] of commands.entries()) {
    const file = join(folder, `${index}.sh`);
    await writeFile(file, `${command}\n`);
    // Each command has a file of its own: a syntax error in it is its own, and `$?` carries over to the next.
    script.push(`. '${file}'; status=$?; printf '${mark}'; (exit $status)`);
  }
  const scriptFile = join(folder, 'block.sh');
  await writeFile(scriptFile, script.join('\n') + '\n');

  const bash = spawn('bash', ['--noprofile', '--norc', scriptFile], {
    cwd: sandbox.root,
    env: { ...environment(sandbox), ...env, WORKBOOK_BLOCK: mark },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const group = bash.pid;
  if (group === undefined) throw new Error('bash could not be started');
  adopt(group);
  let text = '';
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    let done = 0;
    timer = setTimeout(resolve, limitMs);
    bash.stdout.setEncoding('utf8').on('data', (data: string) => {
      text += data;
      const now = text.split(mark).length - 1;
      if (now >= commands.length || text.length > maxOutput) resolve();
      if (now === done) return;
      done = now;
      clearTimeout(timer);
      timer = setTimeout(resolve, limitMs);
    });
    bash.on('error', () => resolve());
    // A job in the background may hold the pipe open; what was printed before bash ended is there a moment later.
    bash.on('exit', () => setTimeout(resolve, 100));
  });
  clearTimeout(timer);
  await end(group, mark);
  bash.stdout.destroy();
  await rm(folder, { recursive: true, force: true });

  const parts = text
    .slice(0, maxOutput)
    .split(mark)
    .map((part) =>
      clean(part.replaceAll(/^\S*\/block-\w+\/\d+\.sh: line \d+: /gm, 'bash: '), sandbox),
    );
  const unfinished = parts.length <= commands.length ? (parts.at(-1) ?? '') : null;
  return { outputs: parts.slice(0, Math.min(parts.length - 1, commands.length)), unfinished };
}

const clean = (output: string, sandbox: Sandbox): string =>
  sandbox.withoutPaths(stripVTControlCharacters(output).replaceAll('\r\n', '\n'));

/** The same environment whoever runs this: no colour, no configuration of the user's, no word of npm about itself. */
function environment(sandbox: Sandbox): Record<string, string> {
  return {
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: sandbox.home,
    CURL_HOME: sandbox.home,
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
    COLUMNS: '80',
    npm_config_loglevel: 'silent',
    npm_config_update_notifier: 'false',
    npm_config_cache: join(sandbox.home, '.npm'),
  };
}

/** Asks everything that the block started to end, and ends what does not. */
async function end(group: number, mark: string): Promise<void> {
  const alive = (): number[] =>
    marked(`WORKBOOK_BLOCK=${mark}`, group) ?? (signal(-group, 0) ? [group] : []);
  signal(-group, 'SIGTERM');
  for (const deadline = Date.now() + 500; Date.now() < deadline && alive().length > 0;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  killGroup(group);
  for (const pid of alive()) signal(pid, 'SIGKILL');
  release(group);
}
