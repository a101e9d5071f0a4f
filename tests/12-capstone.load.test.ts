/** Stopped under load, again and again, without a lost request. `STOPS=50 npm test -- capstone.load` for the long run. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { layOut } from '../scripts/kernel/catalogue.ts';
import { findLesson } from '../scripts/kernel/course.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { startListening } from '../scripts/kernel/starting.ts';
import { Trial, type Bench } from '../scripts/kernel/trial.ts';
import { underLoad } from './support/load.ts';

const stops = Number(process.env['STOPS'] ?? 5);

function trialOf(program: Program, root: string): Trial {
  const never = (): never => {
    throw new Error('no other program is needed here');
  };
  const bench: Bench = {
    trusted: true,
    root,
    seed: 1,
    keepAlive: false,
    limitMs: 2000,
    program: () => program,
    restart: never,
    start: never,
  };
  return new Trial(bench, `${program.pid}`);
}

test(`stopped ${stops} times under load, it loses no request`, async () => {
  const lesson = findLesson('capstone');
  const { dir, remove } = layOut(lesson);
  let answers = 0;
  try {
    for (let stop = 0; stop < stops; stop++) {
      const options = {
        file: join(dir, lesson.name, 'server.ts'),
        cwd: dirname(dir),
        trusted: true,
        env: { RATE_LIMIT: '1000000' },
      };
      const program = await startListening(options, dir);
      const t = trialOf(program, dir);
      try {
        const begun = ({ id }: { id: string }): boolean => program.stdout.includes(`id=${id}.`);
        const { answered, lost, odd } = await underLoad(
          t,
          { clients: 12, answers: 100 + stop * 7, target: (id) => `/users?id=${id}.`, begun },
          () => program.signal('SIGTERM'),
        );
        assert.deepEqual(
          lost.map(({ id, exchange }) => `${id}: ${exchange.outcome}`),
          [],
          `stop ${stop + 1}`,
        );
        assert.deepEqual([...odd], []);
        assert.deepEqual(program.exit, { code: 0, signal: null });
        answers += answered;
      } finally {
        t.close();
        await program.stop();
      }
    }
  } finally {
    remove();
  }
  assert.ok(answers >= stops * 100);
});
