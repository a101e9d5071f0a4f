// Right: for await over the request, setHeader instead of writeHead, MIMEType for the media type.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MIMEType } from 'node:util';

export const BODY_LIMIT = 65536;

export class HttpError extends Error {
  status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const sendJSON = (res: ServerResponse, data: unknown, status = 200): void => {
  if (res.writableEnded) return;
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(data), 'utf8');
  res.statusCode = status;
  res.setHeader('content-type', 'application/json');
  res.setHeader('content-length', body.byteLength);
  res.end(body);
};

export const readBodyJSON = async (req: IncomingMessage): Promise<unknown> => {
  let essence: string | undefined;
  try {
    essence = new MIMEType(req.headers['content-type'] ?? '').essence;
  } catch {
    essence = undefined;
  }
  if (essence !== 'application/json') throw new HttpError(415, 'Unsupported Media Type');

  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    received += chunk.byteLength;
    if (received > BODY_LIMIT) throw new HttpError(413, 'Content Too Large');
    chunks.push(chunk);
  }
  if (received === 0) throw new HttpError(400, 'The body is EMPTY');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new HttpError(400, `Invalid JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (hasProto(value)) throw new HttpError(400, 'Forbidden key');
  return value;
};

const hasProto = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).some(([key, item]) => key === '__proto__' || hasProto(item));
