/**
 * The graceful shutdown lesson's solution under load, again and again: LOAD_ROUNDS times, 5 unless it is set. And two things that a
 * lesson can't ask of everybody: a large answer to a slow client, and answers to a client that has sent ahead.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { projectRoot, solutionsDir } from '../scripts/kernel/course.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { startListening } from '../scripts/kernel/starting.ts';
import { Trial } from '../scripts/kernel/trial.ts';
import { Copy, underLoad } from './11-graceful-shutdown.test.ts';

const rounds = Number(process.env['LOAD_ROUNDS'] ?? 5);
const lesson = join(solutionsDir, '11-graceful-shutdown');

/** A trial whose copies run one file. */
function trialOf(file: string, seed: number): { t: Trial; end: () => Promise<void> } {
  const programs: Program[] = [];
  const none = (): never => {
    throw new Error('here every program is a copy');
  };
  const bench = {
    trusted: true,
    root: solutionsDir,
    seed,
    keepAlive: false,
    limitMs: 2000,
    program: none,
    restart: none,
  };
  const t = new Trial(
    {
      ...bench,
      async start({ env = {} }) {
        const program = await startListening(
          { file, cwd: projectRoot, trusted: true, env },
          solutionsDir,
        );
        programs.push(program);
        return program;
      },
    },
    'load',
  );
  const end = async (): Promise<void> => {
    t.close();
    await Promise.all(programs.map((program) => program.stop()));
  };
  return { t, end };
}

for (let round = 1; round <= rounds; round++) {
  test(`stopped under load, round ${round} of ${rounds}`, async () => {
    const { t, end } = trialOf(join(lesson, 'server.ts'), round);
    try {
      const copy = await Copy.start(t);
      const result = await underLoad(copy, { clients: t.int(4, 16), answers: t.int(20, 200) });
      assert.deepEqual(
        result.lost.map(({ id, exchange }) => [id, exchange.outcome]),
        [],
        `${copy.ending}`,
      );
      assert.equal(copy.program.exit?.code, 0, copy.ending);
      // Nothing is promised to those who come when it is too late; here nobody does.
      if (result.turnedAway > 0) console.log(`# round ${round}: ${result.turnedAway} turned away`);
    } finally {
      await end();
    }
  });
}

const scratch = await mkdtemp(join(tmpdir(), 'workbook-load-'));
after(() => rm(scratch, { recursive: true, force: true }));

/** A program whose handler is given, under the solution's shutdown. */
async function programWith(handler: string): Promise<string> {
  const file = join(scratch, `${handler.length}.mjs`);
  const shutdown = pathToFileURL(join(lesson, 'shutdown.ts')).href;
  await writeFile(
    file,
    `import { createServer } from 'node:http';
import { shutdownOnSignals } from ${JSON.stringify(shutdown)};
const server = createServer(${handler});
shutdownOnSignals(server, 10_000);
server.listen(Number(process.env.PORT), '127.0.0.1');
`,
  );
  return file;
}

const head = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test(
  'a large answer to a slow client is whole',
  { skip: process.platform === 'win32' },
  async () => {
    const size = 20 * 1024 * 1024;
    const { t, end } = trialOf(
      await programWith(`(req, res) => res.end(Buffer.alloc(${size}, 'x'))`),
      1,
    );
    try {
      const copy = await Copy.start(t);
      const client = copy.t.connect();
      await client.write(head('/'));
      assert.ok(await client.until((bytes) => bytes.length > 0));
      client.pause();
      await copy.drain();
      // Longer than the solution waits before it closes what is idle: server.close() would cut here at once.
      await sleep(250);
      client.resume();
      const exchange = await client.attempt({ maxBytes: 2 * size, limit: 5000 });
      assert.equal(exchange.message?.body.length, size, exchange.outcome);
      client.end();
      await copy.gone({ diagnosis: 'still-running', message: 'The process still runs.' });
    } finally {
      await end();
    }
  },
);

test(
  'a connection that never spoke holds nobody',
  { skip: process.platform === 'win32' },
  async () => {
    const { t, end } = trialOf(join(lesson, 'server.ts'), 1);
    try {
      const copy = await Copy.start(t);
      const silent = copy.t.connect();
      await silent.opened();
      (await copy.t.get('/')).expectStatus(200);
      await copy.drain('SIGTERM', false);
      await silent.closed();
      silent.end();
      await copy.gone({ diagnosis: 'still-running', message: 'The process still runs.' });
    } finally {
      await end();
    }
  },
);

test(
  'a socket that is upgraded while draining is ended',
  { skip: process.platform === 'win32' },
  async () => {
    const { t, end } = trialOf(join(lesson, 'server.ts'), 1);
    try {
      const copy = await Copy.start(t);
      const late = copy.t.connect();
      await late.write('GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: echo\r\n');
      for (let n = 0; n < 3; n++) await copy.t.get('/');
      await copy.drain('SIGTERM', false);
      await late.write('Connection: Upgrade\r\n\r\n');
      assert.notEqual(await late.closed(), 'open');
      late.end();
      await copy.gone({ diagnosis: 'still-running', message: 'The process still runs.' });
    } finally {
      await end();
    }
  },
);

test(
  'a client that has sent ahead gets all its answers',
  { skip: process.platform === 'win32' },
  async () => {
    const handler = `(req, res) => { console.log(req.url); setTimeout(() => res.end(req.url), 200); }`;
    const { t, end } = trialOf(await programWith(handler), 1);
    try {
      const copy = await Copy.start(t);
      const client = copy.t.connect();
      await client.write(head('/one') + head('/two') + head('/three'));
      assert.ok(await copy.program.waitForOutput('/three'));
      await copy.drain();
      for (const target of ['/one', '/two', '/three']) {
        const answer = await copy.wholeAnswer(client, 'GET', target);
        answer.expectText(target);
      }
      client.end();
      await copy.gone({ diagnosis: 'still-running', message: 'The process still runs.' });
    } finally {
      await end();
    }
  },
);
