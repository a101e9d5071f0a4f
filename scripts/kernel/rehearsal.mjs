// What a process at its gate answers while nobody waits for it, so that the learner's first requests find Node's HTTP code
// compiled. The kernel asks: see rehearsal.ts.
import { once } from 'node:events';
import http from 'node:http';
import { format } from 'node:util';
// What lessons import besides is loaded here only to be there already.
import 'node:crypto';
import 'node:fs/promises';
import 'node:path';
import 'node:stream/promises';
import 'node:timers/promises';
import 'node:url';

/**
 * What most lessons do with a request, by the method.
 * @type {Record<string, (req: http.IncomingMessage, res: http.ServerResponse) => unknown>}
 */
const handlers = {
  GET(req, res) {
    const url = new URL(`http://localhost${req.url}`);
    res.statusCode = 200;
    res.setHeader('Content-Type', 'text/plain; charset=utf-8');
    res.end(`${decodeURIComponent(url.pathname)} ${url.searchParams.get('q')}\n`);
  },
  async POST(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    res.setHeader('Location', `${req.url}`);
    res.writeHead(201, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    });
    res.end(body);
  },
  PUT(req, res) {
    let size = 0;
    req.on('data', (chunk) => (size += chunk.length));
    req.on('end', () => {
      res.write(`${size}`);
      res.end('\n');
    });
  },
  HEAD(_req, res) {
    res.writeHead(204, { Allow: 'GET, HEAD' }).end();
  },
};

/**
 * @param {(server: http.Server) => void} listen makes it listen on a port of 127.0.0.1 that the system chooses
 * @param {(port: number) => void} told
 * @param {AbortSignal} signal ends it
 */
export async function rehearse(listen, told, signal) {
  // Node makes the standard streams when they are first asked for.
  format('%s', process.stdout.fd + process.stderr.fd);
  const server = http.createServer(async (req, res) => {
    try {
      res.on('finish', () => {});
      res.on('close', () => {});
      await handlers[req.method ?? '']?.(req, res);
    } catch {
      res.destroy();
    }
  });
  listen(server);
  await once(server, 'listening');
  const address = server.address();
  if (address !== null && typeof address === 'object') told(address.port);
  if (!signal.aborted) await once(signal, 'abort');
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
