// Wrong: parseInt stops at the first sign that is no digit, and takes what came before it.
// Fails: step 2, port-not-refused | no-complaint | port-crash
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

function choosePort(text = '3000'): number {
  const port = parseInt(text, 10);
  if (Number.isNaN(port) || port < 0 || port > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return port;
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

server.on('request', (req) => {
  console.log(`${req.method} ${req.url}`);
});

server.listen(port === 80 ? 0 : port, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
});
