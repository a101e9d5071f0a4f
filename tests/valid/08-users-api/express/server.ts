// Right: the same API on Express 5, whose router, body parser and error handling take the place of the three modules.
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import { setImmediate as nextTurn } from 'node:timers/promises';

interface User {
  id: number;
  name: string;
  email: string;
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const users = new Map<number, User>();
let lastId = 0;

const app = express();
app.set('strict routing', true);
app.set('case sensitive routing', true);
app.set('query parser', 'simple');

app.use((req, res, next) => {
  res.set({
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Content-Type, Authorization',
  });
  const preflight = req.method === 'OPTIONS' && req.get('Origin') && req.get('Access-Control-Request-Method');
  if (preflight) res.sendStatus(204);
  else next();
});
app.use(express.json({ limit: '64kb', strict: false }));

const parseId = (text: unknown): number => {
  if (typeof text !== 'string' || !/^[1-9]\d*$/.test(text)) throw new Refused(400, 'An id is a whole positive number');
  return Number(text);
};

const find = (id: number): User => {
  const user = users.get(id);
  if (!user) throw new Refused(404, `No user ${id}`);
  return user;
};

const fieldsOf = (req: Request): Pick<User, 'name' | 'email'> => {
  if (!req.is('application/json')) throw new Refused(415, 'Send application/json');
  const { name, email } = (req.body ?? {}) as Partial<Record<'name' | 'email', unknown>>;
  if (typeof name !== 'string' || typeof email !== 'string' || !name || !email) throw new Refused(400, 'name and email, please');
  return { name, email };
};

const notAllowed = (allow: string) => (_req: Request, res: Response): void => {
  res.status(405).set('Allow', allow).json({ error: 'Method not allowed' });
};

app.get('/', (_req, res) => {
  res.json({ version: '1.0.0', message: 'Users API' });
});
app
  .route('/users')
  .get((req, res) => {
    const { name } = req.query;
    const all = [...users.values()];
    res.json(name === undefined ? all : all.filter((user) => user.name === name));
  })
  .post((req, res) => {
    const user = { id: ++lastId, ...fieldsOf(req) };
    users.set(user.id, user);
    res.status(201).location(`/users/${user.id}`).json(user);
  })
  .all(notAllowed('GET, HEAD, POST, OPTIONS'));
app
  .route('/users/:id')
  .get((req, res) => {
    res.json(find(parseId(req.params.id)));
  })
  .put((req, res) => {
    const { id } = find(parseId(req.params.id));
    const user = { id, ...fieldsOf(req) };
    users.set(id, user);
    res.json(user);
  })
  .delete((req, res) => {
    users.delete(find(parseId(req.params.id)).id);
    res.status(204).end();
  })
  .all(notAllowed('GET, HEAD, PUT, DELETE, OPTIONS'));

app.get('/boom', () => {
  throw new Error('The cellar is flooded');
});
app.get('/boom/later', async () => {
  await nextTurn();
  throw new Error('The attic is on fire');
});
app.get('/boom/null', async () => {
  throw null;
});
app.get('/boom/halfway', async (_req, res) => {
  res.type('json').write('{"rooms":["cellar",');
  await nextTurn();
  throw new Error('The roof has gone');
});

app.use((req, res) => {
  res.status(404).json({ error: `Nothing at ${req.path}` });
});

const onError: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  const status = (error as { status?: number } | null)?.status ?? 500;
  if (status >= 500) console.error(error);
  // Express closes the connection where an answer has begun.
  if (res.headersSent) next(error);
  else res.status(status).json({ error: status < 500 ? (error as Error).message : 'Something went wrong' });
};
app.use(onError);

app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${process.env.PORT ?? 3000}`);
  for (const { route } of app.router.stack) {
    const methods = new Set(route?.stack.map(({ method }) => method).filter(Boolean));
    for (const method of methods) console.log(`  ${method.toUpperCase()}\t${route?.path}`);
  }
});
