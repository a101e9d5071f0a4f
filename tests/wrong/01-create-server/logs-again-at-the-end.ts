// Wrong: the line is printed when a request comes, and again when it has its answer.
// Fails: step 3, logged-more-than-once
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

server.on('request', (req, res) => {
  const line = `${req.method} ${req.url}`;
  console.log(line);
  res.on('finish', () => console.log(line));
});

server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
});
