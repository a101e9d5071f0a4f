// Wrong: the routes are printed on stderr, where errors go.
// Fails: step 7, routes-not-printed
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { api, router } from './api.ts';

// Four handlers that fail, each in its own way, so that you can watch the error boundary. They stand here and not in
// api.ts: no real API has them. Leave them as they are.
router.get('/boom', () => {
  throw new Error('The cellar is flooded');
});
router.get('/boom/later', async () => {
  await nextTurn();
  throw new Error('The attic is on fire');
});
router.get('/boom/null', async () => {
  await nextTurn();
  throw null;
});
router.get('/boom/halfway', async (_req, res) => {
  res.writeHead(200, { 'Content-Type': 'application/json' });
  res.write('{"rooms":["cellar",');
  await nextTurn();
  throw new Error('The roof has gone');
});

const server = createServer(api);

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
  for (const { method, path } of router.routes) console.error(`${method.padEnd(7)}${path}`);
});
