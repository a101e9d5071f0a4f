// Wrong: req.read(n) is called once, before the body has come.
// Fails: step 3, parsed-too-early | body-never-resolved | body-cut | wrong-status
import type { IncomingMessage, ServerResponse } from 'node:http';

export const BODY_LIMIT = 64 * 1024;

export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

export function sendJSON(res: ServerResponse, data: unknown, status = 200): void {
  if (res.headersSent) {
    if (!res.writableEnded) res.destroy();
    return;
  }
  const json = JSON.stringify(data);
  if (json === undefined) throw new TypeError(`There is no JSON for ${typeof data}`);
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(json),
  });
  res.end(json);
}

export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const mediaType = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw new HttpError(415, 'Content-Type must be application/json');
  }
  const body = await readBody(req);
  return parseJSON(body.toString('utf8'));
}

function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    req.once('readable', () => {
      const chunk = req.read() as Buffer | null;
      if (chunk && chunk.length > BODY_LIMIT) return reject(new HttpError(413, 'Body is too long'));
      resolve(chunk ?? Buffer.alloc(0));
    });
    req.on('error', reject);
  });
}

function parseJSON(text: string): unknown {
  if (text === '') throw new HttpError(400, 'Body is empty');
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new SyntaxError('__proto__ is no key for data');
      return value;
    });
  } catch {
    throw new HttpError(400, 'Body is not valid JSON');
  }
}
