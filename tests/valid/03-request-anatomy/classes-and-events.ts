// Right: a class with a Map of methods, data and end listeners, setHeader and statusCode, listening on all interfaces.
import http from 'node:http';

class Anatomy {
  readonly paths = new Map<
    string,
    (req: http.IncomingMessage, res: http.ServerResponse, url: URL) => void
  >([
    ['/line', (req, res) => this.line(req, res)],
    ['/search', (_req, res, url) => this.search(res, url)],
    ['/headers', (req, res) => this.headers(req, res)],
    ['/peer', (req, res) => this.peer(req, res)],
    ['/body', (req, res) => this.body(req, res)],
    ['/wait', (_req, res) => this.wait(res)],
    ['/left', (_req, res) => this.send(res, 200, { halfSent: this.halfSent, left: this.left })],
  ]);
  left = 0;
  halfSent = 0;

  handle(req: http.IncomingMessage, res: http.ServerResponse): void {
    res.once('close', () => {
      if (!res.writableFinished) {
        this.left++;
        this.halfSent += req.complete ? 0 : 1;
      }
    });
    let url: URL;
    try {
      const target = req.url!;
      if (target[0] === '/') url = new URL('http://internal.invalid' + target);
      else if (['http://', 'https:/'].includes(target.slice(0, 7).toLowerCase()))
        url = new URL(target);
      else throw new Error(`${target} is no target for this server`);
    } catch (error) {
      this.send(res, 400, { error: error instanceof Error ? error.message : 'bad' });
      return;
    }
    const path = this.paths.get(url.pathname);
    if (path) path(req, res, url);
    else this.send(res, 404, { path: url.pathname, error: `There is no ${url.pathname} here.` });
  }

  send(res: http.ServerResponse, status: number, data: unknown): void {
    const body = Buffer.from(JSON.stringify(data, null, 2) + '\n');
    res.statusCode = status;
    res.setHeader('content-type', 'application/json; charset=utf-8');
    res.setHeader('content-length', body.length);
    res.end(body);
  }

  line(req: http.IncomingMessage, res: http.ServerResponse): void {
    const { method, url, httpVersionMajor, httpVersionMinor } = req;
    this.send(res, 200, {
      statusCode: null,
      httpVersion: `${httpVersionMajor}.${httpVersionMinor}`,
      target: url,
      method,
    });
  }

  search(res: http.ServerResponse, url: URL): void {
    let page = 1;
    if (url.searchParams.has('page')) {
      const text = url.searchParams.get('page')!;
      if (!/^\d+$/.test(text) || Number(text) < 1)
        return this.send(res, 400, { error: 'Bad page' });
      page = Number(text);
    }
    const q = url.searchParams.has('q') ? url.searchParams.get('q') : null;
    this.send(res, 200, { q, tags: url.searchParams.getAll('tag'), page });
  }

  headers(req: http.IncomingMessage, res: http.ServerResponse): void {
    const names: string[] = [];
    const tags: string[] = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      const name = req.rawHeaders[i]!;
      names.push(name);
      if (name.toLowerCase() === 'x-tag') tags.push(...req.rawHeaders[i + 1]!.split(/\s*,\s*/));
    }
    this.send(res, 200, {
      type: req.headers['content-type'] || null,
      cookie: req.headers.cookie || null,
      tags,
      names,
    });
  }

  peer(req: http.IncomingMessage, res: http.ServerResponse): void {
    const { remoteAddress = '', remotePort } = req.socket;
    const loopback = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(remoteAddress);
    this.send(res, 200, { address: remoteAddress, port: remotePort, encrypted: false, loopback });
  }

  body(req: http.IncomingMessage, res: http.ServerResponse): void {
    const complete = { before: req.complete, after: false };
    let all = Buffer.alloc(0);
    req.on('data', (chunk: Buffer) => (all = Buffer.concat([all, chunk])));
    req.on('end', () => {
      complete.after = req.complete;
      this.send(res, 200, { bytes: all.byteLength, text: all.toString(), complete });
    });
  }

  wait(res: http.ServerResponse): void {
    setTimeout(() => this.send(res, 200, {}), 5000);
  }
}

const anatomy = new Anatomy();
const port = process.env.PORT ?? '3000';
new http.Server((req, res) => anatomy.handle(req, res)).listen(Number(port), () => {
  console.log(`Server listening on http://localhost:${port}`);
});
