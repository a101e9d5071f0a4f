// Right: small files are kept in memory as long as their time and size are the same; big ones are streamed.
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, parse, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const types: [RegExp, string][] = [
  [/^\.html$/i, 'text/html; charset=utf-8'],
  [/^\.css$/i, 'text/css; charset=utf-8'],
  [/^\.js$/i, 'text/javascript; charset=utf-8'],
  [/^\.json$/i, 'application/json'],
  [/^\.txt$/i, 'text/plain; charset=utf-8'],
  [/^\.svg$/i, 'image/svg+xml'],
  [/^\.png$/i, 'image/png'],
  [/^\.jpg$/i, 'image/jpeg'],
  [/^\.ico$/i, 'image/x-icon'],
];

export function serveStatic(root: string) {
  const kept = new Map<string, { stamp: string; content: Buffer }>();
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const close = (status: number, headers = {}): void => {
      res.writeHead(status, headers).end(`${status}\n`);
    };
    if (req.method !== 'GET' && req.method !== 'HEAD') return close(405, { Allow: 'GET, HEAD' });
    const match = /^(?:https?:\/\/[^/?]*)?(\/[^?]*)/.exec(req.url ?? '');
    if (!match?.[1] || /%(?![0-9a-f]{2})|%00/i.test(match[1])) return close(400);
    let name: string;
    try {
      name = decodeURIComponent(match[1]);
    } catch {
      return close(400);
    }
    if (/(^|[/\\])\./.test(name) || name.includes('\\')) return close(404);
    let path = join(root, name.endsWith('/') ? `${name}index.html` : name);
    let stats = await stat(path).catch(() => undefined);
    if (stats?.isDirectory()) stats = await stat((path = join(path, 'index.html'))).catch(() => undefined);
    if (!stats?.isFile()) return close(404);
    const [real, base] = await Promise.all([realpath(path), realpath(root)]);
    if (real.slice(0, base.length + 1) !== base + sep) return close(404);
    const type = types.find(([pattern]) => pattern.test(parse(path).ext))?.[1] ?? 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Length': stats.size, ETag: `"${stats.mtimeMs}-${stats.size}"` };
    if (req.method === 'HEAD') return void res.writeHead(200, headers).end();
    if (stats.size < 20_000) {
      const stamp = `${stats.mtimeMs}/${stats.size}/${stats.ino}`;
      const found = kept.get(real);
      const content = found?.stamp === stamp ? found.content : await readFile(real);
      kept.set(real, { stamp, content });
      res.writeHead(200, { ...headers, 'Content-Length': content.length }).end(content);
      return;
    }
    if (res.destroyed) return;
    res.writeHead(200, headers);
    await pipeline(createReadStream(real), res).catch(() => {});
  };
}
