// Right: one switch, callbacks and timers only, no promise anywhere; listens on every interface.
import http from 'node:http';

const waiting: http.ServerResponse[] = [];
const counts = { finished: 0, left: 0 };

function lookUp(name: string, callback: (error: Error | null, colour?: string) => void): void {
  setTimeout(() => {
    if (name === 'worm') callback(new Error('worm'));
    else if (name === 'apple') callback(null, 'red');
    else if (name === 'plum') callback(null, 'blue');
    else callback(null);
  }, 1);
}

function text(res: http.ServerResponse, status: number, body: string): void {
  res.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length });
  res.end(body);
}

function list(res: http.ServerResponse, names: string[]): void {
  const [name, ...rest] = names;
  if (name === undefined) {
    res.end();
    return;
  }
  lookUp(name, (error, colour) => {
    if (error) {
      res.destroy(error);
      return;
    }
    res.write(`${name} ${colour}\n`, () => list(res, rest));
  });
}

http
  .createServer((req, res) => {
    const url = req.url ?? '';
    switch (url) {
      case '/whole':
        return text(res, 200, 'one\ntwo\nthree\n');
      case '/pieces':
        res.writeHead(200);
        res.write('one\n');
        res.write('two\n');
        res.write('three\n');
        res.end();
        return;
      case '/wait':
        res.writeHead(200, { 'Content-Type': 'text/plain' });
        res.write('waiting\n');
        waiting.push(res);
        res.once('close', () => {
          const at = waiting.indexOf(res);
          if (at !== -1) waiting.splice(at, 1);
          counts[res.writableFinished ? 'finished' : 'left']++;
        });
        return;
      case '/ring': {
        const rung = waiting.splice(0);
        for (const other of rung) {
          other.write('ding\n');
          other.end();
        }
        return text(res, 200, `rang ${rung.length}\n`);
      }
      case '/tally':
        return text(
          res,
          200,
          JSON.stringify(
            { left: counts.left, finished: counts.finished, waiting: waiting.length },
            null,
            2,
          ),
        );
      case '/list':
        return list(res, ['apple', 'plum', 'worm']);
    }
    const pause = /^\/pause\/(\d+)$/.exec(url);
    if (pause) {
      setTimeout(() => text(res, 200, `paused ${pause[1]} ms\n`), Number(pause[1]));
      return;
    }
    const find = /^\/find\/(.+)$/.exec(url);
    if (!find) return text(res, 404, '');
    lookUp(find[1] ?? '', (error, colour) => {
      if (error) text(res, 500, 'oops');
      else if (colour === undefined) text(res, 404, 'nope');
      else text(res, 200, `${colour}\n`);
    });
  })
  .listen(process.env.PORT || 3000, function () {
    console.log('Server listening on http://localhost:' + (process.env.PORT || 3000));
  });
