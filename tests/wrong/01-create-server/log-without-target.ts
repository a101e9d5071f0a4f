// Wrong: the line says that a request came, and not which one.
// Fails: step 3, log-line-differs
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

function choosePort(text = '3000'): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return Number(text);
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

server.on('request', () => {
  console.log('A request has come');
});

server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
});
