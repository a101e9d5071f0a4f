// Right: each path is compiled to an anchored regular expression when it is registered; every answer through writeHead.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';

export type Params = Record<string, string>;
export type Context = { params: Params; query: URLSearchParams };
export type Handler = (req: IncomingMessage, res: ServerResponse, context: Context) => unknown;

class BadEscape extends Error {}

type Entry = { method: string; path: string; pattern: RegExp; names: string[]; handler: Handler };

export class Router {
  routes: Entry[] = [];

  get = this.#method('GET');
  post = this.#method('POST');
  put = this.#method('PUT');
  patch = this.#method('PATCH');
  delete = this.#method('DELETE');

  #method(method: string) {
    return (path: string, handler: Handler) => {
      const names: string[] = [];
      const source = path
        .split('/')
        .map((segment) => {
          if (!segment.startsWith(':')) return segment.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
          names.push(segment.slice(1));
          return '([^/]+)';
        })
        .join('/');
      this.routes.push({ method, path, pattern: new RegExp(`^${source}$`), names, handler });
    };
  }

  #params(entry: Entry, pathname: string): Params | null {
    const groups = entry.pattern.exec(pathname);
    if (!groups) return null;
    const params = Object.create(null) as Params;
    entry.names.forEach((name, i) => {
      try {
        params[name] = decodeURIComponent(groups[i + 1] ?? '');
      } catch (cause) {
        throw new BadEscape('malformed', { cause });
      }
    });
    return params;
  }

  match(method: string, pathname: string) {
    for (const entry of this.routes) {
      if (entry.method !== method && !(method === 'HEAD' && entry.method === 'GET')) continue;
      const params = this.#params(entry, pathname);
      if (params) return { handler: entry.handler, params };
    }
    return null;
  }

  handle(req: IncomingMessage, res: ServerResponse, url: URL) {
    let found;
    try {
      found = this.match(req.method as string, url.pathname);
    } catch (error) {
      if (error instanceof BadEscape) return answer(res, 400);
      throw error;
    }
    if (found) return found.handler(req, res, { params: found.params, query: url.searchParams });
    const methods = this.routes.filter((entry) => entry.pattern.test(url.pathname)).map((entry) => entry.method);
    if (methods.length === 0) return answer(res, 404);
    if (methods.includes('GET')) methods.push('HEAD');
    return answer(res, 405, { allow: [...new Set(methods)].sort().join(',') });
  }
}

function answer(res: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers });
  res.end(JSON.stringify({ error: STATUS_CODES[status], status }, null, 4));
}
