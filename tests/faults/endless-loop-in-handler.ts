// Fault: event-loop-blocked
// An endless loop in the handler.
import http from 'node:http';
const server = http.createServer((req, res) => {
  for (let i = 0; req.method && res; i++) if (i < 0) break;
});
server.listen(Number(process.env.PORT), '127.0.0.1');
