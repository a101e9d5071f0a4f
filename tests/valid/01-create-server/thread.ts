// Right: the server runs in a thread of its own.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, Worker } from 'node:worker_threads';

const text = process.env.PORT ?? '3000';

if (isMainThread) {
  if (!/^\d+$/.test(text) || Number(text) > 65535) {
    console.error(`The PORT "${text}" is none.`);
    process.exit(1);
  }
  new Worker(new URL(import.meta.url));
} else {
  const server = http.createServer((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Hello, HTTP!\n');
  });
  server.on('request', (req) => console.log(`${req.method} ${req.url}`));
  server.listen(Number(text), '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    console.log(`Server listening on http://localhost:${port}`);
  });
}
