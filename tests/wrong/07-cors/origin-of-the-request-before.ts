// Wrong: without Origin, that of the request before counts.
// Fails: step 2, kept-from-before
import type { IncomingMessage, ServerResponse } from 'node:http';
export interface CorsOptions { origins?: '*' | readonly string[]; credentials?: boolean; maxAge?: number }

let last: string | undefined;
export function cors(req: IncomingMessage, res: ServerResponse, options: CorsOptions = {}): boolean {
  const { origins = '*', credentials = false, maxAge = 600 } = options;
  const origin = (last = req.headers.origin ?? last);
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
  if (req.method === 'OPTIONS' && origin !== undefined && req.headers['access-control-request-method'] !== undefined) {
    res.setHeader('Access-Control-Max-Age', String(maxAge));
    res.writeHead(204);
    res.end();
    return true;
  }
  return false;
}
