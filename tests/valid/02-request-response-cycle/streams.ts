// Right: everything is a stream: generators, pipeline, and finished for the end of a response.
import { createServer, type ServerResponse } from 'node:http';
import { finished as whenOver, PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { scheduler } from 'node:timers/promises';

const doors = new Set<PassThrough>();
const tally = { finished: 0, left: 0 };

async function colour(name: string): Promise<string> {
  await scheduler.yield();
  switch (name) {
    case 'apple':
      return 'red';
    case 'plum':
      return 'blue';
    case 'worm':
      throw new Error('worm');
    default:
      throw new RangeError(name);
  }
}

async function* lines(): AsyncGenerator<string> {
  for (const name of ['apple', 'plum', 'worm']) {
    yield `${name} ${await colour(name)}\n`;
    await scheduler.wait(2);
  }
}

const routes: [RegExp, (res: ServerResponse, part: string) => unknown][] = [
  [
    /^\/whole$/,
    (res) =>
      res.setHeader('Content-Length', 14) &&
      pipeline(Readable.from(['one\n', 'two\n', 'three\n']), res),
  ],
  [/^\/pieces$/, (res) => pipeline(Readable.from(['one\n', 'two\n', 'three\n']), res)],
  [
    /^\/wait$/,
    (res) => {
      const door = new PassThrough();
      doors.add(door);
      door.write('waiting\n');
      door.pipe(res);
      whenOver(res, (error) => {
        doors.delete(door);
        tally[error ? 'left' : 'finished'] += 1;
      });
    },
  ],
  [
    /^\/ring$/,
    (res) => {
      const open = [...doors];
      doors.clear();
      open.forEach((door) => door.end('ding\n'));
      res.end(`rang ${open.length}\n`);
    },
  ],
  [/^\/tally$/, (res) => res.end(JSON.stringify({ waiting: doors.size, ...tally }))],
  [
    /^\/pause\/(\d+)$/,
    (res, ms) => scheduler.wait(Number(ms)).then(() => res.end(`paused ${ms} ms\n`)),
  ],
  [/^\/find\/(\w+)$/, async (res, name) => res.end(`${await colour(name)}\n`)],
  [/^\/list$/, (res) => pipeline(lines, res)],
];

const server = createServer(async (req, res) => {
  try {
    for (const [pattern, answer] of routes) {
      const match = pattern.exec(req.url ?? '');
      if (match) return void (await answer(res, match[1] ?? ''));
    }
    res.writeHead(404, { 'Content-Length': 0 }).end();
  } catch (error) {
    if (res.headersSent) res.destroy();
    else res.writeHead(error instanceof RangeError ? 404 : 500).end('{"error":true}');
  }
});

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);
});
