import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { requestURL } from '../05-router/target.ts';

const { env } = process;
const root = join(import.meta.dirname, 'public');

/** Sends each request where it belongs. */
async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = requestURL(req.url)?.pathname ?? '';
  // TODO(step 4): Limit the rate
  // Before anything is done for a request: has this client had its share?
  // TODO(step 2): Mount the API beside it
  // The paths of the API go to the API.
  // TODO(step 1): Serve the page
  res.writeHead(501).end('TODO(step 1): Serve the page\n');
}

const server = createServer((req, res) => {
  void route(req, res);
});

// TODO(step 3): Log what happens
// Two calls, and the order of events does the rest.

// TODO(step 5): Shut down in order
// The server, and how long it may take to drain. What else keeps the process alive?

const port = Number(env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  console.log(`Server listening on http://localhost:${actual}`);
});
