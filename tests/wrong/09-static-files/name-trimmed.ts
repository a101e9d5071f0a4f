// Wrong: blanks at the ends of a name are cut off.
// Fails: step 4, name-mended
import { open, realpath, stat } from 'node:fs/promises';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.ico': 'image/x-icon',
};

function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end(`${status} ${STATUS_CODES[status]}\n`);
}
const gone = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'ENXIO']);

function read(target: string): string {
  const path = target.split('?', 1)[0] ?? '';
  if (!path.startsWith('/')) throw 400;
  let name: string;
  try { name = decodeURIComponent(path).trim(); } catch { throw 400; }
  if (name.includes('\0')) throw 400;
  if (name.includes('\\')) throw 404;
  if (name.split('/').some((part) => part.startsWith('.'))) throw 404;
  return name;
}

async function find(root: string, name: string): Promise<{ path: string; size: number }> {
  try {
    const base = await realpath(root);
    let path = await realpath(join(base, name));
    if ((await stat(path)).isDirectory()) path = await realpath(join(path, 'index.html'));
    const info = await stat(path);
    if (!info.isFile() || !path.startsWith(base + sep)) throw 404;
    return { path, size: info.size };
  } catch (error) {
    if (typeof error === 'number' || !gone.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw 404;
  }
}

export function serveStatic(root: string): Handler {
  return async (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      refuse(res, 405);
      return;
    }
    try {
      const name = read(req.url ?? '');
      const { path, size } = await find(root, name);
      const headers = { 'Content-Type': types[extname(name.endsWith('/') ? path : path).toLowerCase()] ?? 'application/octet-stream', 'Content-Length': size };
      if (req.method === 'HEAD') {
        res.writeHead(200, headers).end();
        return;
      }
      const file = await open(path).catch((error) => { throw error.code === 'EACCES' ? 404 : error; });
      if (res.destroyed) { await file.close(); return; }
      res.writeHead(200, headers);
      await pipeline(file.createReadStream(), res).catch(() => {});
    } catch (error) {
      if (typeof error !== 'number') throw error;
      refuse(res, error);
    }
  };
}
