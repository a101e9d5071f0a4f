// Wrong: an answer to a request with Authorization is taken for private, and names nobody.
// Fails: step 6, browser-would-differ
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  origins?: '*' | readonly string[];
  credentials?: boolean;
  maxAge?: number;
}

export function cors(
  req: IncomingMessage,
  res: ServerResponse,
  { origins = '*', credentials = false, maxAge = 600 }: CorsOptions = {},
): boolean {
  const { origin } = req.headers;

  res.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (req.headers.authorization !== undefined) return false;
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
  res.writeHead(204).end();
  return true;
}
