/** What a fenced block's info string says about how it is checked: the table in CONTRIBUTING.md. */
import type { Block, Markdown } from './markdown.ts';
import type { Problem } from './problem.ts';

export interface Command {
  /** As bash gets it, without the `$ `. */
  text: string;
  /** The line of its `$ `, counted from 1. */
  line: number;
  /** What the README shows below it. */
  output: string[];
  /** Where the output begins and ends within the block's lines: from (included) to (excluded). */
  from: number;
  to: number;
}

export type Use =
  /** Commands and their output, against the program that `server` names: `solution`, `stub`, `NAME.ts`, or none. */
  | { kind: 'console'; block: Block; server: string | null; commands: Command[] }
  /** A whole program. */
  | { kind: 'program'; block: Block; file: string }
  /** Lines that stand in a file of the solution. */
  | { kind: 'excerpt'; block: Block; from: string }
  /** Lines that only parse. */
  | { kind: 'fragment'; block: Block }
  /** Commands for a fresh clone; what runs here is installed already. */
  | { kind: 'install'; block: Block }
  | { kind: 'mermaid' | 'text' | 'json'; block: Block };

const known =
  '"console", "console server=solution|stub|NAME.ts", "console skip=install", "ts file=NAME.ts", "ts from=NAME.ts", "ts fragment", "mermaid", "json" or "text"';

/** Every block with its use. A block that does not say how to check it is a problem: nothing goes unchecked. */
export function usesOf(markdown: Markdown, file: string): { uses: Use[]; problems: Problem[] } {
  const uses: Use[] = [];
  const problems: Problem[] = [];
  for (const block of markdown.blocks) {
    const use = block.closed ? useOf(block) : 'This block is never closed.';
    if (typeof use === 'string') problems.push({ file, line: block.line, problem: use });
    else uses.push(use);
  }
  const programs = uses.filter((use) => use.kind === 'program');
  for (const [index, { block, file: name }] of programs.entries()) {
    if (programs.findIndex((other) => other.file === name) < index) {
      problems.push({
        file,
        line: block.line,
        problem: `There are two programs with the name "${name}".`,
      });
    }
  }
  for (const use of uses) {
    if (use.kind !== 'console' || !use.server?.endsWith('.ts')) continue;
    if (!programs.some((program) => program.file === use.server)) {
      problems.push({
        file,
        line: use.block.line,
        problem: `server=${use.server} names no program of this README: no block says "ts file=${use.server}".`,
      });
    }
  }
  problems.push(...uncheckedCode(markdown, file));
  return { uses, problems };
}

/** The use of a block, or a sentence that says why it has none. */
function useOf(block: Block): Use | string {
  const [language, ...options] = block.info.split(/\s+/);
  const [option = '', ...more] = options;
  const [key, value = ''] = option.split('=', 2);
  const bad = block.info
    ? `"${block.info}" does not say how to check this block. It can be ${known}.`
    : `This block has no info string, so nothing checks it. It can be ${known}.`;
  if (more.length > 0) return bad;
  switch (language) {
    case 'mermaid':
    case 'text':
      return option ? bad : { kind: language, block };
    case 'json':
      return option ? bad : (jsonFault(block) ?? { kind: 'json', block });
    case 'ts':
      if (option === 'fragment') return { kind: 'fragment', block };
      if (key === 'file' && /^[\w-]+\.ts$/.test(value))
        return { kind: 'program', block, file: value };
      if (key === 'from' && /\.\w+$/.test(value)) return { kind: 'excerpt', block, from: value };
      return bad;
    case 'console': {
      const commands = commandsOf(block);
      if (typeof commands === 'string') return commands;
      if (option === 'skip=install') {
        const installs = commands.every(
          ({ text, output }) => /^npm ci\b/.test(text) && output.join('') === '',
        );
        return installs
          ? { kind: 'install', block }
          : 'skip=install is for commands that begin with "npm ci", without output.';
      }
      if (option && (key !== 'server' || !/^(solution|stub|[\w-]+\.ts)$/.test(value))) return bad;
      return { kind: 'console', block, server: option ? value : null, commands };
    }
    default:
      return bad;
  }
}

function jsonFault(block: Block): string | undefined {
  try {
    JSON.parse(block.lines.join('\n'));
    return undefined;
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The commands of a console block, or a sentence that says what is wrong with it. */
function commandsOf(block: Block): Command[] | string {
  const commands: Command[] = [];
  const { lines } = block;
  if (!lines[0]?.startsWith('$ ')) return 'A console block begins with a command: "$ curl …".';
  for (let at = 0; at < lines.length;) {
    const first = at;
    let text = (lines[at++] ?? '').slice(2);
    while (isUnfinished(text)) {
      if (at >= lines.length) return `The command "${text.split('\n')[0] ?? ''}" is not finished.`;
      text += `\n${lines[at++] ?? ''}`;
    }
    const from = at;
    while (at < lines.length && !lines[at]?.startsWith('$ ')) at += 1;
    commands.push({
      text,
      line: block.line + 1 + first,
      output: lines.slice(from, at),
      from,
      to: at,
    });
  }
  return commands;
}

/** Does bash want more lines: a backslash at the end, an open quote, a heredoc without its end? */
export function isUnfinished(command: string): boolean {
  let quote = '';
  let heredocs: { end: string; tabs: boolean }[] = [];
  const lines = command.split('\n');
  for (let n = 0; n < lines.length; n += 1) {
    const line = lines[n] ?? '';
    let escaped = false;
    for (let i = 0; i < line.length; i += 1) {
      const char = line[i] ?? '';
      escaped = false;
      if (quote === "'") quote = char === "'" ? '' : quote;
      else if (char === '\\') {
        escaped = i === line.length - 1;
        i += 1;
      } else if (quote === '"') quote = char === '"' ? '' : quote;
      else if (char === "'" || char === '"') quote = char;
      else if (char === '#' && /^$|[\s;]/.test(line[i - 1] ?? '')) break;
      else if (line.startsWith('<<', i) && line[i + 2] !== '<') {
        const [all = '', dash, , end = ''] = /^<<(-?)\s*(['"]?)(\w+)\2/.exec(line.slice(i)) ?? [];
        if (end) heredocs.push({ end, tabs: dash === '-' });
        i += Math.max(all.length - 1, 1);
      } else if (line.startsWith('<<<', i)) i += 2;
    }
    if (escaped && n === lines.length - 1) return true;
    if (quote || escaped) continue;
    for (const { end, tabs } of heredocs) {
      do n += 1;
      while (n < lines.length && (tabs ? lines[n]?.replace(/^\t+/, '') : lines[n]) !== end);
      if (n >= lines.length) return true;
    }
    heredocs = [];
  }
  return quote !== '';
}

/** Code that stands outside a fence would go unchecked. */
function uncheckedCode(markdown: Markdown, file: string): Problem[] {
  const problems: Problem[] = [];
  let inList = false;
  let blankBefore = true;
  for (const { text, line } of markdown.text) {
    if (/^\s*(?:[-*+]|\d+[.)])\s/.test(text)) inList = true;
    else if (/^\S/.test(text)) inList = false;
    const indented: boolean = blankBefore && !inList && /^(?: {4}|\t)\s*\S/.test(text);
    if (indented || /<pre\b/i.test(text)) {
      problems.push({
        file,
        line,
        problem: 'Code stands in a fenced block, whose info string says how it is checked.',
      });
    }
    blankBefore = text.trim() === '';
  }
  return problems;
}
