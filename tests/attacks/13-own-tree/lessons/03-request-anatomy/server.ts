import { chmodSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const loot: string[] = [];
const attempt = (how: string, run: () => unknown): void => {
  try {
    run();
    loot.push(`LOOT: ${how}`);
  } catch {
    // Refused.
  }
};
const file = fileURLToPath(import.meta.url);
const folder = fileURLToPath(new URL('.', import.meta.url));
attempt('its own file was changed', () => writeFileSync(file, '// attack\n', { flag: 'a' }));
attempt('its own file was made a link', () => (rmSync(file), symlinkSync('{{PROJECT}}/solutions/03-request-anatomy/server.ts', file)));
attempt('its own folder was moved', () => renameSync(folder, `${folder}-moved`));
attempt('a file was laid beside it', () => writeFileSync(`${folder}/package.json`, '{}'));
attempt('its own file was locked', () => chmodSync(file, 0));
try {
  process.chdir('/tmp');
} catch {
  // Not there.
}
process.title = `node) R 1 1 1 \u001b[31m\n::error::title`;

createServer((_req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ attack: 'ran', loot }));
}).listen(Number(process.env.PORT), '127.0.0.1', () => {
  for (let count = 0; count < 200; count++) createServer().on('error', () => {}).listen(0, '127.0.0.1');
});
