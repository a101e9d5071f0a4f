/** Checks one lesson: once, or again on every save. */
import { loadSuite } from '../kernel/catalogue.ts';
import { judge, prepare } from '../kernel/judge.ts';
import { isProven, readProgress, recordResult } from '../progress.ts';
import { styleFor } from '../show/style.ts';
import { verdict } from '../show/verdict.ts';
import { chosenLesson, type Flags } from './flags.ts';
import { welcome } from './welcome.ts';

export async function check(word: string | undefined, flags: Flags): Promise<number> {
  const lesson = chosenLesson(word);
  const watching =
    !flags.once &&
    !flags.json &&
    flags.target === undefined &&
    process.stdin.isTTY &&
    process.stdout.isTTY;
  if (watching) return (await import('../loop/loop.ts')).loop(lesson, flags);

  const target = flags.target ?? 'lessons';
  const greeting =
    target === 'lessons' && !flags.json ? welcome(readProgress(), lesson, word === undefined) : [];
  // The program starts while its suite is loaded.
  const prepared = prepare(lesson, target);
  const result = await judge(await loadSuite(lesson), {
    target,
    prepared,
    ahead: true,
    ...(target === 'lessons' && { proven: (earlier) => isProven(readProgress(), earlier) }),
    ...(flags.seed !== undefined && { seed: flags.seed }),
  });
  if (result.target === 'lessons') recordResult(lesson, result);
  if (flags.json) console.log(JSON.stringify(result, null, 2));
  else {
    const style = styleFor(process.stdout);
    console.log([...greeting, ...verdict(lesson, result, style, { exchange: true })].join('\n'));
  }
  return result.status === 'pass' ? 0 : 1;
}
