/**
 * What is done while nobody waits: a process at its gate is asked as a suite would ask, and both sides find their code
 * compiled when the learner saves. See rehearsal.mjs for the other side.
 */
import { StepFailure } from './failure.ts';
import type { Program } from './program.ts';
import { Trial, type Bench, type RequestOptions } from './trial.ts';

/** So many times the requests below are sent. */
const rounds = 60;

const json = { name: 'a', list: [1, 2, 3] };
const requests: RequestOptions[] = Array.from({ length: 4 }, (_, index) => [
  { target: `/a/b%20c?q=${index}` },
  { method: 'POST', target: '/users', json },
  { target: '/a', headers: { Connection: 'close', Cookie: 'a=b' } },
  { method: 'PUT', target: '/b', body: 'café' },
  { method: 'HEAD', target: '/a', headers: [['Host', 'localhost'] as [string, string]] },
]).flat();

/** The gate was opened: whoever rehearses stops. */
class Over extends Error {}

/** Rehearses until it has been done often enough, or the gate is opened. */
export async function rehearse(program: Program): Promise<void> {
  if (!(await program.beginRehearsal())) return;
  const never = (): never => {
    throw new Over();
  };
  const bench: Bench = {
    trusted: true,
    root: '',
    seed: 1,
    keepAlive: true,
    limitMs: 1000,
    program: () => (program.atGate ? program : never()),
    restart: never,
    start: never,
  };
  for (let round = 0; round < rounds && program.atGate; round++) {
    const trial = new Trial(bench, `${round}`);
    try {
      await trial.each(requests, ask);
      await trial.settle();
    } catch (error) {
      if (error instanceof Over || error instanceof StepFailure) break;
      throw error;
    } finally {
      trial.close();
    }
  }
  program.endRehearsal();
}

async function ask(trial: Trial, options: RequestOptions): Promise<void> {
  const answer = await trial.send(options);
  switch (options.method) {
    case 'POST':
      answer.expectStatus(201);
      answer.expectHeader('Content-Type', /json/);
      answer.expectJSON(json);
      break;
    case 'HEAD':
      answer.expectStatus(204);
      answer.expectNoBody();
      break;
    default:
      answer.expectStatus(200);
      answer.expectText(/./);
  }
}
