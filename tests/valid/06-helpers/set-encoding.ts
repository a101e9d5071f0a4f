// Right: req.setEncoding('utf8') keeps letters whole; text is collected, and the limit still counts bytes.
import type { IncomingMessage, ServerResponse } from 'node:http';

class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function sendJSON(res: ServerResponse, data: unknown, status: number = 200): void {
  if (!res.headersSent) {
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) throw new Error('nothing to send');
    res.writeHead(status, 'Fine', { 'Content-Type': 'application/json;charset=UTF-8' , 'content-length': String(Buffer.from(text).length) });
    res.end(text, 'utf8');
  } else if (!res.writableFinished && !res.writableEnded) {
    res.socket?.destroy();
  }
}

function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  return new Promise(function (resolve, reject) {
    if (!/^application\/json\s*(;.*)?$/i.test(req.headers['content-type'] || '')) {
      reject(new HttpError(415, 'Please send JSON'));
      return;
    }
    let text = '';
    let bytes = 0;
    let refused = false;
    req.setEncoding('utf8');
    req.on('data', function (piece: string) {
      if (refused) return;
      bytes += Buffer.byteLength(piece);
      if (bytes > 64 * 1024) {
        refused = true;
        text = '';
        reject(new HttpError(413, 'Too much'));
      } else {
        text += piece;
      }
    });
    req.on('end', function () {
      if (refused) return;
      if (!text.trim()) return reject(new HttpError(400, 'Empty request'));
      let found = false;
      try {
        const value: unknown = JSON.parse(text, function (this: object, key: string, item: unknown) {
          found ||= key === '__proto__';
          return item;
        });
        if (found) reject(new HttpError(400, 'That key is not welcome'));
        else resolve(value);
      } catch {
        reject(new HttpError(400, 'Bad JSON'));
      }
    });
    req.on('error', reject);
    req.on('aborted', () => reject(new HttpError(400, 'Gone')));
  });
}

export { HttpError, readBodyJSON, sendJSON };
