/** Checks every fenced block of a README as its info string says; console blocks are run. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { dirname, join, posix } from 'node:path';
import { projectRoot, solutionsDir, type Lesson } from '../kernel/course.ts';
import { ProgramFault } from '../kernel/failure.ts';
import { freePort, type Program } from '../kernel/program.ts';
import { startListening } from '../kernel/starting.ts';
import { cleanSolution } from '../kernel/stub.ts';
import { usesOf, type Command, type Use } from './blocks.ts';
import { isExcerpt, syntaxError, type ReadmeProgram } from './code.ts';
import { parseMarkdown } from './markdown.ts';
import { mermaidFaults } from './mermaid.ts';
import { curlrc, withDocumentedPort, withRealPort } from './port.ts';
import type { Problem } from './problem.ts';
import { Sandbox } from './sandbox.ts';
import { runInShell } from './shell.ts';
import { difference, mergeOutput } from './wildcards.ts';

export interface Readme {
  /** Relative to the project's folder, such as `lessons/05-router/README.md`. */
  file: string;
  text: string;
  /** The lesson that it is the text of. */
  lesson: Lesson | null;
}

export interface Checked {
  problems: Problem[];
  /** Where a command's output is not the README's; `rewritten` holds the real one. */
  differences: Problem[];
  /** Whole programs, still to be compiled: all READMEs' together. */
  programs: ReadmeProgram[];
  /** The README with the real outputs. The same text where nothing differed. */
  rewritten: string;
}

export interface Limits {
  /** For each command of a console block, in ms. */
  commandMs: number;
}

type Console = Extract<Use, { kind: 'console' }>;

export async function checkBlocks(
  readme: Readme,
  limits: Limits = { commandMs: 60_000 },
): Promise<Checked> {
  const { file } = readme;
  const { uses, problems } = usesOf(parseMarkdown(readme.text), file);
  const programs: ReadmeProgram[] = [];
  for (const use of uses) {
    const { line } = use.block;
    if (use.kind === 'program') {
      const path = posix.join(posix.dirname(file), use.file);
      if (existsSync(join(projectRoot, path))) {
        problems.push({
          file,
          line,
          problem: `There is a file ${path} already; give the README's program another name.`,
        });
      }
      programs.push({ readme: file, line, path, text: use.block.lines.join('\n') + '\n' });
    } else if (use.kind === 'excerpt') {
      const fault = excerptFault(use.from, use.block.lines, readme.lesson);
      if (fault) problems.push({ file, line, problem: fault });
    } else if (use.kind === 'fragment') {
      const fault = syntaxError(use.block.lines.join('\n'));
      if (fault)
        problems.push({
          file,
          line: line + fault.line,
          problem: `This fragment does not parse: ${fault.message}`,
        });
    } else if (use.kind === 'mermaid') {
      problems.push(
        ...mermaidFaults(use.block.lines).map((fault) => ({
          file,
          line: line + fault.line,
          problem: fault.problem,
        })),
      );
    }
  }
  const consoles = uses.filter((use) => use.kind === 'console');
  const unchanged = { problems, differences: [], programs, rewritten: readme.text };
  if (consoles.length === 0) return unchanged;
  const missing = missingTools();
  if (missing) {
    problems.push({
      file,
      line: 0,
      warning: true,
      problem: `${consoles.length} console blocks were left out: ${missing}.`,
    });
    return unchanged;
  }
  const run = await runConsoles(readme, consoles, programs, limits);
  return { ...run, problems: [...problems, ...run.problems], programs };
}

function excerptFault(from: string, lines: string[], lesson: Lesson | null): string | undefined {
  const path = lesson ? join(solutionsDir, lesson.name, from) : join(projectRoot, from);
  const name = lesson ? posix.join('solutions', lesson.name, from) : from;
  if (!existsSync(path)) return `from=${from}: there is no ${name}.`;
  const source = cleanSolution(readFileSync(path, 'utf8').replaceAll('\r\n', '\n'), name);
  return isExcerpt(lines, source) ? undefined : `These lines do not stand in ${name}.`;
}

let tools: string | null | undefined;

/** Why console blocks can't be run here, or `null`. */
function missingTools(): string | null {
  if (process.platform === 'win32') return 'on Windows there is no bash to run them with';
  return (tools ??=
    ['bash', 'curl']
      .filter((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0)
      .map((tool) => `${tool} is not installed`)
      .join(' and ') || null);
}

async function runConsoles(
  readme: Readme,
  consoles: Console[],
  programs: ReadmeProgram[],
  limits: Limits,
): Promise<Omit<Checked, 'programs'>> {
  const problems: Problem[] = [];
  const differences: Problem[] = [];
  const lines = readme.text.split('\n');
  const sandbox = await Sandbox.create(readme.lesson?.number ?? 0);
  const edits: { at: number; remove: number; insert: string[] }[] = [];
  try {
    for (const { path, text } of programs) await writeFile(join(sandbox.root, path), text);
    for (const use of consoles) {
      const outputs = await runConsole(use, readme, sandbox, limits, (problem) =>
        problems.push({ file: readme.file, ...problem }),
      );
      for (const [index, output] of outputs.entries()) {
        const command = use.commands[index];
        if (!command || runsThis.test(command.text)) continue;
        const found = difference(command.output, output);
        if (!found) continue;
        differences.push({
          file: readme.file,
          line: command.line,
          problem: differenceMessage(command, found),
        });
        edits.push({
          at: use.block.line + command.from,
          remove: command.to - command.from,
          insert: mergeOutput(command.output, output).map((line) =>
            (use.block.indent + line).trimEnd(),
          ),
        });
      }
    }
  } finally {
    await sandbox.remove();
  }
  for (const { at, remove, insert } of edits.reverse()) lines.splice(at, remove, ...insert);
  return { problems, differences, rewritten: lines.join('\n') };
}

function differenceMessage(
  command: Command,
  { shown, real }: { shown?: string; real?: string },
): string {
  const [name = ''] = command.text.split('\n');
  const quote = (text: string): string =>
    `"${text.length > 100 ? `${text.slice(0, 100)}…` : text}"`;
  if (shown === undefined)
    return `"${name}" printed more than the README shows: ${quote(real ?? '')}.`;
  if (real === undefined)
    return `"${name}" printed less than the README shows: ${quote(shown)} did not come.`;
  return `"${name}" printed ${quote(real)} where the README shows ${quote(shown)}.`;
}

/** The lines that each command printed. */
async function runConsole(
  use: Console,
  readme: Readme,
  sandbox: Sandbox,
  limits: Limits,
  report: (problem: Omit<Problem, 'file'>) => void,
): Promise<string[][]> {
  for (const { text, line } of use.commands.filter((command) => runsThis.test(command.text))) {
    report({ line, problem: `"${text}" was not run: it runs this check itself.`, warning: true });
  }
  const server = use.server === null ? null : serverFile(use.server, readme);
  if (server === '') {
    report({
      line: use.block.line,
      problem: `server=${use.server} is for a lesson's README; here there is no lesson.`,
    });
    return [];
  }
  let program: Program | null = null;
  try {
    if (server !== null)
      program = await startListening(
        { file: join(sandbox.root, server), cwd: sandbox.root, trusted: true },
        sandbox.root,
      );
    const port = program ? program.port : await freePort();
    await writeFile(join(sandbox.home, '.curlrc'), curlrc(port));
    const ran = await runInShell(
      use.commands.map(({ text }) => withRealPort(runnable(text), port)),
      sandbox,
      { PORT: String(port) },
      limits.commandMs,
    );
    const hung = use.commands[ran.outputs.length];
    if (ran.unfinished !== null && hung) {
      report({
        line: hung.line,
        problem: `"${hung.text.split('\n')[0]}" did not end within ${limits.commandMs / 1000} s, or ended the shell.`,
      });
    }
    if (program?.exit && use.server === 'solution') {
      report({
        line: use.block.line,
        problem: `The solution's server did not survive this block: ${program.stderr.trim().split('\n')[0]}`,
      });
    }
    return ran.outputs.map((output) =>
      withDocumentedPort(output, port).replace(/\n$/, '').split('\n'),
    );
  } catch (error) {
    if (!(error instanceof ProgramFault)) throw error;
    report({ line: use.block.line, problem: `${server}: ${error.message}` });
    return [];
  } finally {
    await program?.stop();
  }
}

/** The file of the server that a block names, in the project's folder; empty where there can't be one. */
function serverFile(server: string, { file, lesson }: Readme): string {
  if (server.endsWith('.ts')) return posix.join(dirname(file), server);
  if (!lesson) return '';
  return posix.join(server === 'stub' ? 'lessons' : 'solutions', lesson.name, 'server.ts');
}

/** Commands that would run all of this again, and those in the READMEs again, without end. */
const runsThis = /\bnpm (?:test|run (?:test|verify|coverage|mutate))\b/;

/** The sandbox is installed already. */
const runnable = (command: string): string =>
  runsThis.test(command) ? 'true' : command.replace(/^npm ci && /, '');
