// Right: a class on new http.Server(), which reads into one buffer of its own and waits for drain.
import { once } from 'node:events';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, sep } from 'node:path';

class NotHere extends Error {}

class Files {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  name(target: string): string {
    const path = target.replace(/^https?:\/\/[^/]*/i, '').split(/[?#]/, 1)[0] ?? '';
    const name = decodeURIComponent(path);
    if (!name.startsWith('/') || name.includes('\0')) throw new URIError('no name');
    return name;
  }

  async find(name: string): Promise<string> {
    if (/\\|\/\./.test(name)) throw new NotHere();
    const root = await realpath(this.root);
    let path = await realpath(join(root, name)).catch(() => {
      throw new NotHere();
    });
    const { stat } = await import('node:fs/promises');
    if ((await stat(path)).isDirectory()) {
      path = await realpath(join(path, 'index.html')).catch(() => {
        throw new NotHere();
      });
    }
    if (!path.startsWith(root + sep) || !(await stat(path)).isFile()) throw new NotHere();
    return path;
  }

  async send(file: FileHandle, size: number, res: ServerResponse): Promise<void> {
    const buffer = Buffer.allocUnsafe(256 * 1024);
    let left = size;
    while (left > 0 && !res.destroyed) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(left, buffer.length));
      if (bytesRead === 0) return void res.destroy();
      left -= bytesRead;
      // The buffer is used again, so the response gets a copy.
      if (!res.write(Buffer.from(buffer.subarray(0, bytesRead))) && !res.destroyed) {
        await Promise.race([once(res, 'drain'), once(res, 'close')]);
      }
    }
    res.end();
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!/^(GET|HEAD)$/.test(req.method ?? '')) {
      res.writeHead(405, [['Allow', 'GET'], ['Allow', 'HEAD']].flat()).end('no');
      return;
    }
    const path = await this.find(this.name(req.url ?? ''));
    const file = await open(path);
    try {
      const { size } = await file.stat();
      res.setHeader('Content-Length', String(size));
      res.setHeader('Content-Type', Files.type(path));
      res.setHeader('X-Content-Type-Options', 'nosniff');
      if (req.method === 'HEAD') res.end();
      else await this.send(file, size, res);
    } finally {
      await file.close();
    }
  }

  static type(path: string): string {
    const texts: Record<string, string> = { html: 'text/html', css: 'text/css', js: 'text/javascript', txt: 'text/plain' };
    const others: Record<string, string> = { json: 'application/json', svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', ico: 'image/x-icon' };
    const extension = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
    if (Object.hasOwn(texts, extension)) return `${texts[extension]}; charset="utf-8"`;
    return Object.hasOwn(others, extension) ? (others[extension] ?? '') : 'application/octet-stream';
  }
}

const files = new Files(process.env.STATIC_ROOT ?? join(import.meta.dirname, 'public'));
const server = new Server();
server.on('request', (req: IncomingMessage, res: ServerResponse) => {
  files.handle(req, res).catch((error: unknown) => {
    if (res.headersSent) return void res.destroy();
    res.statusCode = error instanceof NotHere ? 404 : error instanceof URIError ? 400 : 500;
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.end();
  });
});
server.listen(process.env.PORT ?? 3000, '0.0.0.0' as never);
