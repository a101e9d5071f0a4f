// Right: asks lstat about every part of the path, and refuses each link, those inside the root too.
import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream';

const utf8 = '; charset=utf-8';
const types = new Map([
  ['.html', `text/html${utf8}`],
  ['.css', `text/css${utf8}`],
  ['.js', `text/javascript${utf8}`],
  ['.json', `application/json${utf8}`],
  ['.txt', `text/plain${utf8}`],
  ['.svg', `image/svg+xml${utf8}`],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.ico', 'image/x-icon'],
]);

/** The path of the parts below the root, or null where one of them is missing or a link. */
async function walk(root: string, parts: string[]): Promise<{ path: string; size: number } | null> {
  let path = root;
  for (let depth = 0; ; depth++) {
    const stats = await lstat(path).catch(() => null);
    if (!stats || (depth > 0 && stats.isSymbolicLink())) return null;
    if (depth === parts.length) {
      if (stats.isFile()) return { path, size: stats.size };
      if (!stats.isDirectory()) return null;
      const index = join(path, 'index.html');
      const found = await lstat(index).catch(() => null);
      return found?.isFile() ? { path: index, size: found.size } : null;
    }
    path = join(path, parts[depth] ?? '');
  }
}

export const serveStatic =
  (root: string) =>
  async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const end = (status: number): void => void res.writeHead(status, { Connection: 'close' }).end();
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('ALLOW', ['GET', 'HEAD']);
      return end(405);
    }
    const [path = ''] = (req.url ?? '').split('?');
    let parts: string[];
    try {
      parts = path.split('/').filter(Boolean).map(decodeURIComponent);
    } catch {
      return end(400);
    }
    if (parts.some((part) => part.includes('\0'))) return end(400);
    if (parts.some((part) => part.startsWith('.') || /[/\\]/.test(part))) return end(404);
    const found = await walk(root, parts);
    if (!found) return end(404);
    const type = types.get(extname(found.path).toLowerCase()) ?? 'application/octet-stream';
    res.writeHead(200, 'Here you are', { 'CONTENT-TYPE': type, 'CONTENT-LENGTH': `${found.size}` });
    if (req.method === 'HEAD') return void res.end();
    if (!res.closed && !res.destroyed) pipeline(createReadStream(found.path, { highWaterMark: 1024 * 1024 }), res, () => {});
  };
