import type { Answer } from '../../scripts/kernel/answer.ts';
import type { Trial } from '../../scripts/kernel/trial.ts';

/**
 * Asks about all cases at once and gives the answers in their order. When that stops the program, it asks again one by
 * one, so that the request at fault gets the blame.
 */
export async function askAll<Case>(
  t: Trial,
  cases: readonly Case[],
  ask: (one: Case) => Promise<Answer>,
): Promise<(readonly [Case, Answer])[]> {
  const settled = await Promise.allSettled(
    cases.map(async (one) => [one, await ask(one)] as const),
  );
  const failure = settled.find((result) => result.status === 'rejected');
  if (failure && t.program.exit) {
    await t.restart();
    for (const one of cases) await ask(one);
  }
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
