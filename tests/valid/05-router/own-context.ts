// Right: segments are decoded before they are compared, the error bodies say more, params are frozen, a thenable is handed on.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Context {
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** More than the lesson asks for. */
  pattern: string;
}
export type Handler = (req: IncomingMessage, res: ServerResponse, context: Context) => unknown;

const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Verb = (typeof VERBS)[number];

class Registry extends Array<{ method: Verb; path: string; handler: Handler }> {}

abstract class Base {
  readonly routes = new Registry();
  add(method: Verb, path: string, handler: Handler): void {
    this.routes.push({ method, path, handler });
  }
  get(path: string, handler: Handler): void {
    this.add('GET', path, handler);
  }
  post(path: string, handler: Handler): void {
    this.add('POST', path, handler);
  }
  put(path: string, handler: Handler): void {
    this.add('PUT', path, handler);
  }
  patch(path: string, handler: Handler): void {
    this.add('PATCH', path, handler);
  }
  delete(path: string, handler: Handler): void {
    this.add('DELETE', path, handler);
  }
}

export class Router extends Base {
  *#candidates(pathname: string) {
    const texts = pathname.split('/').map(decodeURIComponent);
    for (const route of this.routes) {
      const pieces = route.path.split('/');
      if (pieces.length !== texts.length) continue;
      const params = Object.create(null) as Record<string, string>;
      const fits = pieces.every((piece, index) => {
        const text = texts[index] ?? '';
        if (!/^:/.test(piece)) return piece === text;
        params[piece.slice(1)] = text;
        return text.length > 0;
      });
      if (fits) yield { route, params: Object.freeze(params) };
    }
  }

  match(method: string, pathname: string) {
    for (const { route, params } of this.#candidates(pathname)) {
      const methods: string[] = route.method === 'GET' ? ['GET', 'HEAD'] : [route.method];
      if (methods.includes(method)) return { handler: route.handler, params, pattern: route.path };
    }
    return null;
  }

  handle(req: IncomingMessage, res: ServerResponse, url: URL): unknown {
    let allow: string[];
    try {
      allow = [...this.#candidates(url.pathname)].flatMap(({ route }) => (route.method === 'GET' ? ['HEAD', 'GET'] : route.method));
    } catch {
      return problem(res, 400, 'malformed-escape');
    }
    const match = this.match(req.method ?? '', url.pathname);
    if (match) {
      const { handler, params, pattern } = match;
      return handler(req, res, { params, query: url.searchParams, pattern });
    }
    if (allow.length === 0) return problem(res, 404, 'unknown-path');
    return problem(res, 405, 'method-not-allowed', Array.from(new Set(allow)));
  }
}

const problem = (res: ServerResponse, status: number, error: string, allow: string[] = []): ServerResponse => {
  if (allow.length > 0) res.appendHeader('Allow', allow.join(', '));
  return res
    .setHeader('Content-Type', 'application/json')
    .writeHead(status, 'Not This')
    .end(Buffer.from(`\n {"status":${status}, "error":"${error}", "allow":${JSON.stringify(allow)}}\n`));
};
