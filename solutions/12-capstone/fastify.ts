// The same program on Fastify 5. It passes the same tests; README.md says what its lines replace.
import fastify, { type FastifyRequest } from 'fastify';
import { join } from 'node:path';
import { serveStatic } from '../09-static-files/static.ts';
import { handleErrors, logRequests } from '../10-server-events/events.ts';
import { shutdownOnSignals } from '../11-graceful-shutdown/shutdown.ts';

interface User {
  id: number;
  name: string;
  email: string;
}

const refusal = (statusCode: number, message: string): Error => Object.assign(new Error(message), { statusCode });

const { env } = process;
const app = fastify({ bodyLimit: 64 * 1024 });
const { server } = app;
logRequests(server);
// Fastify answers malformed requests itself; ours does it here, as in the other two programs.
server.removeAllListeners('clientError');
handleErrors(server);
const shutdown = shutdownOnSignals(server, Number(env.SHUTDOWN_TIMEOUT_MS ?? 10_000));

const windowMs = Number(env.RATE_WINDOW_MS ?? 10_000);
const clients = new Map<string, { requests: number; until: number }>();
const forgetting = setInterval(() => {
  for (const [address, { until }] of clients) if (until <= performance.now()) clients.delete(address);
}, windowMs);
shutdown.onDrain(() => clearInterval(forgetting));

app.addHook('onRequest', async (request, reply) => {
  if (request.url.split('?')[0] === '/health') return;
  const now = performance.now();
  const known = clients.get(request.ip);
  const client = known && known.until > now ? known : { requests: 0, until: now + windowMs };
  clients.set(request.ip, client);
  client.requests += 1;
  if (client.requests <= Number(env.RATE_LIMIT ?? 1000)) return;
  return reply
    .code(429)
    .header('Retry-After', Math.ceil((client.until - now) / 1000))
    .send({ error: 'Too many requests' });
});

app.get('/health', (_request, reply) => {
  reply.hijack();
  shutdown.health(reply.raw);
});

const users = new Map<number, User>();
let lastId = 0;

type WithId = FastifyRequest<{ Params: { id: string } }>;

function userOf({ params: { id } }: WithId): User {
  if (!/^[1-9]\d*$/.test(id)) throw refusal(400, 'An id is a whole positive number');
  const user = users.get(Number(id));
  if (!user) throw refusal(404, 'No such user');
  return user;
}

const fields = {
  schema: {
    body: {
      type: 'object',
      required: ['name', 'email'],
      properties: { name: { type: 'string', minLength: 1 }, email: { type: 'string', minLength: 1 } },
      additionalProperties: false,
    },
  },
} as const;
type Fields = { Body: Omit<User, 'id'> };

app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
  const { statusCode = 500, message } = error;
  if (statusCode >= 500) console.error(error);
  return reply.code(statusCode).send({ error: statusCode < 500 ? message : 'Internal server error' });
});

await app.register(
  async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      reply.header('Access-Control-Allow-Origin', '*');
      reply.header('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
      reply.header('Access-Control-Allow-Headers', 'Content-Type, Authorization');
      if (request.method === 'OPTIONS' && request.headers['access-control-request-method']) return reply.code(204).send();
    });
    api.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'Not found' }));
    api.get<{ Querystring: { name?: string } }>('/', async ({ query }) => {
      const all = [...users.values()];
      return query.name === undefined ? all : all.filter(({ name }) => name === query.name);
    });
    api.post<Fields>('/', fields, async ({ body }, reply) => {
      const user = { id: ++lastId, ...body };
      users.set(user.id, user);
      return reply.code(201).header('Location', `/users/${user.id}`).send(user);
    });
    api.get('/:id', async (request: WithId) => userOf(request));
    api.put<Fields & { Params: { id: string } }>('/:id', fields, async (request) => {
      const user = { id: userOf(request).id, ...request.body };
      users.set(user.id, user);
      return user;
    });
    api.delete('/:id', async (request: WithId, reply) => {
      users.delete(userOf(request).id);
      return reply.code(204).send();
    });
  },
  { prefix: '/users' },
);

// Files need the plugin @fastify/static; ours from the static files lesson does the same.
const files = serveStatic(join(import.meta.dirname, 'public'));
app.setNotFoundHandler(async (request, reply) => {
  reply.hijack();
  await files(request.raw, reply.raw);
});

await app.listen({ port: Number(env.PORT ?? 3000), host: '127.0.0.1' });
const address = server.address();
console.log(`Server listening on http://localhost:${typeof address === 'object' && address ? address.port : ''}`);
