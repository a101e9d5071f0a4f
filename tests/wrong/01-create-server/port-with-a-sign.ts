// Wrong: +80 is let through.
// Fails: step 2, port-not-refused
import http from 'node:http';
import type { AddressInfo } from 'node:net';

function choosePort(text = '3000'): number {
  if (!/^\+?\d+$/.test(text) || Number(text) > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return Number(text);
}
const port = choosePort(process.env.PORT);
const server = http.createServer((req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
});
server.on('request', (req) => {
  console.log(`${req.method} ${req.url}`);
});
server.listen(port, '127.0.0.1', () => {
  console.log(`Server listening on http://localhost:${(server.address() as AddressInfo).port}`);
});
