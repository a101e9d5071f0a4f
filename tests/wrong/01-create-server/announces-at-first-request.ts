// Wrong: it says that it listens when the first request comes.
// Fails: step 4, no-announcement
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The handler: Node calls it once for every request. */
function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

/** The port that the environment asks for. */
function choosePort(text = '3000'): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return Number(text);
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

let said = false;
server.on('request', (req) => {
  console.log(`${req.method} ${req.url}`);
  if (!said) { said = true; const a = server.address(); if (a && typeof a === 'object') console.log(`Server listening on http://localhost:${a.port}`); }
});

server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {

  }
});
