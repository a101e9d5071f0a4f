// Wrong: looks for .. in the raw target, which spells it %2e%2e.
// Fails: step 3, decoded-after-check
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
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

    if ((req.url ?? '').split('?')[0]?.includes('..')) return refuse(res, 404);
    let name: string;
    try {
      name = decodeURIComponent((req.url ?? '').split('?')[0] ?? '');
    } catch {
      return refuse(res, 400);
    }
    if (name.includes('\0')) return refuse(res, 400);

    let path = join(root, name);

    let size: number;
    try {
      let stats = await stat(path);
      if (stats.isDirectory()) {
        path = join(path, 'index.html');
        stats = await stat(path);
      }
      if (!stats.isFile()) return refuse(res, 404);
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
    try {
      await pipeline(createReadStream(path), res);
    } catch {
      res.destroy();
    }
  };
}
