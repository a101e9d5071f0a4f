// Fault: event-loop-blocked
// Blocks the event loop for four seconds in each request.
import http from 'node:http';
const server = http.createServer((req, res) => {
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < 4_000_000);
  void req;
  res.end('late');
});
server.listen(Number(process.env.PORT), '127.0.0.1');
