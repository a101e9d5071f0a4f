// Fault: listens-on-other-port
// Listens on a port of its own choosing.
import http from 'node:http';
http.createServer((_req, res) => res.end('ok')).listen(0, '127.0.0.1');
