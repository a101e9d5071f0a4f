// Right: requests come out of an async iterator; each body is read first; the tally is worked out when it is asked for;
// hints before and trailers after a response; errors close their connection.
import { on, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const server = createServer();
const everyWait: ServerResponse[] = [];

const isWaiting = (res: ServerResponse): boolean => !res.writableEnded && !res.closed;
const later = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const end = performance.now() + ms;
    const look = (): unknown => (performance.now() < end ? setImmediate(look) : resolve());
    look();
  });

async function colour(name: string): Promise<string> {
  await later(15);
  if (name === 'worm') throw new Error('worm');
  const found = new Map(Object.entries({ apple: 'red', plum: 'blue' })).get(name);
  if (found === undefined) throw 404;
  return found;
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
  for await (const _ of req);
  const [, first, second] = /^\/([a-z]+)(?:\/([a-z0-9]+))?$/.exec(req.url ?? '') ?? [];
  switch (second === undefined ? first : `${first}/`) {
    case 'whole':
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      res.setHeader('content-length', '14').end('one\ntwo\nthree\n');
      return;
    case 'pieces':
      res.setHeader('Trailer', 'X-Lines');
      for (const letter of 'one\ntwo\nthree\n') res.write(letter);
      res.addTrailers({ 'X-Lines': '3' });
      return res.end();
    case 'wait':
      everyWait.push(res);
      res.write('waiting\n');
      return;
    case 'ring': {
      const rung = everyWait.filter(isWaiting).map((waiter) => waiter.end(Buffer.from('ding\n')));
      return res.end(`rang ${rung.length}\n`, 'utf8');
    }
    case 'tally': {
      const waiting = everyWait.filter(isWaiting).length;
      const finished = everyWait.filter((waiter) => waiter.writableFinished).length;
      const left = everyWait.filter(
        (waiter) => waiter.destroyed && !waiter.writableFinished,
      ).length;
      return res
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(`\n ${JSON.stringify({ finished, left, waiting })}\n`);
    }
    case 'pause/':
      if (!/^\d+$/.test(second ?? '')) throw 404;
      await later(Number(second));
      return res.end(`paused ${second} ms\n`);
    case 'find/':
      return res.end(`${await colour(second ?? '')}\n`);
    case 'list':
      for (const name of ['apple', 'plum', 'worm']) res.write(`${name} ${await colour(name)}\n`);
      return res.end();
    default:
      throw 404;
  }
}

server.listen(process.env.PORT ?? '3000');
await once(server, 'listening');
console.log('Server listening on http://localhost:%s', process.env.PORT ?? 3000);

for await (const [req, res] of on(server, 'request') as AsyncIterable<
  [IncomingMessage, ServerResponse]
>) {
  answer(req, res).catch((error: unknown) => {
    if (res.headersSent) return req.socket.destroy();
    res.writeHead(error === 404 ? 404 : 500, {
      Connection: 'close',
      'Content-Type': 'application/json',
    });
    return res.end(JSON.stringify({ error: String(error) }));
  });
}
