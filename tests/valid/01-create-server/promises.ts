// Right: async functions, and an answer that comes later.
import { once } from 'node:events';
import * as http from 'node:http';
import { setImmediate } from 'node:timers/promises';

const text: string = process.env.PORT ?? '3000';
if (String(Number(text)) !== text || !Number.isInteger(Number(text)) || Number(text) < 0 || Number(text) > 65535) {
  console.error('Set PORT to a whole number between 0 and 65535');
  process.exit(1);
}

const server = http.createServer(async (req, res) => {
  for await (const _chunk of req) { /* the body is read and not used */ }
  await setImmediate();
  res.writeHead(200, { 'CONTENT-TYPE': 'text/plain; charset="utf-8"' }).end('Hello, HTTP!\r\n');
});
server.on('request', async (req) => {
  await setImmediate();
  console.log([req.method, req.url].join(' '));
});
server.listen(Number(text), '0.0.0.0');
await once(server, 'listening');
const where = server.address();
if (where && typeof where === 'object') console.log('Server listening on http://localhost:' + where.port);
