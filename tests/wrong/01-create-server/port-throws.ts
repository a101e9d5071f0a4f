// Wrong: a wrong PORT ends in a stack trace.
// Fails: step 2, port-crash
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

function choosePort(text = '3000'): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`bad PORT: ${text}`);
  return port;
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
