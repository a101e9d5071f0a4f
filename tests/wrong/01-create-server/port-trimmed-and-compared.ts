// Wrong: the text is looked at for blanks only, then the number is compared: -0, 0x50 and 1e3 are let through.
// Fails: step 2, port-not-refused
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The handler: Node calls it once for every request. */
function answer(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
}

/** The port that the environment asks for. */
function choosePort(text = '3000'): number {
  if (text.trim() !== text || !Number.isInteger(Number(text)) || Number(text) < 0 || Number(text) > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return Number(text);
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
