// Wrong: Names are compared in lower case.
// Fails: step 6, found-what-is-missing
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const port = Number(process.env.PORT ?? 3000);
const waiting = new Set<ServerResponse>();
let finished = 0;
let left = 0;
const colours = new Map([
  ['apple', 'red'],
  ['plum', 'blue'],
]);
async function lookUp(name: string): Promise<string | undefined> {
  await sleep(1);
  if (name === 'worm') throw new Error('there is a worm in the table of colours');
  return colours.get(name);
}
const server = createServer((req, res) => {
  handle(req, res).catch((error) => fail(res, error));
});
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
  const rung = [...waiting];
  waiting.clear();
  for (const one of rung) one.end('ding\n');
  res.end(`rang ${rung.length}\n`);
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
  const colour = await lookUp(name.toLowerCase());
  if (colour === undefined) return notFound(res);
  res.end(`${colour}\n`);
}
async function list(res: ServerResponse): Promise<void> {
  for (const name of ['apple', 'plum', 'worm']) {
    res.write(`${name} ${await lookUp(name)}\n`);
  }
  res.end();
}
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
