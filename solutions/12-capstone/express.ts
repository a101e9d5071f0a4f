// The same program on Express 5. It passes the same tests; README.md says what its lines replace.
import express, { type NextFunction, type Request, type Response } from 'express';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { handleErrors, logRequests } from '../10-server-events/events.ts';
import { shutdownOnSignals } from '../11-graceful-shutdown/shutdown.ts';

interface User {
  id: number;
  name: string;
  email: string;
}

/** http-errors, which Express uses itself, reads a status from an error in this way. */
const refusal = (status: number, message: string): Error => Object.assign(new Error(message), { status });

const { env } = process;
const app = express().disable('x-powered-by').enable('case sensitive routing');
const server = createServer();
logRequests(server);
handleErrors(server);
const shutdown = shutdownOnSignals(server, Number(env.SHUTDOWN_TIMEOUT_MS ?? 10_000));
// Last, for Express changes req.url while it looks for a route, and the log wants it as it came.
server.on('request', app);

app.get('/health', (_req, res) => shutdown.health(res));

const windowMs = Number(env.RATE_WINDOW_MS ?? 10_000);
const clients = new Map<string, { requests: number; until: number }>();
const forgetting = setInterval(() => {
  for (const [address, { until }] of clients) if (until <= performance.now()) clients.delete(address);
}, windowMs);
shutdown.onDrain(() => clearInterval(forgetting));

app.use((req, res, next) => {
  const now = performance.now();
  const known = clients.get(req.ip ?? '');
  const client = known && known.until > now ? known : { requests: 0, until: now + windowMs };
  clients.set(req.ip ?? '', client);
  client.requests += 1;
  if (client.requests <= Number(env.RATE_LIMIT ?? 1000)) return next();
  res.set('Retry-After', String(Math.ceil((client.until - now) / 1000)));
  res.status(429).json({ error: 'Too many requests' });
});

const users = new Map<number, User>();
let lastId = 0;

function userOf(req: Request): User {
  const { id = '' } = req.params;
  if (typeof id !== 'string' || !/^[1-9]\d*$/.test(id)) throw refusal(400, 'An id is a whole positive number');
  const user = users.get(Number(id));
  if (!user) throw refusal(404, 'No such user');
  return user;
}

function fieldsOf({ body }: Request): Omit<User, 'id'> {
  const { name, email } = Object(body) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof email !== 'string' || !name || !email) throw refusal(400, 'A user has a name and an email');
  return { name, email };
}

const api = express.Router({ strict: true, caseSensitive: true });
api.use((req, res, next) => {
  res.set('Access-Control-Allow-Origin', '*');
  res.set('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.set('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (req.method === 'OPTIONS' && req.get('Access-Control-Request-Method')) res.status(204).end();
  else next();
});
api.use(express.json({ limit: '64kb' }));
api
  .route('/')
  .get((req, res) => {
    const all = [...users.values()];
    res.json(req.query.name === undefined ? all : all.filter(({ name }) => name === req.query.name));
  })
  .post((req, res) => {
    const user = { id: ++lastId, ...fieldsOf(req) };
    users.set(user.id, user);
    res.status(201).location(`/users/${user.id}`).json(user);
  });
api
  .route('/:id')
  .get((req, res) => void res.json(userOf(req)))
  .put((req, res) => {
    const user = { id: userOf(req).id, ...fieldsOf(req) };
    users.set(user.id, user);
    res.json(user);
  })
  .delete((req, res) => {
    users.delete(userOf(req).id);
    res.status(204).end();
  });
api.use(() => {
  throw refusal(404, 'Not found');
});
app.use('/users', api);
app.use(express.static(join(import.meta.dirname, 'public')));

// Express knows an error handler by its four parameters.
app.use((error: Error & { status?: number }, _req: Request, res: Response, next: NextFunction) => {
  const { status = 500 } = error;
  if (status >= 500) console.error(error);
  if (res.headersSent) next(error);
  else res.status(status).json({ error: status < 500 ? error.message : 'Internal server error' });
});

const port = Number(env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  console.log(`Server listening on http://localhost:${typeof address === 'object' && address ? address.port : port}`);
});
