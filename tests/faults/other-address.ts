// Fault: listens-on-other-address | threw-while-loading
// Listens on one address only, and not on 127.0.0.1; on macOS there is no 127.0.0.2.
import http from 'node:http';
http.createServer((_req, res) => res.end('ok')).listen(Number(process.env.PORT), '127.0.0.2');
