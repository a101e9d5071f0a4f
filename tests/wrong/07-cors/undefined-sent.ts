// Wrong: the field is set with what find gives, undefined included.
// Fails: step 2, not-an-origin
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
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
    res.appendHeader('Vary', 'Origin');
    const known = origins.find((one) => one === origin);
    res.setHeader('Access-Control-Allow-Origin', String(known));
    if (known !== undefined) {
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
