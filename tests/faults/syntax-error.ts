// Fault: does-not-compile
// A closing bracket is missing.
import http from 'node:http';
const server = http.createServer((_req, res) => {
  res.end('ok';
});
server.listen(Number(process.env.PORT));
