// A small server for run.md.
import { createServer } from 'node:http';

const port = process.env.PORT ?? 3000;
const server = createServer((req, res) => res.end(`listening on ${port}\n`));
server.listen(port, '127.0.0.1', () => console.log(`Server listening on http://localhost:${port}`));
