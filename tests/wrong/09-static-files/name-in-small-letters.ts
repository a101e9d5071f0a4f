// Wrong: turns the whole name into small letters.
// Fails: step 2, name-case
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.ico': 'image/x-icon',
};

function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status).end(`${status}\n`);
}

export function serveStatic(root: string) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      return refuse(res, 405);
    }

    let name: string;
    try {
      const url = new URL(req.url?.startsWith('/') ? `http://localhost${req.url}` : (req.url ?? ''));
      name = decodeURIComponent(url.pathname).toLowerCase();
    } catch {
      return refuse(res, 400);
    }
    if (name.includes('\0')) return refuse(res, 400);

    if (name.includes('\\') || name.split('/').some((part) => part.startsWith('.'))) return refuse(res, 404);
    let path = join(root, name);

    let size: number;
    try {
      let stats = await stat(path);
      if (stats.isDirectory()) {
        path = join(path, 'index.html');
        stats = await stat(path);
      }
      if (!stats.isFile()) return refuse(res, 404);
      if (!(await realpath(path)).startsWith((await realpath(root)) + sep)) return refuse(res, 404);
      size = stats.size;
    } catch {
      return refuse(res, 404);
    }

    const type = types[extname(path).toLowerCase()] ?? 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Length': size };
    if (req.method === 'HEAD') {
      res.writeHead(200, headers).end();
      return;
    }

    if (res.destroyed) return;
    res.writeHead(200, headers);
    await pipeline(createReadStream(path), res).catch(() => {});
  };
}
