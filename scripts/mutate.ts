/** `npm run mutate`: changes the solutions a little, again and again; every change that matters must be noticed by the lesson's tests. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { layOut, loadSuite } from './kernel/catalogue.ts';
import { allLessons, findLesson, projectRoot, type Lesson } from './kernel/course.ts';
import { brief } from './kernel/exchange.ts';
import { UsageError } from './kernel/failure.ts';
import { judge } from './kernel/judge.ts';
import { cleanSolution, solutionSource } from './kernel/stub.ts';
import { mutantsOf, type Mutant } from './mutate/mutants.ts';
import { exitWith, words } from './show/exit.ts';

const usage = `npm run mutate                 every lesson; writes the figures into solutions/README.md
npm run mutate -- 3 router     only these lessons; writes nothing
  --jobs N    mutants at a time

A mutant that no test notices must be explained in tests/mutants/NN-name.json (or every-lesson.json): why it changes
nothing that the lesson promises.
Exit status: 0 every survivor is explained, and every explanation needed; 1 otherwise.`;

const { values, positionals } = words({
  options: { jobs: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});

/** Why a mutant changes nothing that matters, by the mutant's name. */
type Explained = Record<string, string>;

function explanations(name: string): Explained {
  const file = join(projectRoot, 'tests/mutants', `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Explained) : {};
}

interface Figure {
  lesson: Lesson;
  killed: number;
  explained: number;
  survivors: { file: string; mutant: Mutant }[];
  /** Explanations of mutants that do not survive. */
  stale: string[];
}

async function mutateLesson(lesson: Lesson, jobs: number): Promise<Figure> {
  const figure: Figure = { lesson, killed: 0, explained: 0, survivors: [], stale: [] };
  const own = explanations(lesson.name);
  const known = { ...explanations('every-lesson'), ...own };
  const lived = new Set<string>();
  const suite = await loadSuite(lesson);
  const queue = lesson.edits.flatMap((file) =>
    mutantsOf(cleanSolution(solutionSource(lesson, file), file)).map((mutant) => ({
      file,
      mutant,
    })),
  );
  const work = async (): Promise<void> => {
    const { dir, remove } = layOut(lesson);
    try {
      for (let item = queue.shift(); item; item = queue.shift()) {
        const { file, mutant } = item;
        const path = join(dir, lesson.name, file);
        const original = readFileSync(path);
        writeFileSync(path, mutant.text);
        const result = await judge(suite, {
          target: dir,
          firstOnly: true,
          seed: 7,
          proven: () => true,
        });
        writeFileSync(path, original);
        if (result.status !== 'pass') figure.killed++;
        else if (Object.hasOwn(known, mutant.name)) {
          figure.explained++;
          lived.add(mutant.name);
        } else {
          figure.survivors.push({ file, mutant });
          console.log(
            `${lesson.name}/${file}:${mutant.line}: survives: ${brief(mutant.name, 200)}`,
          );
        }
      }
    } finally {
      remove();
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  figure.stale = Object.keys(own).filter((name) => !lived.has(name));
  for (const name of figure.stale)
    console.log(`${lesson.name}: explained, but killed or gone: ${brief(name, 200)}`);
  return figure;
}

const share = ({ killed, survivors }: Figure): string =>
  ((100 * killed) / Math.max(killed + survivors.length, 1)).toFixed(1);

await exitWith(async () => {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const jobs = Number(values.jobs ?? availableParallelism());
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 64)
    throw new UsageError(`--jobs takes a whole number from 1 to 64, not "${values.jobs}".`);
  const lessons = positionals.length > 0 ? positionals.map(findLesson) : allLessons();
  const figures: Figure[] = [];
  for (const lesson of lessons) {
    const figure = await mutateLesson(lesson, jobs);
    figures.push(figure);
    console.log(
      `${lesson.name}: ${figure.killed} killed, ${figure.explained} change nothing, ${figure.survivors.length} survive: ${share(figure)} %`,
    );
  }
  const table = [
    "Written by `npm run mutate`. A mutant is one small change to the solution; it is killed when the lesson's tests notice it. Those that change nothing which the lesson promises are explained in `tests/mutants/`.",
    '',
    '| lesson | killed | change nothing | survive | killed of those that matter |',
    '|---|---:|---:|---:|---:|',
    ...figures.map(
      (figure) =>
        `| ${figure.lesson.title} | ${figure.killed} | ${figure.explained} | ${figure.survivors.length} | ${share(figure)} % |`,
    ),
  ];
  console.log(table.slice(2).join('\n'));
  if (positionals.length === 0) {
    const readme = join(projectRoot, 'solutions/README.md');
    const text = readFileSync(readme, 'utf8');
    writeFileSync(
      readme,
      text.replace(
        /<!-- mutation -->[\s\S]*<!-- \/mutation -->/,
        `<!-- mutation -->\n\n${table.join('\n')}\n\n<!-- /mutation -->`,
      ),
    );
  }
  return figures.some(({ survivors, stale }) => survivors.length + stale.length > 0) ? 1 : 0;
});
