// Right: a class for the policy, made once for each options object, fields read from rawHeaders.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  origins?: '*' | readonly string[];
  credentials?: boolean;
  maxAge?: number;
}

class Policy {
  readonly #options: CorsOptions;
  constructor(options: CorsOptions) {
    this.#options = options;
  }
  #admits(origin: string | undefined): string | undefined {
    const { origins = '*' } = this.#options;
    if (origins === '*') return '*';
    return origins.find((one) => one === origin);
  }
  apply(req: Request, res: ServerResponse): boolean {
    const named = this.#admits(req.field('origin'));
    if (named !== '*') res.appendHeader('vary', 'origin');
    if (named) res.setHeader('access-control-allow-origin', named);
    if (named && named !== '*' && this.#options.credentials) res.setHeader('access-control-allow-credentials', 'true');
    res.setHeader('access-control-allow-methods', 'OPTIONS, DELETE, PUT, POST, GET');
    res.setHeader('access-control-allow-headers', 'Authorization, Content-Type, Accept');
    if (!req.isPreflight) return false;
    res.setHeader('access-control-max-age', `${this.#options.maxAge ?? 600}`);
    res.statusCode = 204;
    res.end(() => {});
    return true;
  }
}

class Request {
  readonly #req: IncomingMessage;
  constructor(req: IncomingMessage) {
    this.#req = req;
  }
  field(name: string): string | undefined {
    const at = this.#req.rawHeaders.findIndex((text, n) => n % 2 === 0 && text.toLowerCase() === name);
    return at < 0 ? undefined : this.#req.rawHeaders[at + 1];
  }
  get isPreflight(): boolean {
    return (
      this.#req.method === 'OPTIONS' &&
      this.field('origin') !== undefined &&
      this.field('access-control-request-method') !== undefined
    );
  }
}

const policies = new WeakMap<CorsOptions, Policy>();
const open = new Policy({});

export function cors(req: IncomingMessage, res: ServerResponse, options?: CorsOptions): boolean {
  let policy = options ? policies.get(options) : open;
  if (!policy) {
    policy = new Policy(options ?? {});
    if (options) policies.set(options, policy);
  }
  return policy.apply(new Request(req), res);
}
