// Right: a subclass of http.Server in server.ts, an EventEmitter between the two, redirects for folders, Early Hints for pages.
import { EventEmitter } from 'node:events';
import { createReadStream, promises as fsp } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';

export class Files extends EventEmitter {
  #root: string;
  constructor(root: string) {
    super();
    this.#root = root;
    this.on('wanted', (req: IncomingMessage, res: ServerResponse) => void this.#wanted(req, res).catch(() => this.#no(res, 500)));
  }
  #no(res: ServerResponse, status: number): void {
    if (res.headersSent) res.destroy();
    else res.writeHead(status, { 'Content-Type': 'text/plain' }).end(`No. (${status})`);
  }
  async #wanted(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!new Set(['GET', 'HEAD']).has(req.method ?? '')) {
      res.setHeader('ALLOW', ['GET', 'HEAD'].join(', '));
      return this.#no(res, 405);
    }
    const [pathname = '', query] = String(req.url).split('?', 2);
    let name: string;
    try {
      name = decodeURIComponent(pathname);
    } catch {
      return this.#no(res, 400);
    }
    if (!name.startsWith('/') || /\0/.test(name)) return this.#no(res, 400);
    if (name.includes('\\') || name.split('/').find((p) => p.startsWith('.'))) return this.#no(res, 404);
    const base = await fsp.realpath(this.#root);
    let real = await fsp.realpath(path.resolve(base, '.' + name)).catch(() => undefined);
    if (!real || (real !== base && !real.startsWith(base + path.sep))) return this.#no(res, 404);
    let info = await fsp.stat(real);
    if (info.isDirectory()) {
      if (!name.endsWith('/')) {
        res.writeHead(308, { Location: encodeURI(name).replace(/^\/+/, '/') + '/' + (query === undefined ? '' : `?${query}`) }).end();
        return;
      }
      const index = await fsp.realpath(path.join(real, 'index.html')).catch(() => undefined);
      if (!index?.startsWith(base + path.sep)) return this.#no(res, 404);
      real = index;
      info = await fsp.stat(real);
    }
    if (!info.isFile()) return this.#no(res, 404);
    const types: { [extension: string]: string } = { css: 'text/css', html: 'text/html', js: 'text/javascript', txt: 'text/plain', json: 'application/json; charset=utf-8', svg: 'image/svg+xml; charset=utf-8', png: 'image/png', jpg: 'image/jpeg', ico: 'image/x-icon' };
    const extension = path.extname(real).toLowerCase().replace('.', '');
    let type = Object.hasOwn(types, extension) ? types[extension]! : 'application/octet-stream';
    if (type.startsWith('text/')) type += '; charset=utf-8';
    if (extension === 'html') res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    res.setHeader('Content-Type', type);
    res.setHeader('Content-Length', info.size);
    if (req.method === 'HEAD') return void res.end();
    const file = createReadStream(real);
    const gone = () => file.destroy();
    res.on('close', gone);
    if (res.closed || res.destroyed) gone();
    file.on('error', () => {
      for (const h of res.getHeaderNames()) res.removeHeader(h);
      this.#no(res, 500);
    });
    file.on('open', () => file.pipe(res));
  }
}
export const serveStatic = (root: string) => new Files(root);
