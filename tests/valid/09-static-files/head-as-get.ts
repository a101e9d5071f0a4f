// Right: HEAD runs the same way as GET, stream and all: Node leaves the body out. AbortController ends the reading.
import { createReadStream, lstatSync, realpathSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const text = ['html', 'css', 'plain', 'javascript'];
const table = new Map([['.html', 'text/html'], ['.css', 'text/css'], ['.js', 'text/javascript'], ['.txt', 'text/plain'], ['.json', 'application/json'], ['.svg', 'image/svg+xml'], ['.png', 'image/png'], ['.jpg', 'image/jpeg'], ['.ico', 'image/x-icon']]);

export function serveStatic(root: string) {
  const inside = (file: string): boolean => (realpathSync(file) + sep).startsWith(realpathSync(root) + sep);
  const lookUp = (name: string): { file: string; size: number } | undefined => {
    try {
      let file = join(root, name);
      lstatSync(file);
      if (!inside(file)) return undefined;
      if (statSync(file).isDirectory()) file = join(file, 'index.html');
      const stats = statSync(file);
      return inside(file) && stats.isFile() ? { file, size: stats.size } : undefined;
    } catch {
      return undefined;
    }
  };
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    req.resume();
    await new Promise((resolve) => setTimeout(resolve, 20)); // a slow disk
    const end = (status: number, more: Record<string, string> = {}): void => {
      const body = `<!doctype html><title>${status}</title>`;
      res.writeHead(status, { 'Content-Length': String(body.length), 'Content-Type': 'text/html', ...more });
      res.end(body);
    };
    const method = req.method?.toUpperCase();
    if (method === 'OPTIONS') return void res.writeHead(204, { Allow: 'GET, HEAD, OPTIONS' }).end();
    if (method !== 'GET' && method !== 'HEAD') return end(405, { Allow: 'OPTIONS, HEAD, GET' });
    const m = /^(?:http:\/\/[^/]+)?(\/[^?]*)/.exec(req.url ?? '');
    let name: string | undefined;
    try {
      name = m?.[1] === undefined ? undefined : decodeURIComponent(m[1]);
    } catch {
      name = undefined;
    }
    if (name === undefined || name.includes('\u0000')) return end(400);
    if (name.split(/[/\\]/).some((part) => part.startsWith('.')) || name.includes('\\')) return end(404);
    const found = lookUp(name);
    if (!found) return end(404);
    const type = table.get(extname(found.file).toLowerCase()) ?? 'application/octet-stream';
    const charset = text.includes(type.split('/')[1] ?? '') ? '; charset=utf-8' : '';
    const controller = new AbortController();
    res.once('close', () => controller.abort());
    if (res.destroyed) return;
    const stream = createReadStream(found.file, { signal: controller.signal });
    stream.once('error', () => {});
    try {
      await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject));
    } catch {
      return end(500);
    }
    res.setHeader('Content-Length', found.size);
    res.setHeader('Content-Type', type + charset);
    await pipeline(stream, res).catch(() => stream.destroy());
  };
}
