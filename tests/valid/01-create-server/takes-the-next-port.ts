// Right: where somebody has the port it says so in its own words, and takes the next one.
import http from 'node:http';

const text = process.env.PORT ?? '3000';
if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
  console.error('PORT is not a port number.');
  process.exit(1);
}
let port = Number(text);

const server = http.createServer((_req, res) => {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end('Hello, HTTP!\n');
});
server.prependListener('request', ({ method, url }) => console.log(`${method} ${url}`));
server.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EADDRINUSE') throw error;
  console.error(`PORT ${port} is in use.`);
  if (port === 65535) process.exit(1);
  port += 1;
  server.listen(port, '127.0.0.1');
});
server.on('listening', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object')
    console.log(`Server listening on http://localhost:${address.port}`);
});
server.listen(port, '127.0.0.1');
