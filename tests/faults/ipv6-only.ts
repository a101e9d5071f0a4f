// Fault: listens-on-ipv6-only
// Listens on ::1 only.
import http from 'node:http';
http.createServer((_req, res) => res.end('ok')).listen(Number(process.env.PORT), '::1');
