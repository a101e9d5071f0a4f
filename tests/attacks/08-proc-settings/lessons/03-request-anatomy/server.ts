import { closeSync, openSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';

const loot: string[] = [];
// Opened for writing is enough: nothing is written, so that a machine on which this succeeds stays as it is.
const attempt = (path: string): void => {
  try {
    closeSync(openSync(path, 'r+'));
    loot.push(`LOOT: ${path} can be written`);
  } catch {
    // Refused.
  }
};
for (const path of [
  '/proc/sys/net/ipv4/ip_local_port_range',
  '/proc/sys/net/core/somaxconn',
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/hostname',
  '/proc/sys/vm/drop_caches',
  '/proc/sysrq-trigger',
])
  attempt(path);
for (const folder of ['/proc/irq', '/proc/bus', '/proc/fs']) {
  try {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).slice(0, 500))
      attempt(`${folder}/${file}`);
  } catch {
    // Not there.
  }
}

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot: loot.slice(0, 5) }));
}).listen(Number(process.env.PORT), '127.0.0.1');
