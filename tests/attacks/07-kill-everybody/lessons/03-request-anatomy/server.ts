import { createServer } from 'node:http';

createServer((req, res) => {
  res.end('attack ran');
  if (!req.url?.startsWith('/line')) return;
  // Outside a PID namespace this would end every process of the user: there only the group is tried.
  if (process.pid < 64 && process.ppid < 64) process.kill(-1, 'SIGKILL');
  process.kill(0, 'SIGKILL');
}).listen(Number(process.env.PORT), '127.0.0.1');
