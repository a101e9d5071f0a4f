// Wrong: a preflight of a stranger is answered with credentials.
// Fails: step 5, credentials-for-strangers
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
    if (origin !== undefined && origins.includes(origin)) {
      res.setHeader('Access-Control-Allow-Origin', origin);
      if (credentials) res.setHeader('Access-Control-Allow-Credentials', 'true');
    }
  }
  if (req.method === 'OPTIONS' && origin !== undefined && req.headers['access-control-request-method'] !== undefined) {
    if (credentials && origins !== '*') res.setHeader('Access-Control-Allow-Credentials', 'true');
    res.setHeader('Access-Control-Max-Age', String(maxAge));
    res.writeHead(204);
    res.end();
    return true;
  }
  return false;
}
