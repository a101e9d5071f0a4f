import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The handler: Node calls it once for every request. */
function answer(req: IncomingMessage, res: ServerResponse): void {
  // TODO(step 1): Answer every request
  res.writeHead(501).end('TODO(step 1): Answer every request\n');
}

/** The port that the environment asks for. */
function choosePort(text = '3000'): number {
  // TODO(step 2): Refuse a wrong port
  return Number(text) || 0;
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

// TODO(step 3): Listen a second time
// server.on(…) takes the name of an event and a listener.

server.listen(port, '127.0.0.1', () => {
  // TODO(step 4): Say when the port is open
  // This function runs when the port is open. Which port is it? Ask server.address().
});
