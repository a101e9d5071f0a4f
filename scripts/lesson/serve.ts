/** The learner's server on port 3000, restarted on save, with lines to try. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import { lessonsDir, programFile, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import { portTaken, runWords } from '../kernel/program.ts';
import { adopt, killGroup, release } from '../kernel/reaper.ts';
import { findTarget, readSource } from '../kernel/target.ts';
import { chosenLesson, type Flags } from './flags.ts';

/** The curl lines of a lesson's README, from "Try it by hand". */
export function curlLines(lesson: Lesson): string[] {
  const readme = join(lessonsDir, lesson.name, 'README.md');
  if (!existsSync(readme)) return [];
  const section = /^## Try it by hand$([\s\S]*?)(?=^## )/m.exec(readFileSync(readme, 'utf8').replaceAll('\r\n', '\n'))?.[1] ?? '';
  return [...section.matchAll(/^\$ (curl .*(?:\\\n.*)*)/gm)].map((match) => match[1] ?? '').slice(0, 6);
}

export async function serve(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  const target = findTarget(flags.target ?? 'lessons');
  const port = Number(process.env['PORT'] || 3000);
  readSource(target, lesson, programFile);
  if (await portTaken(port)) throw new UsageError(`Port ${port} is taken by another program. Stop it, or choose another port: PORT=3001 npm run lesson serve ${lesson.number}`);
  const lines = curlLines(lesson);
  if (lines.length > 0) console.log(['Try, in another terminal:', ...lines.map((line) => `  ${line}`), ''].join('\n'));
  console.log(`Ctrl-C ends it. Every save starts it again.\n`);

  let child: ChildProcess | undefined;
  let stopping = false;
  const start = (): void => {
    const [command = '', ...args] = runWords(join(target.dir, lesson.name, programFile));
    child = spawn(command, args, { cwd: dirname(target.dir), env: { ...process.env, PORT: String(port) }, stdio: ['ignore', 'inherit', 'inherit'], detached: process.platform !== 'win32' });
    const { pid } = child;
    if (pid) adopt(pid);
    child.on('exit', (code, signal) => {
      if (pid) release(pid);
      if (!stopping) console.log(`(The program ended with ${signal ?? `exit code ${code}`}. Save the file to start it again.)`);
    });
  };
  const stop = async (): Promise<void> => {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    stopping = true;
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    killGroup(child.pid);
    await gone;
    stopping = false;
  };

  start();
  const watchers: FSWatcher[] = [lesson.name, ...lesson.needs].map((name) => watch(join(target.dir, name), changed));
  let timer: NodeJS.Timeout | undefined;
  function changed(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void stop().then(() => (console.log('(saved: started again)'), start())), 50);
  }
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  for (const watcher of watchers) watcher.close();
  clearTimeout(timer);
  await stop();
  return 0;
}
