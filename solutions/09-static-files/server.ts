/** Mounts static.ts on a folder: the one that STATIC_ROOT names, else `public/` beside this file. */
import { createServer } from 'node:http';
import { join } from 'node:path';
import { serveStatic } from './static.ts';

const files = serveStatic(process.env['STATIC_ROOT'] ?? join(import.meta.dirname, 'public'));

const server = createServer(async (req, res) => {
  try {
    await files(req, res);
  } catch (error) {
    console.error(error);
    if (res.headersSent) {
      res.destroy();
    } else {
      res.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' });
      res.end('500 Internal Server Error\n');
    }
  }
});

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
});
