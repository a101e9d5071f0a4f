// Fault: stopped-listening
// Closes the server as soon as it listens, and stays alive.
import http from 'node:http';
const server = http.createServer((_req, res) => res.end('ok'));
server.listen(Number(process.env.PORT), '127.0.0.1', () => server.close());
setInterval(() => {}, 1000);
