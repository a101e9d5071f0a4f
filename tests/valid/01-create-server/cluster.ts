// Right: the first process only forks another, which answers; the port belongs to both.
import cluster from 'node:cluster';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const text = process.env.PORT ?? '3000';

if (cluster.isPrimary) {
  if (!/^\d+$/.test(text) || Number(text) > 65535) {
    console.error(`PORT is to be a whole number up to 65535, and is "${text}".`);
    process.exit(1);
  }
  cluster.fork().on('exit', (code) => process.exit(code));
} else {
  const server = http.createServer((_req, res) => {
    res.setHeader('CONTENT-TYPE', 'text/plain;charset="utf-8"');
    res.end(Buffer.from('Hello, HTTP!\n'));
  });
  server.on('request', ({ method, url }) => console.log(`${method} ${url}`));
  server.listen(Number(text), '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    console.log(`Server listening on http://localhost:${port}`);
  });
}
