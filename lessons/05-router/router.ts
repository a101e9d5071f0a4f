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
    // TODO(step 1): Remember and find
  }

  /**
   * The first route for this method that fits the pathname, or null.
   * @throws URIError when a named segment holds a malformed percent escape
   */
  match(method: string, pathname: string): Match | null {
    // TODO(step 5): Answer HEAD as GET
    if (method === 'HEAD') throw new Error('TODO(step 5): Answer HEAD as GET');
    const wanted = method;

    // Step 1 goes on here. fit(), below the class, compares a route's path with a pathname.
    throw new Error('TODO(step 1): Remember and find');
  }

  /** The methods that a path has, each once: what the header field Allow says (RFC 9110, 10.2.1). */
  allowed(pathname: string): string[] {
    // TODO(step 6): Say which methods there are
    if (this.#routes.some((route) => route.path === pathname)) {
      throw new Error('TODO(step 6): Say which methods there are');
    }
    return [];
  }

  /**
   * Answers one request. Returns what the handler returns and lets through what it throws, so that whoever
   * calls can wait for it and catch its errors.
   */
  handle(req: IncomingMessage, res: ServerResponse, url: URL): void | Promise<void> {
    // TODO(step 4): Decode what was named
    if (url.pathname.includes('%')) throw new Error('TODO(step 4): Decode what was named');

    const found = this.match(req.method ?? '', url.pathname);
    if (found) return found.handler(req, res, { params: found.params, query: url.searchParams });

    const allowed = this.allowed(url.pathname);
    // Step 6 goes on here: 405 when the path has other methods.
    // TODO(step 2): Say that nothing is there
    res.writeHead(501).end('TODO(step 2): Say that nothing is there\n');
  }

  /** Every route in the order of registration. */
  get routes(): { method: string; path: string }[] {
    // TODO(step 7): List the routes
    throw new Error('TODO(step 7): List the routes');
  }
}

/** The params with which a pathname fits a route's path, or null where it does not fit. */
function fit(path: string, pathname: string): Params | null {
  // TODO(step 3): Fill the named segments
  const [literal = '', name] = path.split(':', 2);
  if (name !== undefined && pathname.startsWith(literal)) {
    throw new Error('TODO(step 3): Fill the named segments');
  }
  return path === pathname ? {} : null;
}

/** Answers with a status and `{ "error": message }`. The helpers lesson makes a better one. */
function sendError(res: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: message });
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.writeHead(status).end(body);
}
