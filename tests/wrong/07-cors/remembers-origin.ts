// Wrong: the last origin that was let in is kept outside, and sent to everybody. (C-12)
// Fails: step 2, names-another | first-of-the-list
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  origins?: '*' | readonly string[];
  credentials?: boolean;
  maxAge?: number;
}

let allowed: string | undefined;

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
      allowed = origin;
      if (credentials) res.setHeader('Access-Control-Allow-Credentials', 'true');
    }
    if (allowed !== undefined) res.setHeader('Access-Control-Allow-Origin', allowed);
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
