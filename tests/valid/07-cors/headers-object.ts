// Right: a web Headers object, res.setHeaders, a switch over the kind of request, cache-control besides.
import { ServerResponse, type IncomingMessage } from 'node:http';

export interface CorsOptions {
  readonly origins?: '*' | readonly string[];
  readonly credentials?: boolean;
  readonly maxAge?: number;
}

const kindOf = ({ method, headers }: IncomingMessage): 'preflight' | 'ordinary' =>
  method === 'OPTIONS' && 'origin' in headers && 'access-control-request-method' in headers ? 'preflight' : 'ordinary';

export function cors(req: IncomingMessage, res: ServerResponse, options: CorsOptions = {}): boolean {
  const headers = new Headers({
    'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Content-Type, Authorization',
  });
  const already = res.getHeader('Vary');
  if (already !== undefined) headers.set('Vary', String(already));
  const { origins } = options;
  switch (origins) {
    case undefined:
    case '*':
      headers.set('Access-Control-Allow-Origin', '*');
      break;
    default: {
      headers.append('Vary', 'Origin');
      const index = origins.indexOf(String(req.headers.origin));
      if (index >= 0) {
        headers.set('Access-Control-Allow-Origin', origins[index] ?? '');
        if (options.credentials) headers.set('Access-Control-Allow-Credentials', 'true');
      }
    }
  }
  switch (kindOf(req)) {
    case 'ordinary':
      res.setHeaders(headers);
      return false;
    case 'preflight':
      headers.set('Access-Control-Max-Age', String(options.maxAge === undefined ? 600 : options.maxAge));
      headers.set('Cache-Control', 'no-store');
      res.setHeaders(headers);
      res.writeHead(204);
      res.end();
      return true;
  }
}
