// Right: the five methods are made in a loop, errors close the connection and say so, everything is asynchronous inside.
import { METHODS } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

export type Handler = (req: IncomingMessage, res: ServerResponse, context: { params: any; query: URLSearchParams }) => any;
type Register = (path: string, handler: Handler) => void;

export interface Router {
  get: Register;
  post: Register;
  put: Register;
  patch: Register;
  delete: Register;
}

export class Router {
  constructor() {
    Object.assign(this, { known: [] });
  }
  declare known: { method: string; path: string; test: (pathname: string) => Map<string, string> | undefined; handler: Handler }[];

  get routes() {
    return this.known.map((route) => Object.freeze({ path: route.path, method: route.method, toString: () => route.path }));
  }

  match(method: string, pathname: string) {
    const wanted = new Set([method, ...(method === 'HEAD' ? ['GET'] : [])]);
    const params = Object.create(null) as Record<string, string>;
    for (const { method: own, test, handler } of this.known) {
      const values = wanted.has(own) ? test(pathname) : undefined;
      if (values === undefined) continue;
      for (const [name, value] of values) params[name] = decodeURIComponent(value);
      return { params, handler };
    }
    return null;
  }

  async handle(req: IncomingMessage, res: ServerResponse, url: URL) {
    await turn();
    const path = url.pathname;
    const routes = this.known.filter(({ test }) => test(path) !== undefined);
    if (routes.length === 0) return refuse(res, 404);
    if (/%(?![0-9A-F]{2})/i.test(path) || !isText(path)) return refuse(res, 400);
    const found = this.match(req.method!, path);
    if (found !== null) return await found.handler(req, res, { ...found, query: url.searchParams });
    const allow = METHODS.filter((name) => this.match(name, path));
    return refuse(res, 405, { Allow: allow });
  }
}

for (const method of METHODS.filter((name) => ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(name))) {
  Object.defineProperty(Router.prototype, method.toLowerCase(), {
    value(this: Router, path: string, handler: Handler) {
      this.known.push({ method, path, handler, test: tester(path) });
    },
  });
}

function tester(path: string): (pathname: string) => Map<string, string> | undefined {
  const parts = path.slice(1).split('/');
  return (pathname) => {
    const rest = pathname.slice(1).split('/');
    const values = new Map<string, string>();
    while (values.size <= parts.length) {
      if (rest.length !== parts.length) return undefined;
      for (let i = parts.length - 1; i >= 0; --i) {
        const [part, text] = [parts[i]!, rest[i]!];
        if (part.codePointAt(0) === 58) {
          if (text.length === 0) return undefined;
          values.set(part.substring(1), text);
        } else if (!Object.is(part, text)) return undefined;
      }
      return values;
    }
    return undefined;
  };
}

function isText(path: string): boolean {
  const bytes = Buffer.from(path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1');
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function refuse(res: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  res.shouldKeepAlive = false;
  res.writeHead(status, { ...headers, Connection: 'close', 'content-type': 'application/json' });
  res.end(`{"error":"refused with ${status}"}`);
}
