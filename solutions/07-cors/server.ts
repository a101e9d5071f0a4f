// This file is finished. It asks your cors() about every request first, and then routes it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { cors, type CorsOptions } from './cors.ts';
import { page } from './page.ts';

/** The origins on the list, from the environment. */
const origins = (process.env.ALLOWED_ORIGINS ?? 'http://friend.localhost:3000')
  .split(',')
  .map((origin) => origin.trim());

const parts = ['public', 'team', 'shop', 'account', 'careless'];

/** Each part of this API has a policy of its own, and each shop lets in its own pages. */
function policyFor(part: string | undefined, shop: string | undefined): CorsOptions | undefined {
  switch (part) {
    case 'team':
      return { origins };
    case 'shop':
      return { origins: [`https://${shop}`, ...origins] };
    case 'account':
      return { origins, credentials: true, maxAge: 60 };
    case 'careless':
      return { origins: '*', credentials: true, maxAge: 0 };
    default:
      return undefined;
  }
}

let count = 0;

function route(req: IncomingMessage, res: ServerResponse, [part = '', ...rest]: string[]): void {
  if (req.method === 'GET' && part === '') {
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(page);
    return;
  }
  switch (parts.includes(part) && `${req.method} ${rest.at(-1)}`) {
    case 'GET count':
      return send(res, 200, { count });
    case 'POST count':
    case 'PUT count':
      count += 1;
      return send(res, 200, { count });
    case 'DELETE count':
      count = 0;
      return send(res, 200, { count });
    case 'GET me':
      res.setHeader('Set-Cookie', 'visitor=42; HttpOnly; SameSite=Lax');
      return send(res, 200, { cookie: req.headers.cookie ?? null });
    case 'GET boom':
      throw new Error('boom');
    default:
      return send(res, 404, { error: 'Not found' });
  }
}

function send(res: ServerResponse, status: number, data: unknown): void {
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(data));
}

const server = createServer((req, res) => {
  res.on('finish', () => console.log(`${req.method} ${req.url} ${res.statusCode}`));
  res.setHeader('Vary', 'Accept-Encoding');
  const [, ...path] = (req.url ?? '').replace(/\?.*/, '').split('/');
  if (cors(req, res, policyFor(path[0], path[1]))) return;
  try {
    route(req, res, path);
  } catch (error) {
    console.error(error);
    send(res, 500, { error: 'Internal Server Error' });
  }
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  console.log(`Server listening on http://localhost:${listening}`);
});
