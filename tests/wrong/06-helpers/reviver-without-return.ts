// Wrong: The function given to JSON.parse returns nothing.
// Fails: step 3, resolved-with-nothing
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';

/** The longest body that readBodyJSON takes, in bytes. */
export const BODY_LIMIT = 64 * 1024;

/** An error that knows its status. The client sees both the status and the message. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

/**
 * Answers with data as JSON. Throws, before a byte is sent, when there is no JSON for data.
 * Where an answer has already begun, sends nothing, and cuts that answer off unless it has ended.
 */
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

/**
 * Reads the body of a request as JSON (RFC 8259). Rejects with an HttpError:
 * 415 when the body is not declared as JSON, 413 when it is longer than BODY_LIMIT,
 * 400 when it is empty, is not JSON, has a key `__proto__`, or never arrives whole.
 */
export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const mediaType = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw new HttpError(415, 'Content-Type must be application/json');
  }
  const body = await readBody(req);
  return parseJSON(body.toString('utf8'));
}

/** Collects the bytes of a body. What comes after the limit is read and thrown away. */
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

/** JSON.parse, with the client's mistakes as status 400. */
function parseJSON(text: string): unknown {
  if (text === '') throw new HttpError(400, 'Body is empty');
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new SyntaxError('__proto__ is no key for data');
    });
  } catch {
    throw new HttpError(400, 'Body is not valid JSON');
  }
}
