// Right: one list for each method, promises everywhere, HEAD turned into GET by handle and not by match.
import type { IncomingMessage, ServerResponse } from 'node:http';

type Params = { [name: string]: string };
export type Handler = (req: IncomingMessage, res: ServerResponse, context: { params: Params; query: URLSearchParams }) => void | Promise<void>;

export class Router {
  #lists = new Map<string, { pieces: string[]; handler: Handler }[]>();
  routes: { method: string; path: string }[] = [];

  #keep(method: string, path: string, handler: Handler): Router {
    const list = this.#lists.get(method) ?? [];
    this.#lists.set(method, [...list, { pieces: path.split('/'), handler }]);
    this.routes = this.routes.concat({ method, path });
    return this;
  }

  get = (path: string, handler: Handler): Router => this.#keep('GET', path, handler);
  post = (path: string, handler: Handler): Router => this.#keep('POST', path, handler);
  put = (path: string, handler: Handler): Router => this.#keep('PUT', path, handler);
  patch = (path: string, handler: Handler): Router => this.#keep('PATCH', path, handler);
  delete = (path: string, handler: Handler): Router => this.#keep('DELETE', path, handler);

  match(method: string, pathname: string): { handler: Handler; params: Params } | null {
    const given = pathname.split('/');
    const route = (this.#lists.get(method) ?? []).find(
      ({ pieces }) => pieces.length === given.length && pieces.every((piece, i) => (piece.startsWith(':') ? given[i] !== '' : piece === given[i])),
    );
    if (!route) return null;
    const params: Params = { __proto__: null } as unknown as Params;
    route.pieces.forEach((piece, i) => {
      if (piece.startsWith(':')) Object.defineProperty(params, piece.slice(1), { value: decodeURIComponent(given[i] ?? ''), enumerable: true });
    });
    return { handler: route.handler, params };
  }

  handle(req: IncomingMessage, res: ServerResponse, { pathname, searchParams }: URL): Promise<void> {
    return Promise.resolve()
      .then(() => this.match(req.method === 'HEAD' ? 'GET' : String(req.method), pathname))
      .catch((error: unknown) => {
        if (error instanceof URIError) return this.#say(res, 400, 'This path cannot be decoded');
        throw error;
      })
      .then((found) => {
        if (found) return found.handler(req, res, { params: found.params, query: searchParams });
        if (found === undefined) return;
        const allow = [...this.#lists.keys()].filter((method) => this.#exists(method, pathname));
        if (allow.length === 0) return this.#say(res, 404, `Nothing at ${pathname}`);
        if (allow.includes('GET')) allow.push('HEAD');
        res.setHeader('allow', allow.join(' , '));
        this.#say(res, 405, `${req.method} is not for ${pathname}`);
      });
  }

  #exists(method: string, pathname: string): boolean {
    try {
      return this.match(method, pathname) !== null;
    } catch {
      return true;
    }
  }

  #say(res: ServerResponse, status: number, error: string): undefined {
    const bytes = new TextEncoder().encode(JSON.stringify({ error }));
    res.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', String(bytes.length), 'Cache-Control', 'no-store']);
    res.end(bytes);
  }
}
