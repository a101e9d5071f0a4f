// Right: createRequire, function expressions, a class without fields, early refusal by Content-Length besides counting.
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';

const require = createRequire(import.meta.url);
const { Buffer: Bytes } = require('node:buffer') as typeof import('node:buffer');

const MAX = 1 << 16;

export class HttpError extends Error {
  declare status: number;
  constructor(status: number, message?: string) {
    super(message);
    Object.defineProperty(this, 'status', { value: status });
  }
}

export const sendJSON = function (res: ServerResponse, data: unknown, status?: number): void {
  if (res.headersSent) {
    if (!res.writableEnded) res.destroy(new Error('half an answer'));
    return;
  }
  let json: string;
  let code = status === undefined ? 200 : status;
  try {
    json = JSON.stringify(data);
    if (typeof json !== 'string') throw new TypeError('no JSON');
  } catch {
    // Answers the 500 by itself.
    json = '{ "error": "Internal Server Error" }';
    code = 500;
  }
  res.statusCode = code;
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('X-Powered-By', 'curiosity');
  res.setHeader('Content-Length', Bytes.byteLength(json, 'utf8'));
  res.end(json);
};

export const readBodyJSON = function (req: IncomingMessage): Promise<unknown> {
  const type = String(req.headers['content-type']).split(';').shift()!.trim().toLowerCase();
  if (type !== 'application/json') return Promise.reject(new HttpError(415, 'JSON only'));
  if (Number(req.headers['content-length']) > MAX) return Promise.reject(new HttpError(413, 'too big'));
  return new Promise((resolve, reject) => {
    let all = Bytes.alloc(0);
    req.on('data', (more) => {
      if (all.length + more.length > MAX) return void reject(new HttpError(413, 'too big'));
      all = Bytes.concat([all, more]);
    });
    req.once('error', (error) => reject(error));
    req.once('end', () => {
      if (all.length < 1) return void reject(new HttpError(400, 'the body was empty'));
      try {
        resolve(
          JSON.parse(String(all), (key, value) => {
            if (key !== '__proto__') return value;
            throw key;
          }),
        );
      } catch {
        reject(new HttpError(400, 'not JSON'));
      }
    });
  });
};
