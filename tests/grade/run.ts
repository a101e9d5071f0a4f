/** Runs `npm run grade` as an instructor does, in a process of its own, with its temporary files in a folder of ours. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { gradeCommand } from '../../scripts/grade/command.ts';
import type { GradeResults } from '../../scripts/grade/results.ts';
import { commandWords, projectRoot } from '../../scripts/kernel/course.ts';
import { UsageError } from '../../scripts/kernel/failure.ts';

export interface Graded {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Where the reports are. */
  out: string;
}

export interface GradeRun {
  pid: number;
  out: string;
  done: Promise<Graded>;
}

/** A folder that is removed when the tests end. */
export function scratch(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `workbook-test-${name}-`));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

/** Starts a grading; without `--out` where `given` is null. The folder's files may still be written in the same turn: nothing of it is read before Node has started. */
export function startGrading(
  dir: string,
  args: string[] = [],
  env: Record<string, string> = {},
  given: string | null = `${dir}-out`,
): GradeRun {
  const out = given ?? `${dir}-grades`;
  const temporary = resolve(env['INIT_CWD'] ?? '', `${dir}-tmp`);
  mkdirSync(temporary, { recursive: true });
  const [node, ...command] = commandWords('grade');
  const words = [...command, dir, ...(given === null ? [] : ['--out', given]), ...args];
  const child = spawn(node, words, {
    cwd: projectRoot,
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      TMPDIR: temporary,
      TEMP: temporary,
      TMP: temporary,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (data: string) => (text.stdout += data));
  child.stderr.setEncoding('utf8').on('data', (data: string) => (text.stderr += data));
  const done = new Promise<Graded>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...text, out }));
  });
  return { pid: child.pid ?? -1, out, done };
}

export const grade = (
  dir: string,
  args?: string[],
  env?: Record<string, string>,
  out?: string | null,
): Promise<Graded> => startGrading(dir, args, env, out).done;

/** Gives the command words that it must refuse, in this process: what it prints goes nowhere else, and nothing is run. */
export async function refused(t: TestContext, words: RegExp, args: string[]): Promise<void> {
  const said: unknown[] = [];
  for (const name of ['log', 'error'] as const)
    t.mock.method(console, name, (...parts: unknown[]) => said.push(...parts));
  try {
    await assert.rejects(gradeCommand(args), (error) => {
      assert.ok(error instanceof UsageError, `${args.join(' ')}: ${String(error)}`);
      assert.match(error.message, words);
      // One sentence: `exitWith` prints it on a line, and ends with status 2.
      assert.ok(!error.message.includes('\n') && error.message.length < 500, error.message);
      return true;
    });
  } finally {
    t.mock.restoreAll();
  }
  assert.deepEqual(said, []);
}

export const resultsOf = ({ out }: { out: string }): GradeResults =>
  JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as GradeResults;

/** Every file below a folder, with its text. */
export const textsBelow = (dir: string): { file: string; text: string }[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }));

/** Processes of this machine whose arguments, environment or folder hold the word. Linux tells; elsewhere none are found. */
export function processesWith(word: string): string[] {
  if (process.platform !== 'linux') return [];
  const look = (read: () => string): string => {
    try {
      return read();
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const state = look(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
      if (/\) [ZX] /.test(state)) return [];
      const line = look(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
      const all = [
        line,
        look(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
        look(() => readlinkSync(`/proc/${pid}/cwd`)),
      ];
      return all.some((text) => text.includes(word)) ? [`${pid}: ${line}`] : [];
    });
}

/**
 * A result without what differs from run to run: times; a first try, which ran out of time beside others; the ports that the system gives;
 * and whether a program that is just dying closes a connection, resets it or refuses the next.
 */
export function withoutTimes(value: unknown): unknown {
  const text = JSON.stringify(value, (key, part: unknown) =>
    ['durationMs', 'startedAt', 'timeline', 'atMs'].includes(key)
      ? undefined
      : key === 'tries' && Array.isArray(part)
        ? part.slice(-1)
        : part,
  );
  const plain = text
    .replace(/localhost:\d+/g, 'localhost:PORT')
    .replace(
      /\(the connection was (closed without a response|reset without a response|refused: nothing listens there)\)/g,
      '(the connection ended)',
    )
    .replaceAll('connection refused', 'connection ended')
    .replace(/Date: [^\\"]+/gi, 'Date: …');
  return JSON.parse(plain) as unknown;
}
