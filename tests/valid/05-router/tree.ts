// Right: a tree of segments instead of a list; the order of registration decides between branches.
import type { IncomingMessage, ServerResponse } from 'node:http';

export type Handler = (
  req: IncomingMessage,
  res: ServerResponse,
  context: { params: Record<string, string>; query: URLSearchParams },
) => void | Promise<void>;

interface Leaf {
  order: number;
  method: string;
  names: string[];
  handler: Handler;
}

class Node {
  plain = new Map<string, Node>();
  named: Node | undefined;
  leaves: Leaf[] = [];
}

export class Router {
  private root = new Node();
  private registered: { method: string; path: string }[] = [];

  get(path: string, handler: Handler) {
    return this.on('GET', path, handler);
  }
  post(path: string, handler: Handler) {
    return this.on('POST', path, handler);
  }
  put(path: string, handler: Handler) {
    return this.on('PUT', path, handler);
  }
  patch(path: string, handler: Handler) {
    return this.on('PATCH', path, handler);
  }
  delete(path: string, handler: Handler) {
    return this.on('DELETE', path, handler);
  }

  private on(method: string, path: string, handler: Handler): this {
    const names: string[] = [];
    let node = this.root;
    for (const segment of path.split('/')) {
      if (segment[0] === ':') {
        names.push(segment.slice(1));
        node = node.named ??= new Node();
      } else {
        let next = node.plain.get(segment);
        if (!next) node.plain.set(segment, (next = new Node()));
        node = next;
      }
    }
    node.leaves.push({ order: this.registered.length, method, names, handler });
    this.registered.push({ method, path });
    return this;
  }

  get routes() {
    return [...this.registered];
  }

  /** Every leaf that the path leads to, with the values on the way, in the order of registration. */
  private leaves(pathname: string): { leaf: Leaf; values: string[] }[] {
    const segments = pathname.split('/');
    const found: { leaf: Leaf; values: string[] }[] = [];
    const visit = (node: Node, at: number, values: string[]): void => {
      const segment = segments[at];
      if (segment === undefined) {
        for (const leaf of node.leaves) found.push({ leaf, values });
        return;
      }
      const plain = node.plain.get(segment);
      if (plain) visit(plain, at + 1, values);
      if (node.named && segment !== '') visit(node.named, at + 1, [...values, segment]);
    };
    visit(this.root, 0, []);
    return found.sort((a, b) => a.leaf.order - b.leaf.order);
  }

  match(method: string, pathname: string) {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const first = this.leaves(pathname).find(({ leaf }) => leaf.method === wanted);
    if (!first) return null;
    const entries = first.leaf.names.map((name, index) => [name, decodeURIComponent(first.values[index] ?? '')]);
    return {
      handler: first.leaf.handler,
      params: Object.setPrototypeOf(Object.fromEntries(entries), null) as Record<string, string>,
    };
  }

  async handle(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const methods = new Set(this.leaves(url.pathname).map(({ leaf }) => leaf.method));
    if (methods.size === 0) return refuse(res, 404, 'nothing here');
    let found;
    try {
      found = this.match(req.method ?? 'GET', url.pathname);
    } catch {
      return refuse(res, 400, 'bad escape');
    }
    if (!found) {
      if (methods.has('GET')) methods.add('HEAD');
      res.setHeader('ALLOW', [...methods]);
      return refuse(res, 405, 'not with this method');
    }
    await found.handler(req, res, { params: found.params, query: url.searchParams });
  }
}

function refuse(res: ServerResponse, code: number, error: string): void {
  res.statusCode = code;
  res.setHeader('CONTENT-TYPE', 'application/json');
  res.write('{ "error" : ');
  res.write(JSON.stringify(error));
  res.end(' }\n');
}
