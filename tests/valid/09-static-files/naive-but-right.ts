// Right: a tutorial's guard against any "..", path.resolve and the separator, 403 for what is outside.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const mime: Record<string, string> = {
  html: 'text/html; charset=UTF-8',
  css: 'text/css; charset=UTF-8',
  js: 'text/javascript; charset=UTF-8',
  json: 'application/json',
  png: 'image/png',
  jpg: 'image/jpeg',
  svg: 'image/svg+xml',
  ico: 'image/vnd.microsoft.icon',
  txt: 'text/plain; charset=UTF-8',
};

export function serveStatic(root: string) {
  const base = path.resolve(root);
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const say = (status: number, text: string): void => {
      res.statusCode = status;
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ error: text }, null, 2));
    };
    if (!['GET', 'HEAD'].includes(String(req.method))) {
      res.setHeader('allow', 'HEAD,GET');
      return say(405, 'method not allowed');
    }
    let wanted: string;
    try {
      wanted = decodeURIComponent(String(req.url).replace(/\?.*$/s, ''));
    } catch {
      return say(400, 'bad escape');
    }
    if (wanted.includes('\0')) return say(400, 'bad name');
    if (wanted.includes('..') || wanted.includes('\\')) return say(403, 'forbidden');
    if (wanted.split('/').some((part) => part[0] === '.')) return say(403, 'forbidden');
    let full = path.resolve(base, `./${wanted}`);
    if (full !== base && !full.startsWith(base + path.sep)) return say(403, 'forbidden');
    try {
      if ((await stat(full)).isDirectory()) full = path.join(full, 'index.html');
      const real = await realpath(full);
      const realBase = await realpath(base);
      if (path.relative(realBase, real).startsWith('..')) return say(403, 'forbidden');
      const info = await stat(real);
      if (!info.isFile()) return say(404, 'not found');
      const extension = path.extname(real).slice(1).toLowerCase();
      res.setHeader('content-type', Object.hasOwn(mime, extension) ? (mime[extension] ?? '') : 'application/octet-stream');
      res.setHeader('content-length', info.size);
      full = real;
    } catch {
      return say(404, 'not found');
    }
    if (req.method === 'HEAD' || res.destroyed) {
      res.end();
      return;
    }
    await pipeline(createReadStream(full), res).catch(() => res.destroy());
  };
}
