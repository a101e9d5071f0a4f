// Wrong: an error of the stream is answered with a second head. (Y-06)
// Fails: step 6, answered-after-head
// Only: linux
import { createReadStream, realpath, realpathSync, stat } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream';

const root = realpathSync(process.env['STATIC_ROOT'] ?? join(import.meta.dirname, 'public'));

const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.ico', 'image/x-icon'],
]);

function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status).end(`${status}\n`);
}

function send(req: IncomingMessage, res: ServerResponse, path: string): void {
  stat(path, (error, stats) => {
    if (error) return refuse(res, 404);
    if (stats.isDirectory()) return send(req, res, join(path, 'index.html'));
    if (!stats.isFile()) return refuse(res, 404);
    realpath(path, (missing, real) => {
      if (missing || !real.startsWith(root + sep)) return refuse(res, 404);
      const type = types.get(extname(path).toLowerCase()) ?? 'application/octet-stream';
      res.writeHead(200, { 'Content-Type': type, 'Content-Length': stats.size });
      if (req.method === 'HEAD') return res.end();
      if (!res.destroyed) createReadStream(path).on('error', () => res.writeHead(500).end()).pipe(res);
    });
  });
}

const server = createServer((req, res) => {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('Allow', 'GET, HEAD');
    return refuse(res, 405);
  }
  let name: string;
  try {
    name = decodeURIComponent((req.url ?? '').split('?')[0] ?? '');
  } catch {
    return refuse(res, 400);
  }
  if (name.includes('\0')) return refuse(res, 400);
  if (name.includes('\\') || name.split('/').some((part) => part.startsWith('.'))) return refuse(res, 404);
  send(req, res, join(root, name));
});

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('Server listening'));
