// Right: no http module at all: the bytes of every response are written by hand on a net.Socket, and requests on one
// connection are answered strictly one after the other.
import net from 'node:net';

const waiting = new Map<net.Socket, () => void>();
let finished = 0;
let left = 0;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const reasons: Record<number, string> = {
  200: 'OK',
  404: 'Not Found',
  500: 'Internal Server Error',
};

function head(status: number, framing: string, ...more: string[]): string {
  return [`HTTP/1.1 ${status} ${reasons[status]}`, framing, ...more, '', ''].join('\r\n');
}

const whole = (socket: net.Socket, status: number, body: string): void =>
  void socket.write(
    head(status, `content-length: ${Buffer.byteLength(body)}`, 'x-made-by: hand') + body,
  );

async function colour(name: string): Promise<string | null> {
  await pause(1);
  if (name === 'worm') throw new Error('worm');
  return new Map([['apple', 'red'], ['plum', 'blue']]).get(name) ?? null;
}

async function answer(socket: net.Socket, target: string): Promise<void> {
  const [, first = '', second = '', ...more] = target.split('/');
  if (target === '/whole') return whole(socket, 200, 'one\ntwo\nthree\n');
  if (target === '/pieces') {
    socket.write(
      head(200, 'transfer-encoding: chunked') + chunk('one\n') + chunk('two\nthree\n') + chunk(''),
    );
  } else if (target === '/wait') {
    socket.write(head(200, 'transfer-encoding: chunked') + chunk('waiting\n'));
    await new Promise<void>((resolve) => {
      waiting.set(socket, resolve);
      socket.once('close', resolve);
    });
    if (waiting.delete(socket)) left += 1;
  } else if (target === '/ring') {
    const all = [...waiting];
    waiting.clear();
    for (const [other, resolve] of all) {
      other.write(chunk('ding\n') + chunk(''), () => finished++);
      resolve();
    }
    whole(socket, 200, `rang ${all.length}\n`);
  } else if (target === '/tally') {
    whole(socket, 200, JSON.stringify({ waiting: waiting.size, finished, left }));
  } else if (first === 'pause' && more.length === 0) {
    await pause(Number(second));
    whole(socket, 200, `paused ${second} ms\n`);
  } else if (first === 'find' && more.length === 0) {
    const found = await colour(second).catch(() => undefined);
    if (found === undefined) whole(socket, 500, 'broken');
    else if (found === null) whole(socket, 404, 'missing');
    else whole(socket, 200, `${found}\n`);
  } else if (target === '/list') {
    socket.write(head(200, 'transfer-encoding: chunked'));
    for (const name of ['apple', 'plum', 'worm']) {
      const found = await colour(name).catch(() => undefined);
      if (found === undefined) return void socket.destroy();
      socket.write(chunk(`${name} ${found}\n`));
    }
  } else {
    whole(socket, 404, '');
  }
}

const server = net.createServer((socket) => {
  let text = '';
  let turn = Promise.resolve();
  socket.on('error', () => {});
  socket.on('data', (data) => {
    text += data.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const [line = '', ...fields] = text.slice(0, end).split('\r\n');
      text = text.slice(end + 4);
      const last = fields.some((field) => /^connection:\s*close$/i.test(field));
      turn = turn.then(async () => {
        await answer(socket, line.split(' ')[1] ?? '');
        if (last) socket.end();
      });
    }
  });
});

server.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);
});
