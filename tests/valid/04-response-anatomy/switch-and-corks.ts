// Right: one async function with a switch, writes held together by cork, rows from an async generator, ids kept in upper case.
import { once } from 'node:events';
import { createServer, STATUS_CODES, validateHeaderValue } from 'node:http';
import type { RequestListener, ServerResponse } from 'node:http';
import { webcrypto } from 'node:crypto';

async function* numbered(count: number): AsyncGenerator<string> {
  for (let n = 1; n <= count; n += 1) yield `${n} `.padEnd(9_999, '.').concat('\n');
}

function sendWhole(res: ServerResponse, status: number, lines: string[]): void {
  const body = lines.map((line) => `${line}\n`).join('');
  switch (status) {
    case 204:
    case 304:
      res.statusCode = status;
      res.end();
      break;
    default:
      res.cork();
      res.writeHead(status, STATUS_CODES[status] ?? 'Custom', {
        'Content-Type': 'text/plain; format=flowed; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
        Vary: 'Accept',
      });
      for (const line of lines) res.write(`${line}\n`);
      res.uncork();
      res.end();
  }
}

/** Whether all of it may stand in a cookie. */
function fits(part: string): boolean {
  try {
    validateHeaderValue('Set-Cookie', part);
  } catch {
    return false;
  }
  return part !== '' && part.replaceAll(/[A-Za-z0-9_-]/g, '') === '';
}

const handler: RequestListener = async (req, res) => {
  res.setHeader('X-Request-Id', webcrypto.randomUUID());
  const { pathname, searchParams: query } = new URL(`file://${req.url?.startsWith('/') ? req.url : '/'}`);
  switch (pathname) {
    case '/greeting':
      sendWhole(res, 200, [`Hello, ${query.get('name') ?? 'world'}!`]);
      break;
    case '/status': {
      const code = Number(query.get('code') ?? 'none');
      const right = Number.isInteger(code) && code >= 200 && code < 600;
      sendWhole(res, right ? code : 400, right ? [] : ['unknown']);
      break;
    }
    case '/teapot':
      res.statusCode = 418;
      res.statusMessage = 'Short and stout';
      res.end();
      break;
    case '/fields': {
      res.setHeader('Content-Type', 'application/json;charset=utf-8');
      const name = String(query.get('name'));
      const names = res.getHeaderNames().sort();
      res.write('{ "names" : ');
      res.write(JSON.stringify(names));
      res.write(`, "value" : ${JSON.stringify(res.getHeader(name) ?? null)}, "has" : `);
      res.end(`${res.hasHeader(name)} }`);
      break;
    }
    case '/cookies': {
      const parts = [...query.keys(), ...query.values()];
      if (!parts.every(fits)) return sendWhole(res, 400, ['A cookie does not fit.']);
      query.forEach((value, name) => res.appendHeader('set-cookie', `${name}=${value}; Max-Age=60`));
      sendWhole(res, 200, []);
      break;
    }
    case '/report':
      await report(res, query.get('fail'), query.get('why')).catch((error: Error) => {
        console.error(error.stack);
        if (!res.headersSent) return sendWhole(res, 500, ['Our fault.']);
        res.socket?.end();
        res.socket?.destroySoon();
      });
      break;
    case '/rows': {
      const count = Number(query.get('count'));
      if (!(Number.isInteger(count) && count > 0 && count <= 10_000)) return sendWhole(res, 400, []);
      res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      try {
        for await (const line of numbered(count)) {
          if (!res.write(line)) await once(res, 'drain', { signal: gone.signal });
        }
        res.end();
      } catch {
        // The client has left.
      }
      break;
    }
    default:
      sendWhole(res, 404, ['There is no such page.']);
  }
};

async function report(res: ServerResponse, fail: string | null, why: string | null): Promise<void> {
  if (fail === 'early') throw new Error(why ?? undefined);
  const lines = [`before: ${res.headersSent}\n`];
  res.writeHead(200, { 'Cache-Control': 'max-age=60' });
  lines.push(`after: ${res.headersSent}\n`);
  res.write(lines[0]);
  await new Promise((resolve) => setImmediate(resolve));
  if (fail === 'late') throw new Error(why ?? undefined);
  res.end(lines[1]);
}

createServer(handler).listen(Number(process.env.PORT ?? 3000), '127.0.0.1', function () {
  console.info('Server listening on http://localhost:%d', Number(process.env.PORT ?? 3000));
});
