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

/**
 * Serves the files below a folder to GET and HEAD: nothing hidden, nothing from outside.
 *
 * The promise rejects when the disk fails. Then the caller answers 500, or closes the connection where the
 * response has begun.
 */
export function serveStatic(root: string): Handler {
  return async (req, res) => {
    // TODO(step 1): Let only GET and HEAD in
    res.writeHead(501).end('TODO(step 1): Let only GET and HEAD in\n');
    return;

    // TODO(step 2): Read the name in the target
    res.writeHead(501).end('TODO(step 2): Read the name in the target\n');
    return;

    // TODO(step 3): Keep the name inside the root
    res.writeHead(501).end('TODO(step 3): Keep the name inside the root\n');
    return;

    // TODO(step 4): Find a regular file
    res.writeHead(501).end('TODO(step 4): Find a regular file\n');
    return;

    // TODO(step 5): Describe the file before sending
    res.writeHead(501).end('TODO(step 5): Describe the file before sending\n');
    return;

    // TODO(step 6): Stream the file, outlive the client
    res.writeHead(501).end('TODO(step 6): Stream the file, outlive the client\n');
  };
}
