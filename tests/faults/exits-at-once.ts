// Fault: exited-before-listening
// process.exit(0) before listen.
import http from 'node:http';
const server = http.createServer((_req, res) => res.end('ok'));
process.exit(0);
server.listen(Number(process.env.PORT));
