// Wrong: where the file cannot be opened, the client gets the message of the error, with the path in it.
// Fails: step 6, path-disclosed
// Only: linux
import { open, realpath, stat } from 'node:fs/promises';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** Answers with a status and one line of text, which says nothing about this machine. */
function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end(`${status} ${STATUS_CODES[status]}\n`);
}

/** What went wrong, as Node calls it: `ENOENT` when there is no such file. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The decoded path of a request target, or undefined where it can't be the name of a file. */
function nameIn(target: string): string | undefined {
  try {
    const url = new URL(target.startsWith('/') ? `http://localhost${target}` : target);
    const name = decodeURIComponent(url.pathname);
    return name.startsWith('/') && !name.includes('\0') ? name : undefined;
  } catch {
    return undefined; // no URL, or a malformed escape
  }
}

/** Whether a name climbs (`..` begins with a dot too), is hidden, or could climb on Windows. */
function isForbidden(name: string): boolean {
  return name.includes('\\') || name.split('/').some((part) => part.startsWith('.'));
}

interface Found {
  path: string;
  /** In bytes. */
  size: number;
}

/** The errors that say: there is no such file. */
const absent = new Set<unknown>(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG']);

/** The regular file that a path leads to, when it lies inside the root. */
async function find(root: string, path: string): Promise<Found | undefined> {
  try {
    let stats = await stat(path);
    if (stats.isDirectory()) {
      path = join(path, 'index.html');
      stats = await stat(path);
    }
    const inside = (await realpath(path)).startsWith((await realpath(root)) + sep);
    return inside && stats.isFile() ? { path, size: stats.size } : undefined;
  } catch (error) {
    if (absent.has(codeOf(error))) return undefined;
    throw error;
  }
}

const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json; charset=utf-8'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.svg', 'image/svg+xml; charset=utf-8'],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.ico', 'image/x-icon'],
]);

/**
 * Serves the files below a folder to GET and HEAD: nothing hidden, nothing from outside.
 *
 * The promise rejects when the disk fails. Then the caller answers 500, or closes the connection where the
 * response has begun.
 */
export function serveStatic(root: string): Handler {
  return async (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      return refuse(res, 405);
    }

    const name = nameIn(req.url ?? '');
    if (name === undefined) return refuse(res, 400);

    if (isForbidden(name)) return refuse(res, 404);

    const file = await find(root, join(root, name));
    if (!file) return refuse(res, 404);

    const type = types.get(extname(file.path).toLowerCase()) ?? 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Length': file.size };
    if (req.method === 'HEAD') {
      res.writeHead(200, headers).end();
      return;
    }

    let handle: Awaited<ReturnType<typeof open>>;
    try {
      handle = await open(file.path);
    } catch (error) {
      res.writeHead(500).end(`Sorry: ${(error as Error).message}\n`);
      return;
    }
    try {
      if (res.destroyed) return; // the client left while we looked
      res.writeHead(200, headers);
      await pipeline(handle.createReadStream(), res);
    } catch (error) {
      // Too late for a status: pipeline has ended the connection. That the client left is no failure.
      if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    } finally {
      await handle.close();
    }
  };
}
