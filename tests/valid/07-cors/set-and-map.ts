// Right: a Set, names in small letters, more methods and fields than were asked for, statusCode and end().
import type { IncomingMessage, ServerResponse } from 'node:http';

export type CorsOptions = { origins?: '*' | readonly string[]; credentials?: boolean; maxAge?: number };

export const cors = (req: IncomingMessage, res: ServerResponse, options?: CorsOptions): boolean => {
  const all = options?.origins === undefined || options.origins === '*';
  const known = new Set(all ? [] : options.origins);
  const fields = new Map<string, string>([
    ['access-control-allow-methods', 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS'],
    ['access-control-allow-headers', 'content-type,authorization,x-requested-with'],
    ['access-control-expose-headers', 'Location'],
  ]);
  if (all) fields.set('access-control-allow-origin', '*');
  else if (known.has(req.headers.origin ?? '')) {
    fields.set('access-control-allow-origin', req.headers.origin ?? '');
    if (options?.credentials) fields.set('access-control-allow-credentials', 'true');
  }
  const vary = [res.getHeader('vary') ?? [], 'Origin'].flat().join(', ');
  fields.set('vary', vary);
  const preflight =
    req.method === 'OPTIONS' && Boolean(req.headers.origin && req.headers['access-control-request-method']);
  if (preflight) fields.set('access-control-max-age', String(options?.maxAge ?? 600));
  for (const [name, value] of fields) res.setHeader(name, value);
  if (preflight) {
    res.statusCode = 204;
    res.end();
  }
  return preflight;
};
