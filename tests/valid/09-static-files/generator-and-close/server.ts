// Right: an async generator over a FileHandle, header fields as a flat array, and every connection closed after its answer.
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { open, readdir, realpath, type FileHandle } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const ROOT = process.env['STATIC_ROOT'] || fileURLToPath(new URL('./public', import.meta.url));

const TYPES = `
html text/html; charset=utf-8
css  text/css; charset=utf-8
js   text/javascript; charset=utf-8
txt  text/plain; charset=utf-8
json application/json; charset=utf-8
svg  image/svg+xml
png  image/png
jpg  image/jpeg
ico  image/x-icon
`;
const typeOf = (name: string): string =>
  new RegExp(`^${extname(name).slice(1).replace(/\W/g, '.').toLowerCase() || '-'} +(.+)$`, 'm').exec(TYPES)?.[1] ?? 'application/octet-stream';

async function* pieces(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(Math.min(size - at, 1 << 17)), position: at });
    if (bytesRead === 0) throw new Error('the file shrank');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Goes down from the root, only ever into what a folder's own list names. */
async function descend(parts: string[]): Promise<string | null> {
  let path = await realpath(ROOT);
  for (const [index, part] of parts.entries()) {
    const entries = await readdir(path, { withFileTypes: true });
    const entry = entries.find(({ name }) => name === part);
    const last = index === parts.length - 1;
    if (!entry || part.startsWith('.')) return null;
    if (last ? !entry.isFile() && !entry.isDirectory() : !entry.isDirectory()) return null;
    path = join(path, part);
    if (last && entry.isFile()) return path;
  }
  const index = (await readdir(path, { withFileTypes: true })).find(({ name }) => name === 'index.html');
  return index?.isFile() ? path + sep + index.name : null;
}

async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
  res.shouldKeepAlive = false;
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.writeHead(405, 'Nope', ['Allow', 'GET, HEAD', 'Content-Length', '0']).end();
    return;
  }
  let parts: string[];
  try {
    parts = decodeURIComponent(req.url!.match(/^[^?]*/)![0]).split('/').filter((part) => part !== '');
  } catch {
    res.writeHead(400).end();
    return;
  }
  if (parts.join('').includes('\0')) return void res.writeHead(400).end();
  const path = await descend(parts);
  if (path === null) return void res.writeHead(404, ['X-Why', 'not listed']).end(`Nothing at ${encodeURI(req.url!)}`);
  await using(await open(path), async (file) => {
    const { size } = await file.stat();
    res.writeHead(200, ['CONTENT-LENGTH', String(size), 'content-type', typeOf(path), 'Vary', 'Accept']);
    if (req.method === 'HEAD' || res.destroyed) return void res.end();
    await pipeline(Readable.from(pieces(file, size), { objectMode: false }), res);
  });
}

async function using<T extends { close(): Promise<void> }>(thing: T, use: (thing: T) => Promise<void>): Promise<void> {
  try {
    await use(thing);
  } finally {
    await thing.close();
  }
}

const server = new http.Server({ noDelay: true });
server.addListener('request', (req, res) => {
  respond(req, res).catch(() => {
    if (!res.headersSent) res.writeHead(500).end();
    else res.destroy();
  });
});
server.listen({ port: +(process.env['PORT'] ?? 3000), host: '127.0.0.1' });
