// Right: waits for the stream's own open event, then sends the head; pipe with everything cleaned up by hand.
import { createReadStream, statSync, realpathSync, type Stats } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as path from 'node:path';

const texts = ['html', 'css', 'js', 'txt'];
const names: Record<string, string> = { html: 'html', css: 'css', js: 'javascript', txt: 'plain' };

function typeOf(file: string): string {
  const dot = file.lastIndexOf('.');
  const extension = dot > file.lastIndexOf(path.sep) ? file.slice(dot + 1).toLowerCase() : '';
  if (texts.includes(extension)) return `text/${names[extension]}; charset=utf-8`;
  if (extension === 'json') return 'application/json; charset=utf-8';
  if (extension === 'svg') return 'image/svg+xml';
  if (extension === 'png') return 'image/png';
  if (extension === 'jpg') return 'image/jpeg';
  if (extension === 'ico') return 'image/x-icon';
  return 'application/octet-stream';
}

export function serveStatic(root: string): (req: IncomingMessage, res: ServerResponse) => void {
  const fence = realpathSync(root);
  return function handler(req, res) {
    const refuse = (code: number) => {
      res.statusCode = code;
      res.end(code === 400 ? 'What?' : 'No.');
    };
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET,HEAD');
      return refuse(405);
    }
    let file: string;
    let stats: Stats;
    try {
      file = decodeURIComponent(req.url!.split('?')[0]!);
    } catch {
      return refuse(400);
    }
    if (file.includes('\u0000') || file.includes('\\')) return refuse(400);
    if (/(^|\/)\./.test(file)) return refuse(404);
    try {
      file = realpathSync(path.join(fence, file));
      if (statSync(file).isDirectory()) file = realpathSync(path.join(file, 'index.html'));
      stats = statSync(file);
    } catch {
      return refuse(404);
    }
    if (!stats.isFile() || path.relative(fence, file).startsWith('..') || path.isAbsolute(path.relative(fence, file))) return refuse(404);
    const head = () => {
      res.statusCode = 200;
      res.setHeader('Content-Type', typeOf(file));
      res.setHeader('Content-Length', stats.size);
    };
    if (req.method === 'HEAD') {
      head();
      res.end();
      return;
    }
    const stream = createReadStream(file);
    res.on('close', () => stream.destroy());
    stream.on('error', () => (res.headersSent ? res.destroy() : refuse(500)));
    stream.on('open', () => {
      if (res.destroyed) return void stream.destroy();
      head();
      stream.pipe(res);
    });
  };
}
