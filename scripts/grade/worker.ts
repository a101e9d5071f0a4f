/**
 * Judges one lesson after the other, as it is told on standard input, one JSON line each. It runs in the namespaces that the
 * programs share a network with; the programs themselves run one level deeper and can't see it.
 */
import { createInterface } from 'node:readline';
import { loadSuite } from '../kernel/catalogue.ts';
import { findLesson } from '../kernel/course.ts';
import { judge } from '../kernel/judge.ts';
import { buildRoot, inRoot, withPermissions, type Tier } from './isolation.ts';
import { prepareLoader } from './loading.ts';

export interface Job {
  id: number;
  lesson: string;
  /** The staged folder, shaped like `lessons/`. */
  target: string;
  stage: string;
  seed: number;
  tier: Tier;
  /** Where the sandbox's root is built. */
  root: string;
}

// Strangers' programs may send signals: nothing of ours opens an inspector for them.
process.on('SIGUSR1', () => {});

let built = '';
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as Job;
  try {
    await prepareLoader(job.stage);
    if (job.tier === 'namespaces' && built !== job.stage) {
      buildRoot(job.root, job.stage);
      built = job.stage;
    }
    const wrap =
      job.tier === 'namespaces' ? inRoot(job.root, job.stage) : withPermissions(job.stage);
    const result = await judge(await loadSuite(findLesson(job.lesson)), {
      target: job.target,
      seed: job.seed,
      trusted: false,
      wrap,
      budgetMs: 12_000,
    });
    process.stdout.write(`${JSON.stringify({ id: job.id, result })}\n`);
  } catch (error) {
    process.stdout.write(
      `${JSON.stringify({ id: job.id, error: error instanceof Error ? error.message : String(error) })}\n`,
    );
  }
}
process.exit(0);
