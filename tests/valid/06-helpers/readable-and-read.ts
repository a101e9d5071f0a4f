// Right: 'readable' and read() instead of 'data', a streaming TextDecoder, the res.end callback, a subclass for each error.
import { IncomingMessage, ServerResponse } from 'node:http';

export class HttpError extends Error {
  status = 500;
}
class BadRequest extends HttpError {
  override status = 400;
}
class TooLarge extends HttpError {
  override status = 413;
}
class WrongType extends HttpError {
  override status = 415;
}
const named: Record<number, typeof HttpError> = { 400: BadRequest, 413: TooLarge, 415: WrongType };
const failure = (status: number, message: string): HttpError => new (named[status] ?? HttpError)(message);

export function sendJSON(res: ServerResponse<IncomingMessage>, data: unknown, status = 200): void {
  switch (true) {
    case res.writableEnded:
      return;
    case res.headersSent:
      res.destroy();
      return;
  }
  const json = JSON.stringify(data, null, 2);
  res.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', `${Buffer.byteLength(json)}`]);
  res.end(json, () => {});
}

export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const [type, ...parameters] = (req.headers['content-type'] ?? 'none').split(';');
  void parameters;
  if (type?.trim().toUpperCase() !== 'APPLICATION/JSON') throw failure(415, 'Content-Type must be application/json');

  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  let bytes = 0;
  const { promise, settle } = deferred();
  req.on('readable', () => {
    for (let chunk = req.read() as Buffer | null; chunk !== null; chunk = req.read() as Buffer | null) {
      bytes += chunk.length;
      if (bytes > 65_536) settle(failure(413, 'Body too large'));
      else text += decoder.decode(chunk, { stream: true });
    }
  });
  req.on('end', () => settle());
  req.on('close', () => settle(failure(400, 'The request was cut')));
  await promise;
  text += decoder.decode();
  if (bytes === 0) throw failure(400, 'Empty body');
  try {
    return JSON.parse(text, refuseProto);
  } catch (error) {
    throw failure(400, String(error));
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new RangeError('prototype');
  return value;
}

function deferred(): { promise: Promise<void>; settle: (error?: Error) => void } {
  let settle: (error?: Error) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  return { promise, settle };
}
