import type { IncomingMessage, ServerResponse } from 'node:http';

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
  // TODO(step 2): Answer once, whole or not at all
  // TODO(step 1): Send JSON, measured in bytes
  res.writeHead(501).end('TODO(step 1): Send JSON, measured in bytes\n');
}

/**
 * Reads the body of a request as JSON (RFC 8259). Rejects with an HttpError:
 * 415 when the body is not declared as JSON, 413 when it is longer than BODY_LIMIT,
 * 400 when it is empty, is not JSON, has a key `__proto__`, or never arrives whole.
 */
export async function readBodyJSON(req: IncomingMessage): Promise<unknown> {
  // TODO(step 6): Take JSON and nothing else
  const body = await readBody(req);
  return parseJSON(body.toString('utf8'));
}

/** Collects the bytes of a body. What comes after the limit is read and thrown away. */
function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // TODO(step 3): Join the bytes, then decode
    reject(new HttpError(501, 'TODO(step 3): Join the bytes, then decode'));
    // TODO(step 7): Stop at the limit
    // TODO(step 5): Notice who hangs up
  });
}

/** JSON.parse, with the client's mistakes as status 400. */
function parseJSON(text: string): unknown {
  // TODO(step 4): Call bad input by its name
  return JSON.parse(text);
}
