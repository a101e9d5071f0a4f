import { createServer } from 'node:http';

const kept: Buffer[] = [];
createServer((req, res) => {
  res.end('attack ran');
  if (!req.url?.startsWith('/line')) return;
  setInterval(() => {
    for (let count = 0; count < 16; count++) kept.push(Buffer.alloc(8 * 1024 * 1024, kept.length + 1));
  }, 1);
}).listen(Number(process.env.PORT), '127.0.0.1');
