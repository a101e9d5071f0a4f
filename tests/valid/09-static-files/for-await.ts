// Right: for await over the stream, write and drain; the folder is asked for with relative(); errors are thrown and mapped.
import { createReadStream, promises as fs } from 'fs';
import type { IncomingMessage, ServerResponse } from 'http';
import { extname, isAbsolute, posix, relative, resolve } from 'path';
import { once } from 'events';

class Status extends Error {
  code: number;
  constructor(code: number) {
    super(`status ${code}`);
    this.code = code;
  }
}

const types = Object.assign(Object.create(null) as Record<string, string>, {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  ico: 'image/x-icon',
});

const inside = (root: string, path: string): boolean => {
  const way = relative(root, path);
  return !way.startsWith('..') && !isAbsolute(way);
};

async function locate(root: string, url: string): Promise<[string, number]> {
  const { pathname } = new URL(posix.join('/', url.startsWith('/') ? url : '/'), 'http://any.invalid');
  let name;
  try {
    name = decodeURIComponent(pathname);
  } catch {
    throw new Status(400);
  }
  if (name.indexOf('\0') !== -1) throw new Status(400);
  const path = resolve(root, `.${name}`);
  if (!inside(root, path) || name.includes('\\') || relative(root, path).split(/[\\/]/).some((p) => p.startsWith('.'))) throw new Status(404);
  for (const candidate of [path, resolve(path, 'index.html')]) {
    const stats = await fs.stat(candidate).catch(() => null);
    if (!stats || stats.isDirectory()) continue;
    if (!stats.isFile() || !inside(await fs.realpath(root), await fs.realpath(candidate))) break;
    return [candidate, stats.size];
  }
  throw new Status(404);
}

export function serveStatic(root: string) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    try {
      if (req.method !== 'GET' && req.method !== 'HEAD') throw new Status(405);
      const [path, size] = await locate(root, req.url ?? '/');
      res.writeHead(200, {
        'Content-Type': types[extname(path).slice(1).toLowerCase()] ?? 'application/octet-stream',
        'Content-Length': size,
        'Cache-Control': 'no-cache',
      });
      if (req.method === 'HEAD') return void res.end();
      for await (const chunk of createReadStream(path)) {
        if (res.destroyed) break;
        if (!res.write(chunk)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      }
      res.end();
    } catch (error) {
      if (res.headersSent) return void res.destroy();
      const code = error instanceof Status ? error.code : 500;
      res.writeHead(code, code === 405 ? { Allow: 'GET, HEAD' } : {});
      res.end(String(code));
    }
  };
}
