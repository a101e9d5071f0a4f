// Fault: exited
// Ends itself with code 7 on the first request.
import http from 'node:http';
const server = http.createServer((req, res) => {
  void [req, res];
  process.exit(7);
});
server.listen(Number(process.env.PORT), '127.0.0.1');
