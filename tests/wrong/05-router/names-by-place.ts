// Wrong: params holds the values under their places in the path.
// Fails: step 3, wrong-param-name
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What the named segments of a path hold: `/users/:id` gives `{ id: '42' }` for `/users/42`. Inherits nothing. */
export type Params = Record<string, string>;

/** What a handler is told besides the request: what the path named, and the query, unread. */
export interface Context {
  readonly params: Params;
  readonly query: URLSearchParams;
}

export type Handler = (
  req: IncomingMessage,
  res: ServerResponse,
  context: Context,
) => void | Promise<void>;

export interface Match {
  readonly handler: Handler;
  readonly params: Params;
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly handler: Handler;
}

/** Maps a method and a path to a handler. Of several routes that fit, the one registered first wins. */
export class Router {
  readonly #routes: Route[] = [];

  get(path: string, handler: Handler): void {
    this.#add('GET', path, handler);
  }

  post(path: string, handler: Handler): void {
    this.#add('POST', path, handler);
  }

  put(path: string, handler: Handler): void {
    this.#add('PUT', path, handler);
  }

  patch(path: string, handler: Handler): void {
    this.#add('PATCH', path, handler);
  }

  delete(path: string, handler: Handler): void {
    this.#add('DELETE', path, handler);
  }

  #add(method: string, path: string, handler: Handler): void {
    this.#routes.push({ method, path, handler });
  }

  /**
   * The first route for this method that fits the pathname, or null.
   * @throws URIError when a named segment holds a malformed percent escape
   */
  match(method: string, pathname: string): Match | null {
    const wanted = method === 'HEAD' ? 'GET' : method;

    for (const route of this.#routes) {
      if (route.method !== wanted) continue;
      const params = fit(route.path, pathname);
      if (params !== null) return { handler: route.handler, params };
    }
    return null;
  }

  /** The methods that a path has, each once: what the header field Allow says (RFC 9110, 10.2.1). */
  allowed(pathname: string): string[] {
    const methods = new Set<string>();
    for (const route of this.#routes) {
      if (fit(route.path, pathname) === null) continue;
      methods.add(route.method);
      if (route.method === 'GET') methods.add('HEAD');
    }
    return [...methods];
  }

  /**
   * Answers one request. Returns what the handler returns and lets through what it throws, so that whoever
   * calls can wait for it and catch its errors.
   */
  handle(req: IncomingMessage, res: ServerResponse, url: URL): void | Promise<void> {
    if (!isDecodable(url.pathname)) return sendError(res, 400, 'The path holds a malformed escape');

    const found = this.match(req.method ?? '', url.pathname);
    if (found) return found.handler(req, res, { params: found.params, query: url.searchParams });

    const allowed = this.allowed(url.pathname);
    if (allowed.length > 0) {
      res.setHeader('Allow', allowed.join(', '));
      return sendError(res, 405, 'Method not allowed');
    }
    sendError(res, 404, 'Not found');
  }

  /** Every route in the order of registration. */
  get routes(): { method: string; path: string }[] {
    return this.#routes.map(({ method, path }) => ({ method, path }));
  }
}

/** The params with which a pathname fits a route's path, or null where it does not fit. */
function fit(path: string, pathname: string): Params | null {
  const pattern = path.split('/');
  const segments = pathname.split('/');
  if (pattern.length !== segments.length) return null;
  const params: Params = Object.create(null);
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return null;
    } else {
      if (segment === '') return null;
      params[index] = decodeURIComponent(segment);
    }
  }
  return params;
}

/** Whether every percent escape stands for text: `%zz` and a lone `%C3` do not. */
function isDecodable(pathname: string): boolean {
  try {
    decodeURIComponent(pathname);
    return true;
  } catch {
    return false;
  }
}

/** Answers with a status and `{ "error": message }`. The helpers lesson makes a better one. */
function sendError(res: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: message });
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.writeHead(status).end(body);
}
