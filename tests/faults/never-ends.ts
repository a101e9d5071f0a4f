// Fault: no-answer
// Never calls res.end().
import http from 'node:http';
const server = http.createServer((req, res) => {
  void [req, res];
});
server.listen(Number(process.env.PORT), '127.0.0.1');
