// Wrong: The place in the list is kept outside of the handler, so the next list goes on where the last one broke. (C-12)
// Fails: step 7, shared-state
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const port = Number(process.env.PORT ?? 3000);

/** The responses to GET /wait that are still open. */
const waiting = new Set<ServerResponse>();

/** How the other responses to GET /wait came to their end. */
let finished = 0;
let left = 0;

let place = 0;

const colours = new Map([
  ['apple', 'red'],
  ['plum', 'blue'],
]);

/** A pretend database: it takes a moment, knows two fruits, and breaks on a worm. */
async function lookUp(name: string): Promise<string | undefined> {
  await sleep(1);
  if (name === 'worm') throw new Error('there is a worm in the table of colours');
  return colours.get(name);
}

const server = createServer((req, res) => {
  // Node calls this function for each request, and drops whatever it returns.
  handle(req, res).catch((error: unknown) => fail(res, error));
});

/** Finds the function for a path. */
async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = req.url ?? '/';
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  if (path === '/whole') sendWhole(res);
  else if (path === '/pieces') sendPieces(res);
  else if (path === '/wait') wait(res);
  else if (path === '/ring') ring(res);
  else if (path === '/tally') tally(res);
  else if (/^\/pause\/\d+$/.test(path)) await pause(res, Number(path.slice('/pause/'.length)));
  else if (path.startsWith('/find/')) await find(res, path.slice('/find/'.length));
  else if (path === '/list') await list(res);
  else notFound(res);
}

function notFound(res: ServerResponse): void {
  res.statusCode = 404;
  res.end('There is nothing here\n');
}

function sendWhole(res: ServerResponse): void {
  res.end('one\ntwo\nthree\n');
}

function sendPieces(res: ServerResponse): void {
  res.write('one\n');
  res.write('two\n');
  res.end('three\n');
}

function wait(res: ServerResponse): void {
  res.write('waiting\n');
  waiting.add(res);
  res.on('close', () => {
    waiting.delete(res);
    if (res.writableFinished) finished += 1;
    else left += 1;
  });
}

function ring(res: ServerResponse): void {
  const count = waiting.size;
  for (const waiter of waiting) waiter.end('ding\n');
  waiting.clear();
  res.end(`rang ${count}\n`);
}

function tally(res: ServerResponse): void {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ waiting: waiting.size, finished, left }));
}

async function pause(res: ServerResponse, ms: number): Promise<void> {
  await sleep(ms);
  res.end(`paused ${ms} ms\n`);
}

async function find(res: ServerResponse, name: string): Promise<void> {
  const colour = await lookUp(name);
  if (colour === undefined) {
    notFound(res);
    return;
  }
  res.end(`${colour}\n`);
}

async function list(res: ServerResponse): Promise<void> {
  for (; place < 3; place += 1) {
    const name = ['apple', 'plum', 'worm'][place] ?? '';
    const colour = await lookUp(name);
    res.write(`${name} ${colour}\n`);
  }
  res.end();
}

/** What is left to do for a request when its function has failed. */
function fail(res: ServerResponse, error: unknown): void {
  console.error(error);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.statusCode = 500;
  res.end('Something broke\n');
}

server.listen(port, '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${port}`);
});
