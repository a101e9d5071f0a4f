/**
 * Judges one lesson after the other, as it is told on standard input, one JSON line each. It runs in the namespaces that the
 * programs share a network with; the programs themselves run one level deeper and can't see it.
 */
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { loadSuite } from '../kernel/catalogue.ts';
import { findLesson } from '../kernel/course.ts';
import { judge } from '../kernel/judge.ts';
import type { Result } from '../kernel/result.ts';
import { buildRoot, inRoot, withPermissions, type Tier } from './isolation.ts';

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
  /** Folders that no program may see. */
  hidden: string[];
  /** In place of a verdict: which of these files and folders can a program read? */
  probe?: string[];
}

export interface Answer {
  result?: Result;
  readable?: string[];
  /** Why the grader itself failed. */
  error?: string;
}

/** Those of its arguments that it can read, as JSON. A folder that is there and shows nothing tells nothing. */
const reader = `
const fs = require('node:fs');
const can = (path) => {
  try { return fs.readdirSync(path).length > 0; } catch {}
  try { return fs.readFileSync(path).length >= 0; } catch {}
  return false;
};
console.log(JSON.stringify(process.argv.slice(1).filter(can)));
`;

// Strangers' programs may send signals: nothing of ours opens an inspector for them.
process.on('SIGUSR1', () => {});

let built = '';
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as Job;
  try {
    if (job.tier === 'namespaces' && built !== job.stage) {
      buildRoot(job.root, job.stage, job.hidden);
      built = job.stage;
    }
    const wrap =
      job.tier === 'namespaces' ? inRoot(job.root, job.stage) : withPermissions(job.stage);
    if (job.probe) {
      const [command = '', ...args] = wrap([process.execPath, '-e', reader, '--', ...job.probe]);
      const said = execFileSync(command, args, {
        cwd: job.stage,
        encoding: 'utf8',
        timeout: 30_000,
      });
      const readable = JSON.parse(said) as string[];
      process.stdout.write(
        `${JSON.stringify({ id: job.id, readable } satisfies Answer & { id: number })}\n`,
      );
      continue;
    }
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
