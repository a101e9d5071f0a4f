// Fault: too-much-output
// Prints without end.
import http from 'node:http';
const server = http.createServer((req, res) => {
  const more = (): void => {
    process.stdout.write('x'.repeat(65536), () => setImmediate(more));
  };
  more();
  void [req, res];
});
server.listen(Number(process.env.PORT), '127.0.0.1');
