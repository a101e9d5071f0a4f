// Right: a web stream of the file, read chunk by chunk with a reader, and once(res, 'drain') with a signal.
import { once } from 'node:events';
import { open, opendir, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { extname, join, relative, isAbsolute } from 'node:path';

const T: Record<string, string> = { __proto__: null as never, '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.txt': 'text/plain; charset=utf-8', '.json': 'application/json; charset=utf-8', '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg', '.ico': 'image/x-icon' };

/** Walks down from the root, asking each folder whether it has an entry of exactly this name. */
async function walk(root: string, parts: string[]): Promise<string | undefined> {
  let at = root;
  let kind: 'folder' | 'file' = 'folder';
  for (const part of parts.filter(Boolean)) {
    if (kind === 'file' || part.startsWith('.') || part.includes('\\')) return undefined;
    let hit;
    for await (const entry of await opendir(at)) if (entry.name === part) hit = entry;
    if (!hit || (!hit.isFile() && !hit.isDirectory())) return undefined; // links, pipes and sockets
    kind = hit.isFile() ? 'file' : 'folder';
    at = join(at, part);
  }
  return kind === 'file' ? at : walk(at, ['index.html']);
}

export function serveStatic(root: string) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const say = (code: number): void => void res.writeHead(code, { 'Content-Length': 0 }).end();
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'HEAD, GET');
      return say(405);
    }
    let path: string;
    try {
      path = decodeURIComponent(/^[^?#]*/.exec(req.url ?? '')?.[0] ?? '');
    } catch {
      return say(400);
    }
    if (!path.startsWith('/') || path.includes('\0')) return say(400);
    const file = await walk(root, path.split('/'));
    if (file === undefined) return say(404);
    const way = relative(await realpath(root), await realpath(file));
    if (way.startsWith('..') || isAbsolute(way)) return say(404);
    let handle;
    try {
      handle = await open(file);
    } catch {
      return say(404);
    }
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    try {
      if (res.destroyed) return;
      const { size } = await handle.stat();
      res.setHeader('Content-Type', T[extname(file).toLowerCase()] ?? 'application/octet-stream').setHeader('Content-Length', size);
      if (req.method === 'HEAD') return void res.end();
      const reader = Readable.toWeb(handle.createReadStream({ autoClose: false })).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || res.destroyed) break;
        if (!res.write(value as Uint8Array)) await once(res, 'drain', { signal: gone.signal });
      }
      if (res.destroyed) await reader.cancel();
      res.end();
    } catch {
      res.destroy();
    } finally {
      await handle.close();
    }
  };
}
