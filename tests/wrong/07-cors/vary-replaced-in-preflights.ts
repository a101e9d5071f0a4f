// Wrong: the head of a preflight's answer has a Vary of its own, which replaces what was there.
// Fails: step 5, vary-replaced
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  /** The origins whose pages may read the answers, such as 'https://app.example'; '*' is every one. */
  origins?: '*' | readonly string[];
  /** Whether those pages may send cookies along. Not with '*': browsers refuse the two together. */
  credentials?: boolean;
  /** For how many seconds a browser may remember the answer to a preflight. */
  maxAge?: number;
}

/**
 * Tells the browser which pages may read the answer, and answers preflights
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Returns true when it has answered.
 */
export function cors(
  req: IncomingMessage,
  res: ServerResponse,
  { origins = '*', credentials = false, maxAge = 600 }: CorsOptions = {},
): boolean {
  const { origin } = req.headers;

  res.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
    res.appendHeader('Vary', 'Origin');
    if (origin !== undefined && origins.includes(origin)) {
      res.setHeader('Access-Control-Allow-Origin', origin);
      if (credentials) res.setHeader('Access-Control-Allow-Credentials', 'true');
    }
  }

  const isPreflight =
    req.method === 'OPTIONS' &&
    origin !== undefined &&
    req.headers['access-control-request-method'] !== undefined;
  if (!isPreflight) return false;
  res.setHeader('Access-Control-Max-Age', maxAge);
  res.writeHead(204, { Vary: 'Origin' }).end();
  return true;
}
