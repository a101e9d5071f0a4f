// Right: the pauses come from AbortSignal.timeout; a failed list is cut once its lines have left; every response has a time limit
// of its own that nobody reaches.
import http from 'node:http';

type Res = http.ServerResponse<http.IncomingMessage>;
const state = { waiting: new Map<symbol, Res>(), finished: 0, left: 0 };

const over = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    AbortSignal.timeout(ms).addEventListener('abort', () => resolve(), { once: true });
  });

const fruit = (name: string): Promise<string> =>
  new Promise((resolve, reject) => {
    process.nextTick(() => {
      if (name === 'apple') resolve('red');
      else if (name === 'plum') resolve('blue');
      else reject(new Error(name === 'worm' ? 'worm' : 'missing'));
    });
  });

const say = (res: Res, status: number, text: string): Res => {
  res.statusCode = status;
  return res.end(text);
};

const server = http.createServer({ requestTimeout: 0 }, function (this: http.Server, req, res) {
  res.setTimeout(60_000, () => res.destroy());
  const path = String(req.url);
  if (path === '/whole') say(res, 200, ['one', 'two', 'three', ''].join('\n'));
  else if (path === '/pieces') {
    res.writeHead(200, undefined, { 'Transfer-Encoding': 'chunked' });
    for (const line of ['one\n', 'two\n', 'three\n']) res.write(line);
    res.end();
  } else if (path === '/wait') {
    const key = Symbol('waiter');
    state.waiting.set(key, res);
    let whole = false;
    res.once('finish', () => (whole = true));
    res.once('close', () => {
      if (whole) state.finished++;
      else if (state.waiting.delete(key)) state.left++;
    });
    res.write(new TextEncoder().encode('waiting\n'));
  } else if (path === '/ring') {
    let count = 0;
    for (const [key, waiter] of state.waiting) {
      state.waiting.delete(key);
      waiter.end('ding\n');
      count++;
    }
    say(res, 200, `rang ${count}\n`);
  } else if (path === '/tally') {
    say(res, 200, JSON.stringify({ ...state, waiting: state.waiting.size }));
  } else if (path.match(/^\/pause\/\d+$/)) {
    const ms = Number(path.split('/')[2]);
    void over(ms).then(() => say(res, 200, `paused ${ms} ms\n`));
  } else if (path.startsWith('/find/')) {
    fruit(path.replace('/find/', '')).then(
      (colour) => say(res, 200, colour + '\n'),
      (error: Error) => say(res, error.message === 'missing' ? 404 : 500, error.message),
    );
  } else if (path === '/list') {
    (async () => {
      for (const name of ['apple', 'plum', 'worm']) {
        res.write(`${name} ${await fruit(name)}\n`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      res.end();
    })().catch(() => req.socket.destroySoon());
  } else say(res, 404, '');
});

server.listen({ port: process.env.PORT ?? 3000 }, () =>
  console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`),
);
