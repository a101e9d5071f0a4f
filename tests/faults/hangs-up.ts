// Fault: connection-closed
// Destroys every connection.
import http from 'node:http';
const server = http.createServer((req, res) => {
  void res;
  req.socket.destroy();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
