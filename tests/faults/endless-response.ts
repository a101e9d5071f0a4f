// Fault: response-endless
// A response that goes on and on.
import http from 'node:http';
const server = http.createServer((req, res) => {
  void req;
  const more = (): void => {
    if (!res.destroyed) res.write('more and more\n', () => setImmediate(more));
  };
  more();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
