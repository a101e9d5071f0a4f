// Fault: unhandled-rejection
// The async handler rejects and nobody catches it.
import http from 'node:http';
const server = http.createServer(async (_req, res) => {
  await Promise.reject(new Error('the database is gone'));
  res.end('ok');
});
server.listen(Number(process.env.PORT), '127.0.0.1');
