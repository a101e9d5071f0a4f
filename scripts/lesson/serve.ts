/** The learner's server on port 3000, restarted on save, with lines to try. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findLesson, lessonsDir, programFile, type Lesson } from '../kernel/course.ts';
import { UsageError } from '../kernel/failure.ts';
import { portTaken } from '../kernel/program.ts';
import { findTarget, readSource } from '../kernel/target.ts';
import { LocalServer } from '../loop/server.ts';
import { watchFiles, watchingWorks } from '../loop/watch.ts';
import { chosenLesson, type Flags } from './flags.ts';

/** The curl lines of a lesson's README, from "Try it by hand". */
export function curlLines(lesson: Lesson): string[] {
  const readme = join(lessonsDir, lesson.name, 'README.md');
  if (!existsSync(readme)) return [];
  const section =
    /^## Try it by hand$([\s\S]*?)(?=^## )/m.exec(
      readFileSync(readme, 'utf8').replaceAll('\r\n', '\n'),
    )?.[1] ?? '';
  return [...section.matchAll(/^\$ (curl .*(?:\\\n.*)*)/gm)]
    .map((match) => match[1] ?? '')
    .slice(0, 6);
}

/** The files whose saves matter to a lesson: its own, and those of the lessons that it needs. */
export const watchedFiles = (dir: string, lesson: Lesson): string[] =>
  [lesson, ...lesson.needs.map(findLesson)].flatMap(({ name, edits }) =>
    edits.map((file) => join(dir, name, file)),
  );

/** @throws UsageError when the port is none, or taken */
export async function servingPort(lesson: Lesson): Promise<number> {
  const text = process.env['PORT'] || '3000';
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535)
    throw new UsageError(`PORT is "${text}"; a whole number from 1 to 65535 was expected.`);
  if (await portTaken(port)) {
    throw new UsageError(
      `Port ${port} is taken by another program. Stop that one, or choose another port: PORT=3001 npm run lesson serve ${lesson.number}`,
    );
  }
  return port;
}

export async function serve(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  const target = findTarget(flags.target ?? 'lessons');
  for (const file of new Set([programFile, ...lesson.edits])) readSource(target, lesson, file);
  const port = await servingPort(lesson);
  const lines = curlLines(lesson).map((line) =>
    line.replaceAll('localhost:3000', `localhost:${port}`),
  );
  if (lines.length > 0)
    console.log(['Try, in another terminal:', ...lines.map((line) => `  ${line}`), ''].join('\n'));
  console.log('Ctrl-C ends it. Every save starts it again.\n');

  const server = new LocalServer(target.dir, lesson, port, {
    exit: (how) => console.log(`(The program ended with ${how}. Save the file to start it again.)`),
  });
  server.start();
  const poll = flags.poll ?? !(await watchingWorks());
  const watching = watchFiles(
    watchedFiles(target.dir, lesson),
    () => void server.restart().then(() => console.log('(Saved: started again.)')),
    { poll },
  );
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });
  watching.close();
  await server.stop();
  return 0;
}
