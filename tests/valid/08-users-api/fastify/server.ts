// Right: the same API on Fastify 5, with its router, its body parser, hooks and error handler.
import Fastify, { type FastifyRequest } from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';

interface User {
  id: number;
  name: string;
  email: string;
}

const app = Fastify({
  bodyLimit: 64 * 1024,
  routerOptions: { maxParamLength: 1000 },
  // A malformed path reaches no hook.
  frameworkErrors: (error, _request, { raw }) => {
    raw.writeHead(error.statusCode ?? 500, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
    raw.end(JSON.stringify({ error: error.message }));
  },
});
const users: User[] = [];
let count = 0;

const refused = (statusCode: number, message: string): Error => Object.assign(new Error(message), { statusCode });

const listed: string[] = [];
app.addHook('onRoute', ({ method, path, config }) => {
  if (config && 'hidden' in config) return;
  for (const name of [method].flat()) if (name !== 'HEAD') listed.push(`${name} ${path}`);
});

app.addHook('onRequest', async (request, reply) => {
  reply.header('access-control-allow-origin', request.headers.origin ?? '*');
  reply.header('vary', 'origin');
  reply.header('access-control-allow-methods', 'GET,POST,PUT,DELETE,OPTIONS');
  reply.header('access-control-allow-headers', 'content-type,authorization');
  if (request.method === 'OPTIONS' && request.headers.origin && request.headers['access-control-request-method']) {
    return reply.code(204).send();
  }
});

app.removeContentTypeParser('text/plain');
app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'Not found' }));
app.setErrorHandler((error, _request, reply) => {
  const { statusCode = 500, message } = (error ?? {}) as { statusCode?: number; message?: string };
  if (statusCode < 500) return reply.code(statusCode).send({ error: message });
  console.error(error);
  return reply.code(500).send({ error: 'Internal Server Error', statusCode: 500 });
});

type WithId = FastifyRequest<{ Params: { id: string } }>;

function idOf(request: WithId): number {
  const { id } = request.params;
  if (!/^[1-9][0-9]*$/.test(id)) throw refused(400, 'bad id');
  return Number(id);
}

function placeOf(request: WithId): number {
  const id = idOf(request);
  const place = users.findIndex((user) => user.id === id);
  if (place < 0) throw refused(404, 'no such user');
  return place;
}

function fieldsOf(body: unknown): { name: string; email: string } {
  const { name, email } = Object(body) as Record<string, unknown>;
  for (const value of [name, email]) if (typeof value !== 'string' || value.length === 0) throw refused(400, 'bad user');
  return { name: name as string, email: email as string };
}

app.get('/', () => ({ message: 'Users API', version: '1.0.0' }));
app.get<{ Querystring: { name?: string } }>('/users', async ({ query: { name } }) => users.filter((user) => name === undefined || user.name === name));
app.post('/users', async (request, reply) => {
  const user = { id: (count += 1), ...fieldsOf(request.body) };
  users.push(user);
  reply.code(201).header('location', `/users/${user.id}`);
  return user;
});
app.get('/users/:id', async (request: WithId) => users[placeOf(request)]);
app.put('/users/:id', async (request: WithId) => {
  const place = placeOf(request);
  const user = { id: idOf(request), ...fieldsOf(request.body) };
  users[place] = user;
  return user;
});
app.delete('/users/:id', async (request: WithId, reply) => {
  users.splice(placeOf(request), 1);
  return reply.code(204).send();
});

for (const [url, allow] of [['/users', 'GET, HEAD, POST'], ['/users/:id', 'GET, HEAD, PUT, DELETE']] as const) {
  const method = ['POST', 'PUT', 'PATCH', 'DELETE'].filter((name) => !allow.includes(name));
  app.route({ method, url, config: { hidden: true }, handler: (_request, reply) => reply.code(405).header('allow', allow).send({ error: 'Method not allowed' }) });
}

app.get('/boom', () => {
  throw new Error('The cellar is flooded');
});
app.get('/boom/later', async () => {
  await sleep(1);
  throw new Error('The attic is on fire');
});
app.get('/boom/null', async () => {
  throw null;
});
app.get('/boom/halfway', async (_request, reply) => {
  reply.hijack();
  const { raw } = reply;
  try {
    raw.writeHead(200, { 'content-type': 'application/json' }).write('{"rooms":["cellar",');
    await sleep(1);
    throw new Error('The roof has gone');
  } catch (error) {
    console.error(error);
    raw.destroy();
  }
});

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
console.log(listed.join('\n'));
console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);
