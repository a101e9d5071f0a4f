import { createServer } from 'node:http';

const line = 'x'.repeat(64 * 1024) + '\n';
createServer((_req, res) => {
  res.end('attack ran');
  const flood = (): void => {
    while (process.stdout.write(line));
    process.stdout.once('drain', flood);
  };
  flood();
}).listen(Number(process.env.PORT), '127.0.0.1');
