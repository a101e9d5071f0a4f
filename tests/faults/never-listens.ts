// Fault: nothing-listens
// Never calls listen().
import http from 'node:http';
http.createServer((_req, res) => res.end('ok'));
