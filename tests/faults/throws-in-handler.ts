// Fault: crashed
// Throws in the handler.
import http from 'node:http';
const server = http.createServer((req, res) => {
  const user = JSON.parse('{}') as { name: { first: string } };
  void req;
  res.end(user.name.first);
});
server.listen(Number(process.env.PORT), '127.0.0.1');
