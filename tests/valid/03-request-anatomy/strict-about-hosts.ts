// Right: answers 400 to a Host field that is no host, as RFC 9112 3.2 asks, and closes the connection after each answer.
import * as http from 'node:http';

const counters = { left: 0, halfSent: 0 };
const validHost = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~%!$&'()*+,;=-]+)(?::(\d{0,5}))?$/i;

function hostIsFine(host: string | undefined): boolean {
  if (host === undefined) return true;
  const match = validHost.exec(host);
  return match !== null && Number(match[1] ?? 0) < 65536;
}

function reply(res: http.ServerResponse, status: number, data: object): void {
  res.shouldKeepAlive = false;
  res.writeHead(status, { 'CONTENT-TYPE': 'application/json;charset=UTF-8', Vary: 'Host' });
  for (const piece of JSON.stringify(data).match(/[^]{1,7}/g) ?? []) res.write(piece);
  res.end();
}

function locate(target: string): URL | undefined {
  const absolute = /^https?:\/\/[^/?#]+/i.exec(target)?.[0];
  if (absolute && URL.canParse(absolute))
    target = target.slice(absolute.length).replace(/^(?!\/)/, '/');
  if (!target.startsWith('/')) return undefined;
  const [path = '', ...query] = target.split('?');
  const url = new URL('http://nowhere');
  url.pathname = path;
  url.search = query.join('?');
  return url;
}

http
  .createServer((req, res) => {
    const { socket } = req;
    res.on('close', () => {
      if (res.writableFinished) return;
      counters.left++;
      if (!req.complete) counters.halfSent++;
    });
    const url = hostIsFine(req.headers.host) ? locate(req.url ?? '') : undefined;
    if (!url) return reply(res, 400, { error: 'Bad request' });
    const query = url.searchParams;
    switch (url.pathname) {
      case '/line':
        return reply(res, 200, {
          ...{ method: req.method, target: req.url },
          httpVersion: req.httpVersion,
          statusCode: null,
        });
      case '/search': {
        const page = query.get('page') ?? 1;
        if (page !== 1 && String(Math.trunc(Number(page))) !== page)
          return reply(res, 400, { error: 'page' });
        if (Number(page) < 1) return reply(res, 400, { error: 'page' });
        return reply(res, 200, {
          page: Number(page),
          tags: [...query].flatMap(([k, v]) => (k === 'tag' ? v : [])),
          q: query.get('q'),
        });
      }
      case '/headers': {
        const { 'content-type': type = null, cookie = null, 'x-tag': tag = [] } = req.headers;
        const tags = [tag].flat().flatMap((line) => line.match(/[^,\s](?:[^,]*[^,\s])?/g) ?? []);
        const names = Array.from(
          { length: req.rawHeaders.length / 2 },
          (_, i) => req.rawHeaders[i * 2],
        );
        return reply(res, 200, { type, cookie, tags, names });
      }
      case '/peer': {
        const address = socket.remoteAddress ?? '';
        return reply(res, 200, {
          address,
          port: socket.remotePort,
          encrypted: 'encrypted' in socket,
          loopback: /(^|:)127\.|^::1$/.test(address),
        });
      }
      case '/body': {
        const before = req.complete;
        const decoder = new TextDecoder('utf-8');
        let [bytes, text] = [0, ''];
        req.on('readable', () => {
          for (let piece: Buffer | null; (piece = req.read()) !== null; bytes += piece.length)
            text += decoder.decode(piece, { stream: true });
        });
        req.on('end', () =>
          reply(res, 200, {
            bytes,
            text: text + decoder.decode(),
            complete: { before, after: req.complete },
          }),
        );
        return;
      }
      case '/wait':
        return void setTimeout(reply, 5000, res, 200, { waited: true });
      case '/left':
        return reply(res, 200, counters);
      default:
        return reply(res, 404, { error: 'Not found', path: url.pathname });
    }
  })
  .listen(Number(process.env.PORT ?? 3000), '127.0.0.1', function (this: unknown) {
    process.stdout.write(`Server listening on http://localhost:${process.env.PORT ?? 3000}\n`);
  });
