// Finished: mounts your Router, so that you can watch it over the wire. Edit router.ts, not this file.
import { createServer, type ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Router, type Handler } from './router.ts';
import { requestURL } from './target.ts';

const router = new Router();

/** A handler that tells which route it belongs to and what the router gave it. */
const show =
  (route: string): Handler =>
  (_req, res, { params, query }) =>
    sendJSON(res, 200, { route, params, query: query.toString() });

router.get('/', show('GET /'));

// One path, five methods.
router.get('/inbox', show('GET /inbox'));
router.post('/inbox', show('POST /inbox'));
router.put('/inbox', show('PUT /inbox'));
router.patch('/inbox', show('PATCH /inbox'));
router.delete('/inbox', show('DELETE /inbox'));
router.post('/mail', show('POST /mail'));

// The same path twice: the first one wins.
router.get('/twice', show('GET /twice, the first'));
router.get('/twice', show('GET /twice, the second'));

// Named segments, and a plain path before one and after one that fits it as well.
router.get('/users', show('GET /users'));
router.get('/users/me', show('GET /users/me'));
router.get('/users/:id', show('GET /users/:id'));
router.put('/users/:id', show('PUT /users/:id'));
router.delete('/users/:id', show('DELETE /users/:id'));
router.get('/users/:id/posts/:post', show('GET /users/:id/posts/:post'));
router.get('/posts/:slug', show('GET /posts/:slug'));
router.get('/posts/latest', show('GET /posts/latest'));

router.get('/teams/:team-name', show('GET /teams/:team-name'));

// A capital and a slash at the end belong to the path like every other character.
router.get('/Docs/', show('GET /Docs/'));

// Two routes that begin alike: what the first one has tried is not the second one's business.
router.get('/pair/:left/end', show('GET /pair/:left/end'));
router.get('/pair/:one/:two', show('GET /pair/:one/:two'));

// Characters that mean something in a regular expression, and nothing in a path.
router.get('/v1.0/status', show('GET /v1.0/status'));
router.get('/v1.0/:item', show('GET /v1.0/:item'));
router.get('/sum/1+1', show('GET /sum/1+1'));
router.get('/sum/(:x)', show('GET /sum/(:x)'));

// A name that every ordinary object has already.
router.get('/proto/:__proto__', (_req, res, { params }) =>
  sendJSON(res, 200, { params, inherits: 'toString' in params }),
);

// It takes its time, and others come in between.
router.get('/later/:name', async (_req, res, context) => {
  await nextTurn();
  sendJSON(res, 200, { route: 'GET /later/:name', params: context.params });
});

// They fail: at once, a little later, and with the error that a malformed escape makes, at once and later.
router.get('/fails/now', () => {
  throw new Error('GET /fails/now fails');
});
router.get('/fails/later', async () => {
  await nextTurn();
  throw new Error('GET /fails/later fails');
});
router.get('/fails/uri', () => {
  decodeURIComponent('%');
});
router.get('/fails/uri-later', async () => {
  await nextTurn();
  decodeURIComponent('%');
});

// Another router has routes of its own. This one is never asked.
const another = new Router();
another.get('/elsewhere', show('GET /elsewhere'));

// What would the router find? Nothing is run.
router.get('/match', (_req, res, { query }) => {
  const found = router.match(query.get('method') ?? 'GET', query.get('path') ?? '/');
  sendJSON(res, 200, found === null ? { found: false } : { found: true, params: found.params });
});

router.get('/routes', (_req, res) => {
  sendJSON(res, 200, router.routes.map(({ method, path }) => `${method} ${path}`));
});

const server = createServer(async (req, res) => {
  try {
    const url = requestURL(req.url);
    if (url === null) return sendJSON(res, 400, { error: 'Bad request target' });
    await router.handle(req, res, url);
  } catch (error) {
    fail(res, error);
  }
});

/** Answers for a handler that failed. A step that is not written yet fails in its own way. */
function fail(res: ServerResponse, error: unknown): void {
  if (error instanceof Error && /^TODO\(step \d\)/.test(error.message)) {
    res.writeHead(501).end(`${error.message}\n`);
    return;
  }
  console.error(error);
  if (res.headersSent) res.destroy();
  else sendJSON(res, 500, { error: 'Internal server error', caughtBy: 'server.ts' });
}

function sendJSON(res: ServerResponse, status: number, data: unknown): void {
  const body = JSON.stringify(data);
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
}

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
});
