// Right: a table of handlers that throw and return whatever they like, framed by one careful wrapper; never clears its
// set of waiting responses, for their close does it; sends header fields of its own.
import * as http from 'node:http';
import timers from 'node:timers/promises';

const { PORT = '3000' } = process.env;
const bells: Set<http.ServerResponse> = new Set();
let over: boolean[] = [];

class Missing extends Error {}

const fruits: { [name: string]: () => string } = Object.assign(Object.create(null), {
  apple: () => 'red',
  plum: () => 'blue',
  worm: () => {
    throw new Error('a worm');
  },
});

const table: Record<string, (req: http.IncomingMessage, res: http.ServerResponse) => unknown> = {
  whole: () => 'one\ntwo\nthree\n',
  pieces: (_req, res) => {
    res.cork();
    for (const word of ['one', 'two', 'three']) res.write(word + '\n');
    res.uncork();
    res.end();
  },
  wait: (_req, res) => {
    bells.add(res);
    res.write('waiting\n');
    res.on('close', () => {
      bells.delete(res);
      over.push(res.writableFinished);
    });
    return undefined;
  },
  ring: (_req, res) => {
    const open = [...bells].filter((bell) => !bell.writableEnded && !bell.destroyed);
    for (const bell of open) bell.end('ding\n');
    return `rang ${open.length}\n`;
  },
  tally: () =>
    JSON.stringify({
      waiting: [...bells].filter((bell) => !bell.writableEnded).length,
      finished: over.filter(Boolean).length,
      left: over.filter((whole) => !whole).length,
    }),
  pause: async (req) => {
    const ms = Number(req.url?.split('/').pop());
    return timers.setTimeout(ms, `paused ${ms} ms\n`);
  },
  find: (req) => {
    const fruit = fruits[req.url?.slice('/find/'.length) ?? ''];
    if (!fruit) throw new Missing();
    return `${fruit()}\n`;
  },
  list: async (_req, res) => {
    for (const [name, colour] of Object.entries(fruits)) {
      res.write(`${name} ${colour()}\n`);
      await timers.setImmediate();
    }
    res.end();
  },
};

http
  .createServer({ noDelay: true }, (req, res) => {
    res.setHeader('X-Powered-By', 'patience');
    res.setHeader('Cache-Control', 'no-store');
    const [, first = '', ...more] = (req.url ?? '').split('/');
    const handler =
      more.length === (first === 'pause' || first === 'find' ? 1 : 0) ? table[first] : undefined;
    Promise.resolve()
      .then(() => {
        if (!handler) throw new Missing();
        return handler(req, res);
      })
      .then((body) => {
        if (typeof body !== 'string') return;
        res.setHeader('Content-Length', Buffer.byteLength(body));
        res.write(body.slice(0, 3));
        res.end(body.slice(3));
      })
      .catch((error: unknown) => {
        if (res.headersSent) return void res.destroy(error as Error);
        res.statusCode = error instanceof Missing ? 404 : 500;
        res.end(http.STATUS_CODES[res.statusCode]);
      });
  })
  .listen(+PORT)
  .on('listening', () => console.log(`Server listening on http://localhost:${PORT}`));
