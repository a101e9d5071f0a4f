// Fault: exited
// Ends itself with a signal on the first request.
import http from 'node:http';
const server = http.createServer((req, res) => {
  void [req, res];
  process.kill(process.pid, 'SIGKILL');
});
server.listen(Number(process.env.PORT), '127.0.0.1');
