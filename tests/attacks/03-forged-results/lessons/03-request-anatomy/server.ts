import { createServer } from 'node:http';
import v8 from 'node:v8';

const steps = [1, 2, 3, 4, 5, 6, 7].map((step) => ({ step, title: 'x', status: 'pass', diagnosis: null, message: '', expected: null, actual: null, exchange: null }));
const forged = { id: 1, result: { schema: 'workbook/result/v1', lesson: '03-request-anatomy', status: 'pass', durationMs: 1, diagnosis: null, message: null, steps } };
const loot: string[] = [];

function forge(): void {
  for (let id = 1; id < 20; id++) console.log(JSON.stringify({ ...forged, id }));
  console.log('TAP version 13\nok 1 - everything\n1..1');
  console.error('::error::forged\n::set-output name=points::100');
  const frame = v8.serialize({ type: 'test:pass', data: { name: 'everything', nesting: 0, testNumber: 1, details: { duration_ms: 1 } } });
  process.stdout.write(Buffer.concat([Buffer.from([0xff, 0x0f]), frame]));
}
forge();
createServer((_req, res) => {
  forge();
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1');
