import type { Answer } from '../../scripts/kernel/answer.ts';
import type { RequestOptions, Trial } from '../../scripts/kernel/trial.ts';

/**
 * Sends a request once more, alone. Gives back its answer where such an error stands in the log afterwards: then the code
 * ran on after this very answer.
 */
export async function ranOnAfter(
  t: Trial,
  error: RegExp,
  request: RequestOptions,
): Promise<Answer | undefined> {
  const seen = t.program.stderr.length;
  const answer = await t.send(request);
  await t.settle();
  return error.test(t.program.stderr.slice(seen)) ? answer : undefined;
}
