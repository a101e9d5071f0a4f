// Right: a class for the store, one table of handlers, the router's own list; 404 before and after the body has come.
// @ts-nocheck The modules that it imports lie beside it only where it is judged.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router, type Context } from '../05-router/router.ts';
import { requestURL } from '../05-router/target.ts';
import { HttpError, readBodyJSON, sendJSON } from '../06-helpers/helpers.ts';
import { cors } from '../07-cors/cors.ts';

class Users {
  #list: { id: number; name: string; email: string }[] = [];
  #next = 1_000_001;

  all(name: string | null) {
    return this.#list.filter((user) => name === null || user.name === name);
  }
  one(id: bigint) {
    return this.#list.find((user) => BigInt(user.id) === id) ?? refuse(404);
  }
  add(fields: { name: string; email: string }) {
    const user = { ...fields, id: this.#next++ };
    this.#list.push(user);
    return user;
  }
  remove(id: bigint) {
    this.#list.splice(this.#list.indexOf(this.one(id)), 1);
  }
}

const refuse = (status: number): never => {
  throw new HttpError(status, `Refused with ${status}`);
};

const users = new Users();

async function body(req: IncomingMessage): Promise<{ name: string; email: string }> {
  const value = (await readBodyJSON(req)) as { name?: unknown; email?: unknown } | null;
  const [name, email] = [value?.name, value?.email];
  return typeof name === 'string' && typeof email === 'string' && name.length * email.length > 0 ? { name, email } : refuse(400);
}

const id = ({ params }: Context): bigint => (/^(?!0)[0-9]+$/.test(params.id ?? '') ? BigInt(params.id ?? 0) : refuse(400));

export const router = new Router();
router.get('/', (_req, res) => sendJSON(res, { message: 'Users API', version: '1.0.0' }));
router.get('/users', async (_req, res, { query }) => sendJSON(res, users.all(query.get('name'))));
router.post('/users', async (req, res) => {
  const user = users.add(await body(req));
  sendJSON(res.setHeader('Location', `/users/${user.id}`), user, 201);
});
router.get('/users/:id', (_req, res, context) => sendJSON(res, users.one(id(context))));
router.put('/users/:id', async (req, res, context) => {
  const key = id(context);
  users.one(key);
  const fields = await body(req);
  sendJSON(res, Object.assign(users.one(key), fields));
});
router.delete('/users/:id', (_req, res, context) => {
  users.remove(id(context));
  res.statusCode = 204;
  res.end();
});

export const api = (req: IncomingMessage, res: ServerResponse): Promise<void> =>
  Promise.resolve()
    .then(() => {
      if (cors(req, res)) return;
      const url = requestURL(req.url) ?? refuse(400);
      return router.handle(req, res, url);
    })
    .catch((error: unknown) => {
      if (res.headersSent) {
        console.error('Half way:', error);
        res.destroy();
      } else if (error instanceof HttpError && error.status < 500) {
        sendJSON(res, { error: error.message, status: error.status }, error.status);
      } else {
        console.error('Unexpected:', error);
        sendJSON(res, { error: 'Unexpected' }, 500);
      }
    });
