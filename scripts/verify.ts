/** `npm run verify`: proves that lessons, solutions and tests agree, and that what they say is true. */
import { parseArgs } from 'node:util';
import { allLessons, findLesson } from './kernel/course.ts';
import { UsageError } from './kernel/failure.ts';
import { exitWith } from './show/exit.ts';
import { styleFor } from './show/style.ts';
import { checks, type Scope } from './verify/checks.ts';
import { canCompare, goldenNode, goldenSeed } from './verify/golden.ts';
import { describe, sorted, type Problem } from './verify/problem.ts';

const help = `npm run verify [LESSON …] [-- OPTIONS]

Checks lessons, solutions and tests: all of them, or only those of the lessons named (3, router, 05-router).

  --only CHECK   one of ${Object.keys(checks).join(', ')}; may be given several times
  --write        writes the stubs anew, and the real output into the READMEs' console blocks
  --golden       writes the golden transcripts in tests/golden/ (under Node ${goldenNode})
  --seed N       other values in the requests; the transcripts are not compared then
  --help         this text

structure  headings, steps and their titles, hints, stubs, length, rows in the tables, numbers of programs
stray      files that belong nowhere, finished files that differ, solutions that go round the types
links      links in every Markdown file
blocks     every code block of every README: compiled, or run and compared
catalogue  every solution, stub, wrong and valid program gets its verdict; the terminal says what its transcript holds

Exit status: 0 nothing found; 1 problems found; 2 used wrongly.`;

type CheckName = keyof typeof checks;

const { paint } = styleFor(process.stdout);

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
      `--only takes one of ${Object.keys(checks).join(', ')}; "${unknown}" is none. For several give --only several times.`,
    );
  if (values.golden && !(canCompare && values.seed === undefined)) {
    throw new UsageError(
      `--golden writes the transcripts under Node ${goldenNode} and without --seed, so that they can be compared.`,
    );
  }
  const scope: Scope = {
    lessons: positionals.length > 0 ? positionals.map(findLesson) : allLessons(),
    whole: positionals.length === 0,
    write: values.write ?? false,
    golden: values.golden ?? false,
    seed: seedOf(values.seed),
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

/** @throws UsageError unless it is a whole number */
function seedOf(text: string | undefined): number {
  if (text === undefined) return goldenSeed;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--seed takes a whole number, not "${text}".`);
  return Number(text);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        write: { type: 'boolean' },
        golden: { type: 'boolean' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(
      `${error instanceof Error ? error.message : String(error)} See "npm run verify -- --help".`,
    );
  }
}

await exitWith(main);
