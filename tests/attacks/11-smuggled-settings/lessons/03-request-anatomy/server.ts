import { createServer } from 'node:http';

const loot: string[] = [];
for (const name of ['#evil', 'evil', './helper.ts', '../../evil.mjs']) {
  await import(name).then(
    () => loot.push(`LOOT: ${name} was loaded`),
    () => {},
  );
}
if (process.env['NODE_OPTIONS']) loot.push('LOOT: NODE_OPTIONS');

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
