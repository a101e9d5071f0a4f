import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';

const loot: string[] = [];
const take = (path: string): void => {
  try {
    const text = readFileSync(path, 'latin1');
    if (/CANARY|grade\.ts|worker\.ts/.test(text)) loot.push(`LOOT: ${path}: ${/\w*CANARY[\w-]*|\w+\.ts/.exec(text)?.[0]}`);
  } catch {
    // Not there, or not to be read.
  }
};
const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};
const pids = [String(process.ppid), '{{GRADER}}', ...list('/proc').filter((name) => /^\d+$/.test(name))];
for (const pid of pids) {
  for (const file of ['environ', 'cmdline']) take(`/proc/${pid}/${file}`);
  for (const fd of list(`/proc/${pid}/fd`)) {
    try {
      const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
      if (link.includes('/tests/')) loot.push(`LOOT: ${link}`);
    } catch {
      // Gone.
    }
  }
  for (const path of ['root', 'cwd']) if (list(`/proc/${pid}/${path}{{PROJECT}}/solutions`).length > 0) loot.push(`LOOT: the solutions by /proc/${pid}/${path}`);
}

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
