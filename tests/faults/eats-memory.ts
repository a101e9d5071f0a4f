// Fault: too-much-memory
// Memory without end.
import http from 'node:http';
const server = http.createServer((req, res) => {
  void [req, res];
  const hoard: unknown[] = [];
  const more = (): void => {
    for (let i = 0; i < 40; i++) hoard.push(Buffer.alloc(1024 * 1024, i));
    setImmediate(more);
  };
  more();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
