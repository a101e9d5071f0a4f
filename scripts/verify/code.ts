/** Checks of TypeScript that stands in a README, and of the solutions' style, with TypeScript itself. */
import { join } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../kernel/course.ts';
import type { Problem } from './problem.ts';

/** A whole program that stands in a README. */
export interface ReadmeProgram {
  /** The README, and the line of the block's opening fence. */
  readme: string;
  line: number;
  /** Where the program would be in the project, such as `lessons/02-name/leak.ts`. */
  path: string;
  text: string;
}

/** The type errors of programs that lie nowhere on disk, under the project's own compiler options. All at once: that is quick. */
export function typeErrors(programs: ReadmeProgram[]): Problem[] {
  if (programs.length === 0) return [];
  const config = ts.getParsedCommandLineOfConfigFile(
    join(projectRoot, 'tsconfig.json'),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => {},
    },
  );
  const options: ts.CompilerOptions = { ...config?.options, noEmit: true };
  const texts = new Map(
    programs.map((program) => [slashes(join(projectRoot, program.path)), program]),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => texts.has(slashes(name)) || fileExists(name);
  host.readFile = (name) => texts.get(slashes(name))?.text ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const program = texts.get(slashes(name));
    return program
      ? ts.createSourceFile(name, program.text, target)
      : getSourceFile(name, target, ...rest);
  };
  const compiled = ts.createProgram([...texts.keys()], options, host);
  return [...texts].flatMap(([name, { readme, line }]) => {
    const source = compiled.getSourceFile(name);
    const found = source ? ts.getPreEmitDiagnostics(compiled, source) : [];
    return found.map((diagnostic) => ({
      file: readme,
      line: line + 1 + (source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0),
      problem: `The program does not compile: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`,
    }));
  });
}

const slashes = (path: string): string => path.replaceAll('\\', '/');

/** What a fragment may be a part of; the first that parses will do. */
const surroundings: [before: string, after: string][] = [
  ['', ''],
  ['async function f() {', '}'],
  ['class C {', '}'],
  ['({', '})'],
  ['switch (0) {', '}'],
];

/** Why lines do not parse in any surroundings, or `null`. */
export function syntaxError(code: string): { line: number; message: string } | null {
  let first: { line: number; message: string } | null = null;
  for (const [before, after] of surroundings) {
    // Reports syntax alone, and looks at no other file.
    const { diagnostics = [] } = ts.transpileModule(`${before}\n${code}\n${after}`, {
      reportDiagnostics: true,
      compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
    });
    const [fault] = diagnostics;
    if (!fault) return null;
    first ??= {
      line: fault.file?.getLineAndCharacterOfPosition(fault.start ?? 0).line ?? 1,
      message: ts.flattenDiagnosticMessageText(fault.messageText, ' '),
    };
  }
  return first;
}

/**
 * Do these lines stand, in order and without a gap, in the source? How far they are indented as a whole does not
 * matter; a line `// …` stands for lines that are left out.
 */
export function isExcerpt(lines: string[], source: string): boolean {
  const all = source.split('\n').map((line) => line.trimEnd());
  let from = 0;
  for (const part of splitAtGaps(lines)) {
    const wanted = dedent(part).join('\n');
    let at = from;
    while (
      at + part.length <= all.length &&
      dedent(all.slice(at, at + part.length)).join('\n') !== wanted
    )
      at += 1;
    if (at + part.length > all.length) return false;
    from = at + part.length;
  }
  return true;
}

function splitAtGaps(lines: string[]): string[][] {
  const parts: string[][] = [[]];
  for (const line of lines) {
    if (/^\s*(?:\/\/\s*)?…\s*$/.test(line)) parts.push([]);
    else parts.at(-1)?.push(line.trimEnd());
  }
  return parts.map(trimBlank).filter((part) => part.length > 0);
}

const trimBlank = (lines: string[]): string[] =>
  lines.slice(
    Math.max(
      lines.findIndex((line) => line !== ''),
      0,
    ),
    lines.findLastIndex((line) => line !== '') + 1,
  );

function dedent(lines: string[]): string[] {
  const indents = lines
    .filter((line) => line !== '')
    .map((line) => /^ */.exec(line)?.[0].length ?? 0);
  const common = Math.min(...indents, Infinity);
  return lines.map((line) => line.slice(Number.isFinite(common) ? common : 0));
}

/** Ways round the type checker, which a solution does without: `any`, `x!`, `@ts-ignore`. */
export function uncheckedTypes(file: string, text: string): Problem[] {
  const problems: Problem[] = [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const report = (at: number, problem: string): void => {
    problems.push({ file, line: source.getLineAndCharacterOfPosition(at).line + 1, problem });
  };
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      report(node.getStart(), 'A solution has no `any`: say what the value is, or `unknown`.');
    } else if (ts.isNonNullExpression(node)) {
      report(
        node.getStart(),
        `A solution has no \`!\`: handle the case that ${node.expression.getText()} is missing.`,
      );
    } else if (
      (ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) &&
      node.exclamationToken
    ) {
      report(
        node.getStart(),
        'A solution has no `!`: give the variable a value, or a type that says it may have none.',
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const comment of text.matchAll(/@ts-(?:ignore|nocheck|expect-error)\b/g)) {
    report(comment.index, `A solution has no ${comment[0]}: the types say what is true.`);
  }
  return problems;
}
