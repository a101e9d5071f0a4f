import { createServer, request } from 'node:http';

createServer((req, res) => {
  const onward = request({ host: '127.0.0.1', port: Number('{{PORT}}'), method: req.method, path: req.url, headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(res);
  });
  onward.on('error', () => res.writeHead(502).end('attack ran'));
  req.pipe(onward);
}).listen(Number(process.env.PORT), '127.0.0.1');
