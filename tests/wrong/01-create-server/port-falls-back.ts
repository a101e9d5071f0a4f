// Wrong: a wrong PORT is silently replaced with 3000.
// Fails: step 2, port-not-refused
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

function choosePort(text = '3000'): number {
  const port = Number(text);
  return Number.isInteger(port) && port >= 0 && port <= 65535 ? port : 0;
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

server.on('request', (req) => {
  console.log(`${req.method} ${req.url}`);
});

server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
});
