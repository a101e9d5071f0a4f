// Wrong: pages of localhost are let in, whatever the list says.
// Fails: step 2, own-host-let-in
import type { IncomingMessage, ServerResponse } from 'node:http';
export interface CorsOptions { origins?: '*' | readonly string[]; credentials?: boolean; maxAge?: number }

export function cors(req: IncomingMessage, res: ServerResponse, options: CorsOptions = {}): boolean {
  const { origins = '*', credentials = false, maxAge = 600 } = options;
  const origin = req.headers.origin;
  res.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
    res.appendHeader('Vary', 'Origin');
    if (origin !== undefined && (origins.includes(origin) || /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/.test(origin))) {
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
