/** The checks of the project, one function for each word of `--only`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSuite, prove, type Proof } from '../kernel/catalogue.ts';
import { allLessons, projectRoot, type Lesson } from '../kernel/course.ts';
import {
  canCompare,
  checkGolden,
  goldenSeed,
  looks,
  representatives,
  writeGolden,
} from './golden.ts';
import { checkHeader } from './headers.ts';
import { checkLinks } from './links.ts';
import { writer, type Problem } from './problem.ts';
import type { Readme } from './runblocks.ts';
import { machineNames, missingFiles, strayFiles, unequalFiles } from './stray.ts';
import {
  checkCount,
  checkHints,
  checkManifest,
  checkReadme,
  checkStubs,
  checkSuite,
  checkTables,
} from './structure.ts';
import { staleStubs, stubsOf, writeStubs } from './stubs.ts';
import { isText, projectFiles, readBytes, readText } from './tree.ts';

export interface Scope {
  lessons: Lesson[];
  /** Also what belongs to no lesson. */
  whole: boolean;
  /** Write what can be derived: stubs, and outputs in READMEs. */
  write: boolean;
  /** Write the golden transcripts. */
  golden: boolean;
  /** For the values in requests that change from run to run. */
  seed: number;
  /** Told what is going on, line by line. */
  tell: (line: string) => void;
}

export type Check = (scope: Scope) => Promise<Problem[]>;

export const checks = { structure, stray, links, blocks, catalogue } satisfies Record<
  string,
  Check
>;

/** Headings, titles, steps, hints, stubs, suites, rows in tables, numbers of programs. */
async function structure({ lessons, write, tell }: Scope): Promise<Problem[]> {
  const files = projectFiles();
  const paths = new Set(files);
  const names = allLessons().map(({ name }) => name);
  const problems: Problem[] = [];
  for (const lesson of lessons) {
    const faults = checkManifest(lesson, names);
    problems.push(...faults);
    if (faults.length > 0) {
      // All else is compared with the manifest.
      problems.push(...missingFiles(lesson.name, lesson.edits ?? [], paths));
      continue;
    }
    const [readme, hints] = ['README.md', 'hints.md'].map(
      (file) => `lessons/${lesson.name}/${file}`,
    );
    if (readme && paths.has(readme)) problems.push(...checkReadme(lesson, readText(readme)));
    if (hints && paths.has(hints)) problems.push(...checkHints(lesson, readText(hints)));
    const { stubs, problems: broken } = stubsOf(lesson);
    problems.push(...broken);
    // Where one can't be made, its titles aren't missing: they can't be seen.
    if (stubs.length === lesson.edits.length) problems.push(...checkStubs(lesson, stubs));
    if (write) {
      for (const file of await writeStubs(stubs)) {
        tell(`wrote ${file}`);
        paths.add(file);
      }
    } else problems.push(...staleStubs(lesson, stubs));
    problems.push(...missingFiles(lesson.name, lesson.edits, paths));
    problems.push(...checkTables(lesson, (file) => (paths.has(file) ? readText(file) : undefined)));
    for (const kind of ['wrong', 'valid'] as const)
      problems.push(...checkCount(lesson, kind, programsOf(files, kind, lesson).length));
    if (paths.has(`tests/${lesson.name}.test.ts`)) problems.push(...(await suiteProblems(lesson)));
  }
  return problems;
}

async function suiteProblems(lesson: Lesson): Promise<Problem[]> {
  try {
    const { steps } = await loadSuite(lesson);
    return checkSuite(
      lesson,
      steps.map(({ title }) => title),
    );
  } catch (error) {
    return [
      {
        file: `tests/${lesson.name}.test.ts`,
        line: 0,
        problem: error instanceof Error ? error.message : String(error),
      },
    ];
  }
}

/** Files of an unknown shape, finished files that differ, solutions that go round the types, headers of programs. */
async function stray({ lessons, whole }: Scope): Promise<Problem[]> {
  const { uncheckedTypes } = await import('./code.ts'); // It loads TypeScript, which takes a while.
  const names = allLessons().map(({ name }) => name);
  const isOurs = (file: string): boolean =>
    whole || lessons.some(({ name }) => file.includes(`/${name}`));
  const paths = projectFiles();
  const ours = paths.filter(isOurs);
  const problems = strayFiles(paths, names).filter(({ file }) => isOurs(file));
  for (const { name, edits, twins } of lessons)
    problems.push(...unequalFiles(name, edits, paths, readBytes, twins));
  for (const file of ours) {
    if (/^solutions\/.*\.ts$/.test(file)) problems.push(...uncheckedTypes(file, readText(file)));
    if (isText(file)) problems.push(...machineNames(file, readText(file)));
  }
  for (const lesson of lessons) {
    for (const kind of ['wrong', 'valid'] as const) {
      for (const file of programsOf(ours, kind, lesson)) {
        problems.push(...checkHeader(file, readText(file), kind, lesson.steps.length));
      }
    }
  }
  return problems;
}

/** The files that carry a header: each `slug.ts`, and of each folder `slug/` the first file that the learner edits. */
function programsOf(paths: string[], kind: 'wrong' | 'valid', lesson: Lesson): string[] {
  const folder = `tests/${kind}/${lesson.name}/`;
  const inside = paths
    .filter((path) => path.startsWith(folder))
    .map((path) => path.slice(folder.length));
  const slugs = [...new Set(inside.map((path) => path.split('/')[0] ?? ''))];
  return slugs.map((slug) => {
    if (inside.includes(slug)) return folder + slug;
    const files = inside.filter((path) => path.startsWith(`${slug}/`));
    const edited = lesson.edits
      .map((file) => `${slug}/${file}`)
      .find((file) => files.includes(file));
    return folder + (edited ?? files[0] ?? slug);
  });
}

/** Links in every Markdown file; those in tests/ are fixtures. */
async function links({ lessons, whole }: Scope): Promise<Problem[]> {
  return projectFiles()
    .filter(
      (file) =>
        file.endsWith('.md') &&
        !file.startsWith('tests/') &&
        (whole || lessons.some(({ name }) => file.includes(`/${name}/`))),
    )
    .flatMap((file) => checkLinks(file, readText(file), projectRoot));
}

/** Code blocks, run and compared: three READMEs at a time, for their commands wait more than they work. */
async function blocks({ lessons, whole, write, tell }: Scope): Promise<Problem[]> {
  const { checkBlocks } = await import('./runblocks.ts');
  const { typeErrors } = await import('./code.ts');
  const paths = projectFiles();
  const readmes: Readme[] = [
    ...(whole
      ? ['README.md', 'lessons/README.md', 'solutions/README.md'].map((file) => ({
          file,
          lesson: null,
        }))
      : []),
    ...lessons.map((lesson) => ({ file: `lessons/${lesson.name}/README.md`, lesson })),
  ]
    .filter(({ file }) => paths.includes(file))
    .map((readme) => ({ ...readme, text: readText(readme.file) }));
  // The last lessons' take longest, so they come first.
  const results = await eachOf(readmes.reverse(), 3, async (readme) => {
    const { problems, differences, programs, rewritten } = await checkBlocks(readme);
    if (write && rewritten !== readme.text && readText(readme.file) === readme.text) {
      await writeFile(join(projectRoot, readme.file), rewritten);
      tell(`wrote ${differences.length} outputs in ${readme.file}`);
      return { problems, programs };
    }
    if (differences.length > 0 && readme.lesson)
      tell(
        `${writer(readme.lesson.name, 'write')} puts the real output into ${readme.file}: read it first`,
      );
    return { problems: [...problems, ...differences], programs };
  });
  return [
    ...results.flatMap(({ problems }) => problems),
    ...typeErrors(results.flatMap(({ programs }) => programs)),
  ];
}

/** Every solution, stub, wrong and valid program gets its verdict, and the terminal says what the transcripts hold. */
async function catalogue({ lessons, seed, golden, tell }: Scope): Promise<Problem[]> {
  const problems: Problem[] = [];
  const suites = projectFiles('tests');
  for (const lesson of lessons) {
    if (!suites.includes(`tests/${lesson.name}.test.ts`)) continue; // Reported as missing.
    // No hurry: on a busy machine, too, every step is tried, so that the transcripts stay the same.
    const options = { seed, budgetMs: 60_000 };
    const proofs = await prove(lesson, options);
    for (const { name, complaint } of proofs) {
      if (complaint !== undefined)
        problems.push({ file: fileOf(name, lesson), line: 0, problem: complaint });
    }
    tell(`${lesson.name}: ${proofs.length} programs judged`);
    if (golden) {
      const runs = [proofs];
      const names = representatives(proofs).map(({ name }) => name);
      while (runs.length < looks) {
        const again = await eachOf(names, 2, (only) =>
          prove(lesson, { ...options, only, jobs: 1 }),
        );
        runs.push(again.flat().filter(({ name }) => names.includes(name)));
      }
      for (const file of await writeGolden(lesson, runs)) tell(`wrote ${file}`);
    } else if (canCompare && seed === goldenSeed) {
      const again = (name: string): Promise<Proof[]> => prove(lesson, { ...options, only: name });
      problems.push(...(await checkGolden(lesson, proofs, again)));
    }
  }
  return problems;
}

/** Where a program of the catalogue lies. */
function fileOf(proof: string, { name }: Lesson): string {
  if (proof === 'solution') return `solutions/${name}`;
  if (proof === 'stub') return `lessons/${name}`;
  return `tests/${proof.replace('/', `/${name}/`)}`;
}

/** Works on `count` items at a time; the results come in the items' order. */
async function eachOf<Item, Result>(
  items: Item[],
  count: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const rest = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = rest.shift(); next; next = rest.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: count }, worker));
  return results;
}
