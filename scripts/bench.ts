/** `npm run bench`: what a verdict costs on this machine, beside the start of Node, in one run. Writes the README's table. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { scratchProject } from './bench/scratch.ts';
import { Terminal } from './bench/pty.ts';
import { writeTable } from './bench/table.ts';
import { allLessons, commandWords, findLesson, type Lesson } from './kernel/course.ts';
import { UsageError } from './kernel/failure.ts';
import { cleanSolution, solutionSource } from './kernel/stub.ts';
import { exitWith, words } from './show/exit.ts';
import { plain } from './show/style.ts';

const usage = `npm run bench                     every lesson; writes the table in README.md
npm run bench -- 3 router         only these lessons; prints, writes nothing
  --saves N    saves for each lesson (20)
  --no-tests   leaves out the time of the whole "npm test"`;

const { values, positionals } = words({
  options: {
    saves: { type: 'string', default: '20' },
    'no-tests': { type: 'boolean' },
    help: { type: 'boolean' },
  },
  allowPositionals: true,
});

const sorted = (times: number[]): number[] => [...times].sort((a, b) => a - b);
/** By nearest rank: the smallest of the times that this part of them, from 0 to 1, does not exceed. */
const quantile = (times: number[], q: number): number =>
  sorted(times)[Math.max(Math.ceil(times.length * q) - 1, 0)] ?? NaN;
const median = (times: number[]): number => quantile(times, 0.5);

function timed(run: () => void): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

const bareNode = (): number => timed(() => execFileSync(process.execPath, ['-e', '0']));

/** Processor time in ms that a tree of processes has used, and its memory in bytes (each shared page counted once, in parts). */
function treeUse(root: number): { cpuMs: number; memory: number } {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // Gone meanwhile.
    }
  }
  const tree = [root];
  for (const pid of tree)
    for (const [child, parent] of parents)
      if (parent === pid && !tree.includes(child)) tree.push(child);
  let cpuMs = 0;
  let memory = 0;
  for (const pid of tree) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ');
      cpuMs += (Number(stat[11]) + Number(stat[12])) * 10;
      memory +=
        Number(
          /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0,
        ) * 1024;
    } catch {
      // Gone meanwhile.
    }
  }
  return { cpuMs, memory };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a tree of processes has been at rest for a moment: the learner reads. */
async function atRest(pid: number): Promise<void> {
  let before = treeUse(pid).cpuMs;
  for (let tries = 0; tries < 60; tries++) {
    await pause(250);
    const now = treeUse(pid).cpuMs;
    if (now === before) return;
    before = now;
  }
}

interface Warm {
  times: number[];
  bare: number[];
  idleMemory: number;
  idleCpuMs: number;
}

/** Saves the reference, each time a little different, into the loop's lesson; from the rename to the verdict on the terminal. */
async function warm(project: string, lesson: Lesson, saves: number, idle: boolean): Promise<Warm> {
  // What this lesson stands on must be there.
  for (const { name, edits } of lesson.needs.map(findLesson)) {
    for (const file of edits)
      copyFileSync(join(project, 'solutions', name, file), join(project, 'lessons', name, file));
  }
  for (const file of lesson.edits)
    copyFileSync(
      join(project, 'solutions', lesson.name, file),
      join(project, 'lessons', lesson.name, file),
    );
  const terminal = new Terminal([...commandWords('lesson', project), lesson.name], {
    cwd: project,
  });
  const result: Warm = { times: [], bare: [], idleMemory: 0, idleCpuMs: 0 };
  try {
    const verdict = (text: string): boolean => plain(text).includes('Lesson done.');
    await terminal.until(verdict, 60_000);
    const [file = ''] = lesson.edits;
    const text = cleanSolution(solutionSource(lesson, file), file);
    for (let save = 0; save < saves; save++) {
      await atRest(terminal.pid);
      result.bare.push(bareNode());
      await atRest(terminal.pid);
      terminal.forget();
      const target = join(project, 'lessons', lesson.name, file);
      writeFileSync(`${target}.saving`, `${text}// save ${save}\n`);
      const began = performance.now();
      renameSync(`${target}.saving`, target);
      await terminal.until(verdict, 60_000);
      result.times.push(performance.now() - began);
    }
    if (idle) {
      await atRest(terminal.pid);
      const before = treeUse(terminal.pid);
      await pause(5000);
      const after = treeUse(terminal.pid);
      result.idleMemory = after.memory;
      result.idleCpuMs = after.cpuMs - before.cpuMs;
    }
    terminal.type('q');
  } finally {
    await terminal.close();
  }
  return result;
}

const cold = (project: string, lesson: Lesson): number =>
  timed(() => {
    const run = spawnSync(
      'npm',
      ['run', 'lesson', lesson.name, '--', '--once', '--target', 'solutions'],
      { cwd: project, encoding: 'utf8' },
    );
    if (run.status !== 0) throw new Error(`${lesson.name}: ${run.stdout}${run.stderr}`);
  });

// Node 20 reads these at every start, which takes as long as the start itself: a ratio to that would flatter us.
delete process.env['NODE_EXTRA_CA_CERTS'];

await exitWith(async () => {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (process.platform !== 'linux')
    throw new UsageError(
      'npm run bench reads memory and processor time as Linux tells them; it runs there only.',
    );
  const saves = Number(values.saves);
  if (!Number.isInteger(saves) || saves < 1 || saves > 1000)
    throw new UsageError(`--saves takes a whole number from 1 to 1000, not "${values.saves}".`);
  const lessons = positionals.length > 0 ? positionals.map(findLesson) : allLessons();
  const scratch = scratchProject();
  const rows: { lesson: Lesson; warm: Warm; cold: number }[] = [];
  let idle: Warm | undefined;
  try {
    mkdirSync(join(scratch.dir, '.workbook'), { recursive: true });
    for (const lesson of lessons) {
      const measured = await warm(scratch.dir, lesson, saves, idle === undefined);
      idle ??= measured;
      rows.push({
        lesson,
        warm: measured,
        cold: median([1, 2, 3].map(() => cold(scratch.dir, lesson))),
      });
      const last = rows.at(-1);
      console.error(
        `${lesson.name}: warm ${median(measured.times).toFixed(0)} ms (p95 ${quantile(measured.times, 0.95).toFixed(0)}), cold ${last?.cold.toFixed(0)} ms, node -e 0 ${median(measured.bare).toFixed(0)} ms`,
      );
    }
  } finally {
    scratch.remove();
  }
  const bare = median(rows.flatMap((row) => row.warm.bare));
  const ratio = (ms: number): string => (ms / bare).toFixed(1);
  const line = ({ lesson, warm: { times }, cold: start }: (typeof rows)[number]): string =>
    `| ${lesson.title} | ${median(times).toFixed(0)} ms | ${ratio(median(times))} | ${quantile(times, 0.95).toFixed(0)} ms | ${ratio(quantile(times, 0.95))} | ${start.toFixed(0)} ms | ${ratio(start)} |`;
  const quick = rows.filter((row) => !row.lesson.waits);
  const waiting = rows.filter((row) => row.lesson.waits);
  const quickTimes = quick.map((row) => median(row.warm.times));
  const table = [
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${saves} saves for each lesson. "×" is the time divided by that of \`node -e 0\`, which took ${bare.toFixed(0)} ms in the same run.`,
    '',
    '| lesson | save → verdict | × | p95 | × | cold, npm included | × |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...quick.map(line),
    ...(quick.length > 1
      ? [
          `| **median** | **${median(quickTimes).toFixed(0)} ms** | **${ratio(median(quickTimes))}** | | | | |`,
        ]
      : []),
  ];
  if (waiting.length > 0) {
    table.push(
      '',
      'Lessons whose tests wait for something real:',
      '',
      '| lesson | save → verdict | × | p95 | × | cold, npm included | × |',
      '|---|---:|---:|---:|---:|---:|---:|',
      ...waiting.map(line),
      '',
    );
    table.push(...waiting.map(({ lesson }) => `- ${lesson.title}: ${lesson.waits}.`));
  }
  if (idle)
    table.push(
      '',
      `The idle loop takes ${(idle.idleMemory / 2 ** 20).toFixed(0)} MB (PSS, over all its processes) and used ${idle.idleCpuMs} ms of processor time in 5 s.`,
    );
  if (!values['no-tests'] && positionals.length === 0) {
    const all = timed(() => {
      const run = spawnSync('npm', ['test'], { encoding: 'utf8', maxBuffer: 2 ** 28 });
      if (run.status !== 0)
        throw new UsageError(
          `npm test fails, so its time says nothing:\n${run.stdout.slice(-2000)}`,
        );
    });
    table.push('', `The whole of \`npm test\` takes ${(all / 1000).toFixed(0)} s.`);
  }
  console.log(table.join('\n'));
  if (positionals.length === 0) writeTable(table);
  return 0;
});
