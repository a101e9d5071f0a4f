// Requests that a process at its gate answers for itself while nobody waits for it, so that the learner's first ones find
// Node's HTTP code compiled.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { format } from 'node:util';
// What lessons import besides is loaded here only to be there already.
import 'node:crypto';
import 'node:fs/promises';
import 'node:path';
import 'node:stream/promises';
import 'node:timers/promises';
import 'node:url';

/** As many connections as the kernel opens side by side. */
const lanes = 4;

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

const body = JSON.stringify({ name: 'a', list: [1, 2, 3] });
const fields = 'Host: localhost\r\nUser-Agent: a\r\nAccept: */*\r\n';
const requests = ['GET', 'POST', 'GET', 'PUT', 'GET', 'HEAD'].map((method) => {
  const head = `${method} /a/b%20c?q=d HTTP/1.1\r\n${fields}`;
  return handlers[method] === handlers.POST || handlers[method] === handlers.PUT
    ? `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    : `${head}\r\n`;
});

/**
 * @param {number} count how many requests
 * @param {(server: net.Server) => void} listen makes it listen on a port of 127.0.0.1 that the system chooses
 * @param {AbortSignal} signal ends it before its time
 */
export async function rehearse(count, listen, signal) {
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
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  let left = count;
  const lane = async () => {
    while (left > 0 && !signal.aborted) {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => {});
      // Some of them follow each other on one connection.
      for (let i = 0; i < requests.length && left > 0 && !socket.destroyed; i++, left--) {
        socket.write(requests[i] ?? '');
        await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      }
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
