// Wrong: an empty name lists everybody when the query has another parameter.
// Fails: step 3, empty-query-is-none | query-ignored
// @ts-nocheck The modules that it imports lie beside it only where it is judged.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router } from '../05-router/router.ts';
import { requestURL } from '../05-router/target.ts';
import { HttpError, readBodyJSON, sendJSON } from '../06-helpers/helpers.ts';
import { cors } from '../07-cors/cors.ts';

interface User { id: number; name: string; email: string }
const users = new Map<number, User>();
let lastId = 0;
export const router = new Router();

router.get('/', (_req, res) => sendJSON(res, { message: 'Users API', version: '1.0.0' }));

router.get('/users', (_req, res, { query }) => {
  const name = query.size === 1 ? query.get('name') : null;
  const all = [...users.values()];
  sendJSON(res, name === null ? all : all.filter((u) => u.name === name));
});

router.post('/users', async (req, res) => {
  const input = readUser(await readBodyJSON(req));
  const id = ++lastId;
  const user = { id, ...input };
  users.set(id, user);
  res.setHeader('Location', `/users/${id}`);
  sendJSON(res, user, 201);
});

router.get('/users/:id', (_req, res, { params }) => {
  const user = users.get(idOf(params));
  if (!user) throw new HttpError(404, 'No such user');
  sendJSON(res, user);
});

router.put('/users/:id', async (req, res, { params }) => {
  const id = idOf(params);
  const input = readUser(await readBodyJSON(req));
  if (!users.has(id)) throw new HttpError(404, 'No such user');
  const user = { id, ...input };
  users.set(id, user);
  sendJSON(res, user);
});

router.delete('/users/:id', (_req, res, { params }) => {
  if (!users.delete(idOf(params))) throw new HttpError(404, 'No such user');
  res.writeHead(204);
  res.end();
});

function idOf(params: Record<string, string>): number {
  const id = params['id'] ?? '';
  if (!/^[1-9][0-9]*$/.test(id)) throw new HttpError(400, 'An id is a whole positive number');
  return Number(id);
}

function readUser(body: unknown): { name: string; email: string } {
  if (typeof body !== 'object' || body === null) throw new HttpError(400, 'Not a user');
  const { name, email } = body as Record<string, unknown>;
  if (typeof name !== 'string' || name === '') throw new HttpError(400, 'No name');
  if (typeof email !== 'string' || email === '') throw new HttpError(400, 'No email');
  return { name, email };
}

export async function api(req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    if (cors(req, res)) return;
    const url = requestURL(req.url);
    if (url === null) throw new HttpError(400, 'Bad target');
    await router.handle(req, res, url);
  } catch (error) {
    fail(res, error);
  }
}

function fail(res: ServerResponse, error: unknown): void {
  if (error instanceof HttpError && !res.headersSent) {
    sendJSON(res, { error: error.message }, error.status);
    return;
  }
  console.error(error);
  if (res.headersSent) res.destroy();
  else sendJSON(res, { error: 'Internal server error' }, 500);
}
