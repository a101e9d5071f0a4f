// Right: everything in one file, with callbacks, a switch and nothing of the earlier lessons; it listens on all interfaces.
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';

const require = createRequire(import.meta.url);
const { Server } = require('http') as typeof import('node:http');

type User = { id: number; name: string; email: string };

let users: User[] = [];
let next = 100;

const ROUTES: [string, string][] = [];
['GET /', 'GET /users', 'POST /users', 'GET /users/:id', 'PUT /users/:id', 'DELETE /users/:id'].forEach((line) => ROUTES.push(line.split(' ') as [string, string]));
['/boom', '/boom/later', '/boom/null', '/boom/halfway'].forEach((path) => ROUTES.push(['GET', path]));

function reply(res: ServerResponse, status: number, value?: unknown, more: Record<string, string> = {}): void {
  res.writeHead(status, {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'OPTIONS, DELETE, PUT, POST, GET',
    'access-control-allow-headers': 'content-type, authorization',
    ...(value !== undefined && { 'content-type': 'application/json;charset=utf-8' }),
    ...more,
  });
  if (value === undefined) return void res.end();
  res.write(JSON.stringify(value, null, 2));
  res.end('\n');
}

const complain = (res: ServerResponse, status: number, error: string, more?: Record<string, string>): void =>
  reply(res, status, { status, error }, more);

function crashed(res: ServerResponse, error: unknown): void {
  console.log('!!', error);
  if (res.headersSent) res.socket?.destroy();
  else complain(res, 500, 'Sorry');
}

function readUser(req: IncomingMessage, res: ServerResponse, callback: (fields: { name: string; email: string }) => void): void {
  const type = String(req.headers['content-type']).toLowerCase();
  if (!/^application\/json *(;|$)/.test(type)) {
    req.resume();
    return complain(res, 415, 'JSON only');
  }
  const pieces: Buffer[] = [];
  let total = 0;
  let answered = false;
  req.on('data', function (piece: Buffer) {
    total += piece.byteLength;
    if (total > 65536 && !answered) {
      answered = true;
      complain(res, 413, 'Too much');
    }
    if (!answered) pieces.push(piece);
  });
  req.on('error', function () {});
  req.on('end', function () {
    if (answered) return;
    let body: any;
    try {
      body = JSON.parse(Buffer.concat(pieces).toString());
    } catch {
      return complain(res, 400, 'Not JSON');
    }
    const name = body?.name;
    const email = body?.email;
    if (typeof name !== 'string' || typeof email !== 'string' || name === '' || email === '') return complain(res, 400, 'Not a user');
    callback({ name, email });
  });
}

const server = new Server();
server.on('request', function (req, res) {
  try {
    handle(req, res);
  } catch (error) {
    crashed(res, error);
  }
});

function handle(req: IncomingMessage, res: ServerResponse): void {
  const method = req.method === 'HEAD' ? 'GET' : req.method;
  if (method === 'OPTIONS' && 'origin' in req.headers && 'access-control-request-method' in req.headers) return reply(res, 204);
  const [, path = '', search = ''] = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(req.url ?? '') ?? [];
  if (path === '') return complain(res, 400, 'What?');

  switch (path) {
    case '/':
      if (method !== 'GET') return complain(res, 405, 'No', { allow: 'GET,HEAD' });
      return reply(res, 200, { message: 'Users API', version: '1.0.0' });
    case '/users':
      if (method === 'GET') {
        const name = new URLSearchParams(search).get('name');
        return reply(res, 200, users.filter((user) => name === null || name === user.name));
      }
      if (method !== 'POST') return complain(res, 405, 'No', { allow: 'GET,HEAD,POST' });
      return readUser(req, res, (fields) => {
        const user = { id: (next += 7), ...fields };
        users = [...users, user];
        reply(res, 201, user, { location: `http://localhost/users/${user.id}` });
      });
    case '/boom':
      throw new Error('The cellar is flooded');
    case '/boom/later':
      return void setImmediate(() => crashed(res, new Error('The attic is on fire')));
    case '/boom/null':
      return void Promise.reject(null).catch((error) => crashed(res, error));
    case '/boom/halfway':
      res.write('{"rooms":["cellar",');
      return void setImmediate(() => crashed(res, new Error('The roof has gone')));
  }

  const text = /^\/users\/([^/]+)$/.exec(path)?.[1];
  if (text === undefined) return complain(res, 404, 'No such thing');
  if (!['GET', 'PUT', 'DELETE'].includes(method ?? '')) return complain(res, 405, 'No', { allow: 'GET,HEAD,PUT,DELETE' });
  const id = Number(text);
  if (String(id) !== text || !Number.isSafeInteger(id) || id <= 0) return complain(res, 400, 'Not an id');
  const found = (): User | undefined => users.find((user) => user.id === id);

  if (!found() && method !== 'PUT') return complain(res, 404, 'Nobody');
  if (method === 'GET') return reply(res, 200, found());
  if (method === 'DELETE') {
    users = users.filter((user) => user.id !== id);
    return reply(res, 204);
  }
  readUser(req, res, (fields) => {
    const user = found();
    if (!user) return complain(res, 404, 'Nobody');
    Object.assign(user, fields);
    reply(res, 200, user);
  });
}

server.listen(process.env.PORT ? +process.env.PORT : 3000);
server.once('listening', () => {
  for (const [method, path] of ROUTES) console.log(method, path);
  console.log('Server listening on http://localhost:' + (process.env.PORT ?? 3000));
});
