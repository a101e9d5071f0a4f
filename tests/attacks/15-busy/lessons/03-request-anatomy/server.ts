import { createServer } from 'node:http';

createServer((_req, res) => {
  res.end('attack ran');
}).listen(Number(process.env.PORT), '127.0.0.1');
for (;;);
