// Right: a class that reads, events.once for the end, header names from rawHeaders, a response with write and end.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

export class HttpError extends Error {
  public readonly status: number;
  public constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function sendJSON(res: ServerResponse, data: unknown, status = 200): void {
  if (res.headersSent || res.writableEnded) {
    if (!res.writableEnded) res.destroy();
    return;
  }
  const json = `${JSON.stringify({ data }).slice('{"data":'.length, -1)}\n`;
  if (json === '\n') throw new TypeError('undefined');
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(json));
  res.writeHead(status);
  res.write(json);
  res.end();
}

class BodyReader {
  readonly #chunks: Uint8Array[] = [];
  readonly #req: IncomingMessage;
  #size = 0;

  constructor(req: IncomingMessage) {
    this.#req = req;
  }

  async read(): Promise<Buffer> {
    const gone = new AbortController();
    const tooLong = new Promise<never>((_, reject) => {
      this.#req.on('data', (chunk: Uint8Array) => {
        this.#size += chunk.byteLength;
        if (this.#size > 65536) reject(new HttpError(413, 'over 64 KiB'));
        else this.#chunks.push(chunk);
      });
    });
    this.#req.on('close', () => gone.abort());
    await Promise.race([once(this.#req, 'end', { signal: gone.signal }), tooLong]);
    return Buffer.concat(this.#chunks);
  }
}

export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  const at = req.rawHeaders.findIndex((name, index) => index % 2 === 0 && /^content-type$/i.test(name));
  const type = at < 0 ? '' : (req.rawHeaders[at + 1] ?? '');
  if (!/^\s*application\/json\s*($|;)/i.test(type)) throw new HttpError(415, 'no JSON');
  const bytes = await new BodyReader(req).read();
  if (bytes.length === 0) throw new HttpError(400, 'Empty.');
  const seen = new Set<string>();
  const value = await Promise.resolve(bytes.toString('utf-8'))
    .then((text) => JSON.parse(text, (key, item: unknown) => (seen.add(key), item)) as unknown)
    .catch(() => Promise.reject(new HttpError(400, 'Malformed.')));
  if (seen.has('__proto__')) throw new HttpError(400, 'Suspicious.');
  return value;
}
