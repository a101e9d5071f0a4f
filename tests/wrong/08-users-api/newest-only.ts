// Wrong: the list has the newest 25 users only.
// Fails: step 3, user-lost
// @ts-nocheck The modules that it imports lie beside it only where it is judged.
// The users API as a module: whoever imports it gets `api` to answer requests and `router` to add routes. It doesn't listen.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router } from '../05-router/router.ts';
import { requestURL } from '../05-router/target.ts';
import { HttpError, readBodyJSON, sendJSON } from '../06-helpers/helpers.ts';
import { cors } from '../07-cors/cors.ts';

interface User {
  readonly id: number;
  readonly name: string;
  readonly email: string;
}

/** Every user by id, in the order of creation. It lives as long as the process. */
const users = new Map<number, User>();
let lastId = 0;

export const router = new Router();

router.get('/', (_req, res) => {
  sendJSON(res, { message: 'Users API', version: '1.0.0' });
});

router.get('/users', (_req, res, { query }) => {
  const name = query.get('name');
  const all = [...users.values()].slice(-25);
  sendJSON(res, name === null ? all : all.filter((user) => user.name === name));
});

router.post('/users', async (req, res) => {
  const fields = userFields(await readBodyJSON(req));
  // From here to the end nothing is awaited, so that no other request comes in between.
  const user = { id: ++lastId, ...fields };
  users.set(user.id, user);
  res.setHeader('Location', `/users/${user.id}`);
  sendJSON(res, user, 201);
});

router.get('/users/:id', (_req, res, { params }) => {
  const user = users.get(parseId(params.id));
  if (user === undefined) throw new HttpError(404, 'No such user');
  sendJSON(res, user);
});

router.put('/users/:id', async (req, res, { params }) => {
  const id = parseId(params.id);
  const fields = userFields(await readBodyJSON(req));
  // Looked up only now: while the body was on its way, another request may have deleted the user.
  if (!users.has(id)) throw new HttpError(404, 'No such user');
  const user = { id, ...fields };
  users.set(id, user);
  sendJSON(res, user);
});

router.delete('/users/:id', (_req, res, { params }) => {
  if (!users.delete(parseId(params.id))) throw new HttpError(404, 'No such user');
  res.writeHead(204).end();
});

/** Answers one request, whatever happens: the promise never rejects. */
export function api(req: IncomingMessage, res: ServerResponse): Promise<void> {
  return route(req, res).catch((error: unknown) => fail(req, res, error));
}

async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (cors(req, res)) return;
  const url = requestURL(req.url);
  if (url === null) return sendJSON(res, { error: 'Bad request target' }, 400);
  await router.handle(req, res, url);
}

/** The one place where errors become answers. What the client did wrong it is told; what we did wrong we are told. */
function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  // A body that is still on its way will not be read, so this connection is of no further use.
  if (!req.complete && !res.headersSent) res.setHeader('Connection', 'close');
  if (error instanceof HttpError) return sendJSON(res, { error: error.message }, error.status);
  console.error(error);
  // Where an answer has begun, sendJSON cuts it off: its status line can't be taken back.
  sendJSON(res, { error: 'Internal server error' }, 500);
}

/** @throws HttpError 400 unless the text is a whole positive number, written in digits and nothing else */
function parseId(text: string | undefined): number {
  const id = Number(text);
  if (text === undefined || !/^[1-9]\d*$/.test(text) || !Number.isSafeInteger(id)) {
    throw new HttpError(400, 'An id is a whole positive number');
  }
  return id;
}

/** The two fields that a client may set. Whatever else the body holds stays behind. */
function userFields(body: unknown): { name: string; email: string } {
  if (typeof body === 'object' && body !== null && 'name' in body && 'email' in body) {
    const { name, email } = body;
    if (isText(name) && isText(email)) return { name, email };
  }
  throw new HttpError(400, 'A user has a name and an email, both texts that are not empty');
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
