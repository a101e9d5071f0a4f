// Wrong: the Set of the first list is kept for all later lists.
// Fails: step 2, kept-from-before
import type { IncomingMessage, ServerResponse } from 'node:http';
export interface CorsOptions { origins?: '*' | readonly string[]; credentials?: boolean; maxAge?: number }

let known: Set<string> | undefined;
export function cors(req: IncomingMessage, res: ServerResponse, options: CorsOptions = {}): boolean {
  const { origins = '*', credentials = false, maxAge = 600 } = options;
  const origin = req.headers.origin;
  res.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
    res.appendHeader('Vary', 'Origin');
    if (origin !== undefined && (known ??= new Set(origins)).has(origin)) {
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
