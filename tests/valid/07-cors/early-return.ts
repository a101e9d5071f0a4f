// Right: the preflight is looked at first, the answer is ended by a later turn of the event loop, Vary always.
import type { IncomingMessage, ServerResponse } from 'node:http';

export function cors(
  req: IncomingMessage,
  res: ServerResponse,
  options: { origins?: '*' | readonly string[] | undefined; credentials?: boolean; maxAge?: number } = {},
): boolean {
  const { origin, 'access-control-request-method': asked } = req.headers;
  const preflight = asked !== undefined && origin !== undefined && req.method === 'OPTIONS';
  if (preflight) {
    const { maxAge = 600 } = options;
    res.setHeader('Access-Control-Max-Age', maxAge.toFixed(0));
  }
  res.appendHeader('Vary', ['Origin', 'Access-Control-Request-Headers']);
  setOrigin(req, res, options.origins ?? '*', options.credentials ?? false);
  res.setHeader('Access-Control-Allow-Methods', 'GET , POST , PUT , DELETE , OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'CONTENT-TYPE, AUTHORIZATION');
  if (preflight) {
    setImmediate(() => {
      res.statusCode = 204;
      res.statusMessage = 'Go ahead';
      res.end();
    });
  }
  return preflight;
}

function setOrigin(req: IncomingMessage, res: ServerResponse, origins: '*' | readonly string[], credentials: boolean): void {
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
    return;
  }
  const { origin } = req.headers;
  if (!origin || !origins.some((one) => Object.is(one, origin))) return;
  res.setHeader('Access-Control-Allow-Origin', origin);
  if (credentials) res.setHeader('Access-Control-Allow-Credentials', 'true');
}
