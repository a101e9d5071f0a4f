import http from 'node:http';
import path from 'node:path';
import url from 'node:url';
import { Files } from './static.ts';

class StaticServer extends http.Server {
  constructor(files: Files) {
    super({ keepAlive: true });
    this.on('request', (req, res) => files.emit('wanted', req, res));
  }
}
const here = path.dirname(url.fileURLToPath(import.meta.url));
const server = new StaticServer(new Files(process.env.STATIC_ROOT || path.join(here, 'public')));
server.listen(process.env.PORT || 3000, () => console.log(`Server listening on http://localhost:${(server.address() as { port: number }).port}`));
