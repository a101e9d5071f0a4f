import { writeSync } from 'node:fs';
import { createServer } from 'node:http';

const loot: string[] = [];
const lines = JSON.stringify({ pong: 1, work: 0 }) + '\n' + JSON.stringify({ listening: { port: Number(process.env.PORT), address: '127.0.0.1', family: 'IPv4' } }) + '\n' + JSON.stringify({ id: 1, result: { status: 'pass', steps: [] } }) + '\n';
if (process.send) {
  process.send({ type: 'test:pass', data: { name: 'everything' } });
  loot.push('LOOT: an IPC channel');
}
// Further up lie pipes of Node's own: whoever writes there ends himself.
for (let fd = 3; fd < 6; fd++) {
  try {
    writeSync(fd, lines);
  } catch {
    // Nothing is open there, or it is not for writing.
  }
}

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
