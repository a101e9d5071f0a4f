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
  res.writeHead(501).end('TODO(step 1): Put the pieces together\n');
});

router.get('/users', (_req, res, { query }) => {
  // TODO(step 3): Create users and list them
  res.writeHead(501).end('TODO(step 3): Create users and list them\n');
});

router.post('/users', async (req, res) => {
  res.writeHead(501).end('TODO(step 3): Create users and list them\n');
});

router.get('/users/:id', (_req, res, { params }) => {
  // TODO(step 4): Find one by id
  res.writeHead(501).end('TODO(step 4): Find one by id\n');
});

router.put('/users/:id', async (req, res, { params }) => {
  // TODO(step 5): Replace one
  res.writeHead(501).end('TODO(step 5): Replace one\n');
});

router.delete('/users/:id', (_req, res, { params }) => {
  // TODO(step 6): Delete one
  res.writeHead(501).end('TODO(step 6): Delete one\n');
});

/** Answers one request, whatever happens: the promise never rejects. */
export function api(req: IncomingMessage, res: ServerResponse): Promise<void> {
  return route(req, res).catch((error: unknown) => fail(req, res, error));
}

async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
  // TODO(step 1): Put the pieces together
  res.writeHead(501).end('TODO(step 1): Put the pieces together\n');
}

/** The one place where errors become answers. What the client did wrong it is told; what we did wrong we are told. */
function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  // TODO(step 2): Catch every error once
  res.writeHead(501).end('TODO(step 2): Catch every error once\n');
}
