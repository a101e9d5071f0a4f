// Right: a Transform counts the bytes, node:stream/consumers collects them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Transform, type TransformCallback } from 'node:stream';
import { buffer } from 'node:stream/consumers';

export const BODY_LIMIT = 64 * 1024;

export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function sendJSON(res: ServerResponse, data: unknown, status = 200): void {
  if (res.headersSent) {
    if (!res.writableEnded) res.destroy();
    return;
  }
  const json = JSON.stringify(data);
  res.setHeader('Content-Type', 'application/json; charset=utf-8').setHeader('Content-Length', Buffer.byteLength(json));
  res.writeHead(status).end(json);
}

class Limit extends Transform {
  left = BODY_LIMIT;
  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.left -= chunk.length;
    if (this.left < 0) done(new HttpError(413, 'Body is too long'));
    else done(null, chunk);
  }
}

export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const [type = ''] = (req.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json') throw new HttpError(415, 'Not JSON');
  const limit = new Limit();
  req.pipe(limit);
  req.on('error', () => limit.destroy(new HttpError(400, 'The client hung up')));
  const body = await buffer(limit);
  if (!body.length) throw new HttpError(400, 'empty');
  try {
    return JSON.parse(body.toString(), (key, value: unknown) => {
      if (key === '__proto__') throw new Error(key);
      return value;
    });
  } catch {
    throw new HttpError(400, 'invalid');
  }
}
