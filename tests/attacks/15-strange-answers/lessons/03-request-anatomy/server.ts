import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';

const line = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const right = JSON.stringify({ attack: 'ran', method: 'GET', q: null, tags: [], page: 1 });
const many = (count: number, text: string): string => Array.from({ length: count }, () => text).join('');
let turn = 0;
createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => {
    const forms: (() => void)[] = [
      () => void socket.end(`${line}\r\n{"attack":"ran"}`),
      () => void socket.end(Buffer.concat([Buffer.from(`${line}Content-Encoding: gzip\r\n\r\n`), gzipSync(right)])),
      () => void socket.end(`${line}${many(2000, `X-${many(30, 'a')}: ${many(30, 'b')}\r\n`)}\r\n${right}`),
      () => void socket.end(`${many(5000, 'HTTP/1.1 103 Early Hints\r\n\r\n')}${line}\r\n${right}`),
      () => void socket.end(`${line}Content-Length: ${many(400, '9')}\r\n\r\n${right}`),
      () => void socket.end(`${line}Content-Length: 5\r\nContent-Length: -1\r\nTransfer-Encoding: chunked\r\n\r\n${many(300, 'f')}\r\n${right}`),
      () => void socket.end(`${line}Transfer-Encoding: chunked\r\n\r\n${many(3000, '1;x=y\r\n{\r\n')}0\r\n\r\n`),
      () => void socket.end(`${line}__proto__: x\r\nconstructor: y\r\ntoString: z\r\n\r\n{"attack":"ran","toString":1,"hasOwnProperty":2,"then":3,"length":1e999}`),
      () => void socket.end(`${line}\r\n${many(20_000, '[')}`),
      () => void socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: attack\r\n\r\nran'),
      () => {
        socket.write(`${line}\r\n`);
        const flood = (): void => {
          while (!socket.destroyed && socket.write(many(64, right)));
        };
        socket.on('drain', flood);
        flood();
      },
    ];
    forms[turn++ % forms.length]?.();
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
