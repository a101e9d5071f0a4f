import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';

/** The longest body that readBodyJSON accepts, in bytes. */
export const BODY_LIMIT = 64 * 1024;

/** An error that knows which status the client should see. Its message is meant for the client. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

/**
 * Sends data as JSON, in one piece and once.
 *
 * Throws, before anything is sent, when data cannot be serialised. Where an answer has already begun, that
 * one stands: nothing more is sent, and an answer that was left half way is cut off.
 */
export function sendJSON(res: ServerResponse, data: unknown, status = 200): void {
  if (res.headersSent) {
    if (!res.writableEnded) res.destroy();
    return;
  }
  const json = JSON.stringify(data);
  if (json === undefined) throw new TypeError('There is no JSON for undefined or a function');
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(json),
  });
  res.end(json);
}

/**
 * Reads the body of a request as JSON (RFC 8259).
 *
 * Rejects with an HttpError: 415 when it is not declared as JSON, 413 when it is longer than BODY_LIMIT bytes,
 * 400 when it is empty, invalid, holds a `__proto__` key, or when the client hangs up before it is whole.
 */
export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const type = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new HttpError(415, 'Content-Type must be application/json');
  }
  const body = await readBody(req);
  if (body.length === 0) throw new HttpError(400, 'Body is empty');
  return parseJSON(body.toString('utf8'));
}

/** Collects the bytes of a body. Past the limit they are read and thrown away. */
function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_LIMIT) chunks.push(chunk);
      else reject(new HttpError(413, `Body is longer than ${BODY_LIMIT} bytes`));
    });
    finished(req, (error) => {
      if (error) reject(new HttpError(400, 'Body did not arrive whole'));
      else resolve(Buffer.concat(chunks));
    });
  });
}

/** JSON.parse, with errors for the client, and without keys that change what an object inherits. */
function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new SyntaxError('__proto__ is not allowed as a key');
      return value;
    });
  } catch {
    throw new HttpError(400, 'Body is not valid JSON');
  }
}
