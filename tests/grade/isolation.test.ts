/** What keeps programs apart: the sandbox's root, what each tier claims, and the workers. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { findIsolation, processTier, workerWords } from '../../scripts/grade/isolation.ts';
import { Worker } from '../../scripts/grade/pool.ts';
import { lessonsDir, projectRoot, solutionsDir } from '../../scripts/kernel/course.ts';
import { loaderWords } from '../../scripts/kernel/program.ts';
import { submit } from './people.ts';
import { grade, resultsOf, scratch } from './run.ts';

/** Words that make root an ordinary user: the kernel treats what root mounts otherwise. None where that user can't read this or run Node. */
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const ordinary =
  process.getuid?.() === 0 &&
  [
    ['test', '-r', import.meta.filename],
    ['test', '-x', process.execPath],
  ].every((look) => spawnSync('setpriv', [...asNobody.slice(1), ...look]).status === 0)
    ? asNobody
    : [];

if (findIsolation().tier === 'namespaces')
  test('what lies in a folder that Node needs is hidden all the same', () => {
    const dir = scratch('hidden');
    const system = join(dir, 'usr');
    const project = join(system, 'workbook');
    const stage = join(project, 'inner/stage');
    for (const file of ['solutions/server.ts', 'inner/other/server.ts', 'inner/stage/server.ts']) {
      mkdirSync(join(project, file, '..'), { recursive: true });
      writeFileSync(join(project, file), 'x');
    }
    writeFileSync(join(system, 'tool'), 'x');
    const look = join(dir, 'look.ts');
    writeFileSync(
      look,
      `import { execFileSync } from 'node:child_process';
       import { buildRoot, inRoot } from ${JSON.stringify(pathToFileURL(join(projectRoot, 'scripts/grade/isolation.ts')).href)};
       const [root, stage, project, system] = process.argv.slice(2);
       buildRoot(root, stage, [project], ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/ld.so.cache', system]);
       const [command, ...args] = inRoot(root, stage)(['/bin/sh', '-c', 'cd "$1" && find . -type f; touch solutions || echo read only', 'sh', system]);
       console.log(execFileSync(command, args, { encoding: 'utf8' }));`,
    );
    if (ordinary.length > 0) for (const path of [dir, stage]) chownSync(path, 65534, 65534);
    const [command = '', ...args] = [...ordinary, ...workerWords];
    const found = execFileSync(
      command,
      [...args, process.execPath, ...loaderWords, look, join(dir, 'root'), stage, project, system],
      { encoding: 'utf8' },
    );
    assert.deepEqual(found.trim().split('\n').sort(), [
      './tool',
      './workbook/inner/stage/server.ts',
      'read only',
    ]);
  });

test('a worker finds what a program could read', async () => {
  const { tier } = findIsolation();
  const dir = scratch('probe');
  const stage = join(dir, 'stage');
  mkdirSync(join(stage, 'lessons'), { recursive: true });
  writeFileSync(join(stage, 'lessons/own.txt'), 'x');
  const worker = new Worker(tier, join(dir, 'root'));
  const secret = join(solutionsDir, '03-request-anatomy/server.ts');
  try {
    const answer = await worker.run({
      lesson: '03-request-anatomy',
      target: join(stage, 'lessons'),
      stage,
      seed: 1,
      tier,
      root: worker.root,
      hidden: [projectRoot],
      probe: [join(stage, 'lessons/own.txt'), stage, secret, lessonsDir],
    });
    assert.deepEqual(answer.readable, [join(stage, 'lessons/own.txt'), stage], answer.error);
  } finally {
    await worker.stop();
  }
});

test('memory is said to be bounded only where the system tells how much there is', () => {
  assert.match(processTier('linux').keeps.join(), /limits: memory/);
  assert.doesNotMatch(processTier('linux').lacks.join(), /memory/);
  for (const platform of ['darwin', 'win32'] as const) {
    assert.doesNotMatch(processTier(platform).keeps.join(), /memory/);
    assert.match(processTier(platform).lacks.join(), /memory/);
  }
});

test('an answer that comes too late is not taken for the next job’s', async () => {
  const dir = scratch('late');
  const script = join(dir, 'worker.mjs');
  writeFileSync(
    script,
    `import { createInterface } from 'node:readline';
     for await (const line of createInterface({ input: process.stdin })) {
       const { id } = JSON.parse(line);
       for (const number of [id - 1, id]) console.log(JSON.stringify({ id: number, error: 'job ' + number }));
     }`,
  );
  const worker = new Worker('process', dir, script);
  try {
    for (const id of [1, 2, 3]) assert.equal((await worker.run(job)).error, `job ${id}`);
  } finally {
    await worker.stop();
  }
  // One that ran out of time is ended, and what it still says is heard by nobody.
  const slow = new Worker('process', dir, writeSlow(dir), 300);
  try {
    assert.match((await slow.run(job)).error ?? '', /no verdict within 0\.3 s/);
    assert.match((await slow.run(job)).error ?? '', /no verdict/);
  } finally {
    await slow.stop();
  }
});

test('a text that the stripper can’t cope with holds nobody up', async () => {
  const stage = (name: string, text: string): string => {
    const dir = join(scratch(name), 'stage');
    mkdirSync(join(dir, 'lessons'), { recursive: true });
    writeFileSync(join(dir, 'lessons/server.ts'), text);
    return dir;
  };
  const stripped = (dir: string): boolean => existsSync(join(dir, '.loader/.workbook/strip'));
  const stripping = join(projectRoot, 'scripts/grade/stripping.ts');
  const [good, again] = [stage('good', 'let a: 1;\n'), stage('again', 'let a: 2;\n')];
  const deep = stage('deep', '('.repeat(120_000));
  const patient = new Worker('process', '', stripping);
  try {
    assert.equal((await patient.run({ ...job, stage: deep })).error, undefined);
    assert.ok(!stripped(deep));
    assert.equal((await patient.run({ ...job, stage: good })).error, undefined);
    assert.ok(stripped(good), 'what could not be stripped spoils what comes after it');
  } finally {
    await patient.stop();
  }
  // Each cast more takes twice as long: this one would take hours.
  const slow = stage('slow', `let a = ${'<T>('.repeat(30)}a${')'.repeat(30)};\n`);
  const hurried = new Worker('process', '', stripping, 3000);
  try {
    assert.match((await hurried.run({ ...job, stage: slow })).error ?? '', /within 3 s/);
    // The next process takes what comes next, however long it takes to start here.
    let tries = 0;
    while (!stripped(again) && tries++ < 10) await hurried.run({ ...job, stage: again });
    assert.ok(stripped(again));
  } finally {
    await hurried.stop();
  }
});

const job = {
  lesson: '',
  target: '',
  stage: '',
  seed: 1,
  tier: 'process',
  root: '',
  hidden: [] as string[],
} as const;

function writeSlow(dir: string): string {
  const script = join(dir, 'slow.mjs');
  writeFileSync(script, 'process.stdin.resume();\n');
  return script;
}

if (findIsolation().tier === 'namespaces')
  test('each submission has a network of its own', async () => {
    const dir = join(scratch('network'), 'class');
    // Each tells how many connections its network had seen when it was started.
    const tell = `import { readFileSync } from 'node:fs';
      import { createServer } from 'node:http';
      const [names, values] = readFileSync('/proc/self/net/snmp', 'utf8').split('\\n').filter((line) => line.startsWith('Tcp:')).map((line) => line.split(' '));
      const seen = values[names.indexOf('PassiveOpens')];
      createServer((_req, res) => res.end('seen ' + seen)).listen(Number(process.env.PORT), '127.0.0.1');\n`;
    for (const person of ['ada', 'bob']) submit(dir, person, tell);
    const run = await grade(dir, ['--lesson', '3', '--isolation', 'namespaces', '--jobs', '1']);
    assert.equal(run.status, 0, run.stderr);
    const seen = resultsOf(run).submissions.map(
      ({ lessons }) => /seen (\d+)/.exec(JSON.stringify(lessons))?.[1],
    );
    assert.deepEqual(seen, ['0', '0']);
  });
