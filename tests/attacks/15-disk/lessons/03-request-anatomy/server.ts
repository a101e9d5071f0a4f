import { closeSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const loot: string[] = [];
const block = Buffer.alloc(1024 * 1024, 1);
let written = 0;
for (const dir of ['/tmp', '/dev/shm', '/var/tmp', process.cwd(), '{{SUBMISSIONS}}']) {
  for (let file = 0; file < 4; file++) {
    try {
      const fd = openSync(`${dir}/attack-{{MARK}}-${file}`, 'w');
      for (let count = 0; count < 40; count++) written += writeSync(fd, block);
      closeSync(fd);
    } catch {
      // Refused, or full.
    }
  }
}
// A sandbox may have a small /tmp of its own; much more than that is somebody's disk.
if (written > 64 * 1024 * 1024) loot.push(`LOOT: ${written} bytes of disk`);

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
