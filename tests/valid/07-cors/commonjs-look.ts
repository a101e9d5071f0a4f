// Right: function expressions and var, a plain loop with ===, writeHead with the fields of the preflight.
import type { IncomingMessage, ServerResponse } from 'node:http';

const cors = function (
  req: IncomingMessage,
  res: ServerResponse,
  options?: { origins?: '*' | readonly string[]; credentials?: boolean; maxAge?: number },
): boolean {
  var settings = Object.assign({ origins: '*' as '*' | readonly string[], credentials: false, maxAge: 600 }, options);
  var origin = req.headers['origin'];
  var found = false;
  res.setHeader('Access-Control-Allow-Methods', ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'].join(','));
  res.setHeader('Access-Control-Allow-Headers', ['Authorization', 'Content-Type'].join(' , '));
  if (settings.origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
    res.setHeader('Vary', [String(res.getHeader('Vary')), 'Origin']);
    for (var i = 0; i < settings.origins.length; i++) {
      if (settings.origins[i] === origin) found = true;
    }
    if (found && origin) res.setHeader('Access-Control-Allow-Origin', origin);
  }
  if (found && settings.credentials === true) res.setHeader('Access-Control-Allow-Credentials', 'true');
  if (req.method !== 'OPTIONS' || !origin || !req.headers['access-control-request-method']) {
    return false;
  }
  res.writeHead(204, 'No Content', { 'Access-Control-Max-Age': settings.maxAge });
  res.end();
  return true;
};

export { cors };
