// Right: no handler is given to createServer; both listeners are added with on.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const wish = process.env['PORT'] ?? '3000';
const port = Number(wish);
if (wish.trim() !== wish || !/^[0-9]+$/.test(wish) || port > 0xffff) {
  process.stderr.write('The environment variable PORT is not a port number.\n');
  process.exitCode = 1;
} else {
  const server = createServer();
  server.on('request', (req) => void process.stdout.write(req.method + ' ' + req.url + '\r\n'));
  server.on('request', (_req, res) => {
    res.statusCode = 200;
    res.setHeader('content-type', 'text/plain;charset=UTF-8');
    res.write('Hello, ');
    res.write('HTTP!');
    res.end();
  });
  server.on('listening', () => {
    process.stdout.write(`Server listening on http://localhost:${(server.address() as AddressInfo).port}\n`);
  });
  server.listen({ port });
}
