// Fault: listens-twice
// Listens on the same port with two servers.
import http from 'node:http';
const listener: http.RequestListener = (_req, res) => res.end('ok');
http.createServer(listener).listen(Number(process.env.PORT), '127.0.0.1', () => {
  http.createServer(listener).listen(Number(process.env.PORT), '127.0.0.1');
});
