// Right: req.iterator({ destroyOnReturn: false }), a fixed buffer of BODY_LIMIT bytes, fatal UTF-8 decoding.
import { isUtf8 } from 'node:buffer';
import { type IncomingMessage, type ServerResponse } from 'node:http';

export const BODY_LIMIT = 64 * 1024;

export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

export function sendJSON(res: ServerResponse, data: unknown, status = 200): void {
  if (!res.headersSent) send(res, data, status);
  else if (!res.writableEnded) res.destroy();
}

function send(res: ServerResponse, data: unknown, status: number): void {
  const bytes = new TextEncoder().encode(JSON.stringify(data) ?? bad('no JSON'));
  res
    .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.byteLength })
    .end(bytes);
}

function bad(message: string): never {
  throw new TypeError(message);
}

export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  if (mediaType(req) !== 'application/json') throw new HttpError(415, 'only application/json');
  const buffer = Buffer.allocUnsafe(BODY_LIMIT);
  let length = 0;
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Buffer;
      if (length + bytes.length > BODY_LIMIT) throw new HttpError(413, 'body too large');
      length += bytes.copy(buffer, length);
    }
  } catch (cause) {
    if (cause instanceof HttpError) throw cause;
    throw new HttpError(400, 'the body broke off', { cause });
  }
  const body = buffer.subarray(0, length);
  if (length === 0) throw new HttpError(400, 'an empty body is not JSON');
  if (!isUtf8(body)) throw new HttpError(400, 'not UTF-8');
  try {
    const value: unknown = JSON.parse(body.toString());
    forbid(value);
    return value;
  } catch (cause) {
    throw new HttpError(400, 'not JSON', { cause });
  }
}

function mediaType(req: IncomingMessage): string {
  const value = req.headers['content-type'] ?? '';
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

function forbid(value: unknown): void {
  const queue = [value];
  for (let item = queue.pop(); item !== undefined || queue.length > 0; item = queue.pop()) {
    if (typeof item !== 'object' || item === null) continue;
    if (Object.hasOwn(item, '__proto__')) throw new SyntaxError('__proto__');
    queue.push(...Object.values(item));
  }
}
