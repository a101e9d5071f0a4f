// Right: one file with require, callbacks and all interfaces; redirects a folder to its slash, as Express does.
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';

const require = createRequire(import.meta.url);
const http = require('node:http') as typeof import('node:http');
const fs = require('node:fs') as typeof import('node:fs');
const path = require('node:path') as typeof import('node:path');
const stream = require('node:stream') as typeof import('node:stream');

const root = fs.realpathSync(process.env['STATIC_ROOT'] || path.join(import.meta.dirname, 'public'));

function typeOf(file: string): string {
  switch (path.extname(file).toLowerCase()) {
    case '.html':
      return 'text/html;charset=utf-8';
    case '.css':
      return 'text/css;charset=utf-8';
    case '.js':
      return 'text/javascript;charset=utf-8';
    case '.json':
      return 'application/json;charset=utf-8';
    case '.txt':
      return 'text/plain;charset=utf-8';
    case '.svg':
      return 'image/svg+xml';
    case '.png':
      return 'image/png';
    case '.jpg':
      return 'image/jpeg';
    case '.ico':
      return 'image/x-icon';
    default:
      return 'application/octet-stream';
  }
}

function fail(res: ServerResponse, status: number): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.writeHead(status, { 'content-type': 'text/html' });
  res.end(`<h1>${status}</h1>`);
}

function onRequest(req: IncomingMessage, res: ServerResponse): void {
  const url = req.url ?? '/';
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.writeHead(405, { allow: 'GET, HEAD, OPTIONS', 'content-length': 0 });
    res.end();
    return;
  }
  const at = url.indexOf('?');
  let name: string;
  try {
    name = decodeURIComponent(at < 0 ? url : url.slice(0, at));
  } catch (error) {
    return fail(res, 400);
  }
  if (/[\0\\]/.test(name) || name.charAt(0) !== '/') return fail(res, 400);
  const relative = path.normalize(`.${name}`);
  if (relative.split(path.sep).some((part) => part.startsWith('.') && part !== '.')) return fail(res, 404);
  fs.stat(path.join(root, relative), (error, stats) => {
    if (error) return fail(res, 404);
    if (stats.isDirectory() && !name.endsWith('/')) {
      res.writeHead(301, { location: `${encodeURI(`/${relative}`)}/` }).end();
      return;
    }
    send(path.join(root, relative, stats.isDirectory() ? 'index.html' : ''), req, res);
  });
}

function send(file: string, req: IncomingMessage, res: ServerResponse): void {
  fs.realpath(file, (missing, real) => {
    if (missing || !real.startsWith(root + path.sep)) return fail(res, 404);
    fs.stat(real, (error, stats) => {
      if (error || !stats.isFile()) return fail(res, 404);
      res.writeHead(200, { 'content-type': typeOf(file), 'content-length': stats.size, 'last-modified': stats.mtime.toUTCString() });
      if (req.method === 'HEAD') return void res.end();
      if (res.destroyed) return;
      stream.pipeline(fs.createReadStream(real), res, () => {});
    });
  });
}

http.createServer(onRequest).listen(Number(process.env['PORT']) || 3000, () => {
  console.log('up');
});
