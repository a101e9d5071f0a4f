// Wrong: what cannot be sent is answered with an error text and status 200.
// Fails: step 2, error-without-500
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';

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
  let json: string;
  try {
    json = JSON.stringify(data);
  } catch {
    json = '{"error":"Internal Server Error"}';
  }
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
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_LIMIT) {
        return reject(new HttpError(413, `Body is longer than ${BODY_LIMIT} bytes`));
      }
      chunks.push(chunk);
    });
    finished(req, (error) => {
      if (error) return reject(new HttpError(400, 'Body did not arrive whole'));
      resolve(Buffer.concat(chunks));
    });
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
