/** `npm run verify`: proves that lessons, solutions and tests agree, and that what they say is true. */
import { parseArgs, styleText } from 'node:util';
import { allLessons, findLesson } from './kernel/course.ts';
import { UsageError } from './kernel/failure.ts';
import { checks, type Scope } from './verify/checks.ts';
import { describe, sorted, type Problem } from './verify/problem.ts';

const help = `npm run verify [LESSON …] [-- OPTIONS]

Checks lessons, solutions and tests: all of them, or only those of the lessons named (3, router, 05-router).

  --only CHECK   one of ${Object.keys(checks).join(', ')}; may be given several times
  --write        writes the stubs anew, and the real output into the READMEs' console blocks
  --golden       writes the golden transcripts in tests/golden/
  --help         this text

structure  headings, steps and their titles, hints, stubs, length
stray      files that belong nowhere, finished files that differ, solutions that go round the types
links      links in every Markdown file
blocks     every code block of every README: compiled, or run and compared
catalogue  every solution, stub, wrong and valid program gets its verdict

Exit status: 0 nothing found; 1 problems found; 2 used wrongly.`;

type CheckName = keyof typeof checks;

const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
const paint = (format: Parameters<typeof styleText>[0], text: string): string =>
  colour ? styleText(format, text) : text;

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  if (values.help) {
    console.log(help);
    return 0;
  }
  const wanted = values.only ?? Object.keys(checks);
  const unknown = wanted.find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined)
    throw new UsageError(
      `--only takes one of ${Object.keys(checks).join(', ')}; "${unknown}" is none.`,
    );
  const scope: Scope = {
    lessons: positionals.length > 0 ? positionals.map(findLesson) : allLessons(),
    whole: positionals.length === 0,
    write: values.write ?? false,
    tell: (line) => console.log(paint('dim', `  ${line}`)),
  };

  const problems: Problem[] = [];
  for (const name of wanted as CheckName[]) {
    const began = performance.now();
    console.log(paint('bold', name));
    const found = sorted(await checks[name](scope));
    for (const problem of found)
      console.log(`  ${paint(problem.warning ? 'yellow' : 'red', describe(problem))}`);
    if (found.length === 0)
      console.log(
        paint('green', `  nothing found (${((performance.now() - began) / 1000).toFixed(1)} s)`),
      );
    problems.push(...found);
  }
  const warnings = problems.filter(({ warning }) => warning).length;
  const errors = problems.length - warnings;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  console.log(
    `\n${count(errors, 'problem')}${warnings > 0 ? `, ${count(warnings, 'warning')}` : ''}`,
  );
  return errors > 0 ? 1 : 0;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        write: { type: 'boolean' },
        golden: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(
      `${error instanceof Error ? error.message : String(error)} See "npm run verify -- --help".`,
    );
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
