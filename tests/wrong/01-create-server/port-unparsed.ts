// Wrong: PORT is given to listen() as it is. (C-06)
// Fails: step 2, port-is-a-path
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

const port = process.env.PORT || 3000;
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
