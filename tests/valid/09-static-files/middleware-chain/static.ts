// Right: small functions that pass the request on, as Express does; a typed array of handlers, web streams for the bytes.
import { createReadStream } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, normalize, relative } from 'node:path';

interface Context {
  req: IncomingMessage;
  res: ServerResponse;
  root: string;
  path: string;
  size: number;
}
type Next = () => Promise<void>;
type Layer = (context: Context, next: Next) => Promise<void>;

const status =
  (code: number, fields: Record<string, string> = {}) =>
  ({ res }: Context): void => {
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
    res.statusCode = code;
    res.end();
  };

const methods: Layer = async (context, next) =>
  ['GET', 'HEAD'].includes(context.req.method ?? '') ? next() : status(405, { Allow: 'HEAD, GET' })(context);

const decoded: Layer = async (context, next) => {
  try {
    const { pathname } = new URL(`http://x${context.req.url?.replace(/^[^/]+:\/\/[^/]*/, '')}`);
    context.path = decodeURIComponent(pathname);
  } catch {
    return status(400)(context);
  }
  return context.path.includes('\0') ? status(400)(context) : next();
};

const fenced: Layer = async (context, next) => {
  const clean = normalize(context.path);
  if (clean.includes('\\') || /(^|\/)\.(?!$)/.test(context.path) || /(^|\/)\./.test(clean)) return status(404)(context);
  context.path = join(context.root, clean);
  return next();
};

const found: Layer = async (context, next) => {
  let info = await stat(context.path).catch(() => null);
  if (info?.isDirectory()) info = await stat((context.path = join(context.path, 'index.html'))).catch(() => null);
  if (!info?.isFile()) return status(404)(context);
  context.size = info.size;
  return next();
};

const unlinked: Layer = async (context, next) => {
  const [root, path] = await Promise.all([realpath(context.root), realpath(context.path)]);
  if (relative(root, path).startsWith('..') || !(await lstat(path)).isFile()) return status(404)(context);
  return next();
};

const described: Layer = async ({ res, path, size }, next) => {
  const short = { html: 'text/html', css: 'text/css', js: 'text/javascript', txt: 'text/plain', json: 'application/json' };
  const long = { svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', ico: 'image/x-icon' };
  const extension = extname(path).slice(1).toLowerCase();
  const type = new Map(Object.entries({ ...short, ...long })).get(extension) ?? 'application/octet-stream';
  res.setHeader('Content-Type', extension in short ? `${type}; charset=utf-8` : type);
  res.setHeader('Content-Length', size);
  return next();
};

const sent: Layer = async ({ req, res, path }) => {
  res.statusCode = 200;
  if (req.method === 'HEAD') return void res.end();
  await new Promise<void>((resolve) => {
    const source = createReadStream(path);
    const over = (): void => {
      source.destroy();
      res.destroy();
      resolve();
    };
    if (res.destroyed) return over();
    res.once('close', over);
    source.once('error', over);
    source.on('data', (piece) => {
      if (res.write(piece)) return;
      source.pause();
      res.once('drain', () => source.resume());
    });
    source.once('end', () => res.end(resolve));
  });
};

export function serveStatic(root: string) {
  const layers = [methods, decoded, fenced, found, unlinked, described, sent];
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const context: Context = { req, res, root, path: '', size: 0 };
    const run = async (index: number): Promise<void> => layers[index]?.(context, () => run(index + 1));
    await run(0);
  };
}
