// Right: ranges, ETag, Last-Modified and conditional requests on top; the file is opened without blocking and asked about afterwards.
import { constants, promises as fs } from 'node:fs';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES = Object.assign(Object.create(null) as Record<string, string>, {
  html: 'text/html;charset=utf-8', css: 'text/css;charset=utf-8', js: 'text/javascript;charset=utf-8', txt: 'text/plain;charset=utf-8',
  json: 'application/json', svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', ico: 'image/x-icon',
});

class Refusal extends Error {
  readonly status: number;
  readonly fields: Record<string, string>;
  constructor(status: number, fields: Record<string, string> = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.fields = fields;
  }
}

export function serveStatic(root: string) {
  return async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      await answer(root, req, res);
    } catch (error) {
      const { status, fields } = error instanceof Refusal ? error : new Refusal(500);
      if (res.headersSent || res.destroyed) res.destroy();
      else res.writeHead(status, fields).end();
    }
  };
}

async function answer(root: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (!/^(GET|HEAD)$/.test(req.method ?? '')) throw new Refusal(405, { allow: 'GET, HEAD' });
  const target = (req.url ?? '').replace(/^https?:\/\/[^/?#]*/i, '');
  if (!target.startsWith('/')) throw new Refusal(400);
  const [raw = ''] = target.split(/[?#]/);
  const parts = raw.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw new Refusal(400);
    }
  });
  // Each part is decoded alone: whoever hides a slash in one gets nothing.
  if (parts.some((part) => part.includes('\0'))) throw new Refusal(400);
  if (parts.some((part) => /[/\\]/.test(part) || part.startsWith('.'))) throw new Refusal(404);
  let file = path.join(root, ...parts);
  let handle: fs.FileHandle | undefined;
  try {
    handle = await open(file);
    if ((await handle.stat()).isDirectory()) {
      await handle.close();
      file = path.join(file, 'index.html');
      handle = await open(file);
    }
    const stats = await handle.stat();
    const [real, base] = await Promise.all([fs.realpath(file), fs.realpath(root)]);
    if (!stats.isFile() || path.relative(base, real).startsWith('..')) throw new Refusal(404);
    const tag = `"${stats.size.toString(36)}-${stats.mtimeMs.toString(36)}"`;
    res.setHeader('ETag', tag);
    res.setHeader('Last-Modified', stats.mtime.toUTCString());
    res.setHeader('Accept-Ranges', 'bytes');
    res.setHeader('Cache-Control', 'no-cache');
    res.setHeader('X-Content-Type-Options', 'nosniff');
    if (req.headers['if-none-match'] === tag) {
      res.writeHead(304).end();
      return;
    }
    res.setHeader('Content-Type', TYPES[path.extname(file).slice(1).toLowerCase()] ?? 'application/octet-stream');
    const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Math.min(Number(range[2]), stats.size - 1) : stats.size - 1;
    if (range) {
      if (start > end) throw new Refusal(416);
      res.statusCode = 206;
      res.setHeader('Content-Range', `bytes ${start}-${end}/${stats.size}`);
    }
    res.setHeader('Content-Length', Math.max(end - start + 1, 0));
    if (req.method === 'HEAD' || stats.size === 0) {
      res.end();
      return;
    }
    if (res.destroyed) return;
    const stream = handle.createReadStream({ start, end, autoClose: false });
    await pipeline(stream, res).catch(() => res.destroy());
  } finally {
    await handle?.close().catch(() => {});
  }
}

async function open(file: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new Refusal(/^(ENOENT|ENOTDIR|ENXIO|ELOOP|ENAMETOOLONG|EACCES)$/.test(code) ? 404 : 500);
  }
}
