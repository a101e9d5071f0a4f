// Right: the socket's close tells who left, all requests in flight are kept in a Set, and errors on an aborted upload are answered in vain.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

let [left, halfSent] = [0, 0];
const inFlight = new Set<{ req: IncomingMessage; res: ServerResponse }>();
const origin = new URL('http://origin.invalid');

const json = (res: ServerResponse, data: object, status = 200) =>
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(data));

const server = createServer(async (req, res) => {
  const flight = { req, res };
  inFlight.add(flight);
  res.on('finish', () => inFlight.delete(flight));
  try {
    await route(req, res);
  } catch (error) {
    json(res, { error: String(error) }, error instanceof RangeError ? 400 : 500);
  }
});

server.on('connection', (socket: Socket) => {
  socket.on('close', () => {
    for (const flight of inFlight) {
      if (flight.req.socket !== socket) continue;
      inFlight.delete(flight);
      left += 1;
      if (!flight.req.complete) halfSent += 1;
    }
  });
});

async function route(req: IncomingMessage, res: ServerResponse) {
  const raw = req.url ?? '';
  let href = raw;
  if (raw.startsWith('/')) href = origin.origin + raw;
  else if (!/^https?:/i.test(raw)) throw new RangeError('not a path');
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    throw new RangeError('not a URL');
  }
  const { pathname, searchParams } = url;
  if (pathname === '/line')
    return json(res, {
      method: req.method,
      target: raw,
      httpVersion: req.httpVersion,
      statusCode: req.statusCode ?? null,
    });
  if (pathname === '/search') {
    const page = searchParams.get('page') ?? '1';
    const number = Number(page);
    if (!/^\d+$/.test(page) || number === 0) throw new RangeError('page');
    return json(res, { q: searchParams.get('q'), tags: searchParams.getAll('tag'), page: number });
  }
  if (pathname === '/headers') {
    const fields = new Headers();
    const names: string[] = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      names.push(req.rawHeaders[i] ?? '');
      fields.append(req.rawHeaders[i] ?? '', req.rawHeaders[i + 1] ?? '');
    }
    const tags =
      fields
        .get('x-tag')
        ?.split(',')
        .map((tag) => tag.trim()) ?? [];
    return json(res, {
      type: fields.get('content-type')?.split(',')[0] ?? null,
      cookie: fields.get('cookie'),
      tags,
      names,
    });
  }
  if (pathname === '/peer') {
    const { remoteAddress: address, remotePort: port } = req.socket;
    return json(res, {
      address,
      port,
      encrypted: false,
      loopback: !!address?.match(/^(::ffff:)?127\.|^::1$/),
    });
  }
  if (pathname === '/body') {
    const before = req.complete;
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece);
    const body = Buffer.concat(pieces);
    return json(res, {
      bytes: body.length,
      text: body.toString(),
      complete: { before, after: req.complete },
    });
  }
  if (pathname === '/wait') {
    await new Promise((resolve) => setTimeout(resolve, 5000).unref());
    return json(res, { waited: true });
  }
  if (pathname === '/left') return json(res, { left, halfSent });
  return json(res, { error: 'Not found', path: pathname }, 404);
}

const port = process.env.PORT ? Number(process.env.PORT) : 3000;
server
  .listen(port, '::', () => console.log(`Server listening on http://localhost:${port}`))
  .on('error', () => {
    server.listen(port, () => console.log(`Server listening on http://localhost:${port}`));
  });
