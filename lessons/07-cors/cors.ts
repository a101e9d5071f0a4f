import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  /** The origins whose pages may read the answers, such as 'https://app.example'; '*' is every one. */
  origins?: '*' | readonly string[];
  /** Whether those pages may send cookies along. Not with '*': browsers refuse the two together. */
  credentials?: boolean;
  /** For how many seconds a browser may remember the answer to a preflight. */
  maxAge?: number;
}

/**
 * Tells the browser which pages may read the answer, and answers preflights
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Returns true when it has answered.
 */
export function cors(
  req: IncomingMessage,
  res: ServerResponse,
  { origins = '*', credentials = false, maxAge = 600 }: CorsOptions = {},
): boolean {
  const { origin } = req.headers;

  // TODO(step 1): Let every page read
  res.writeHead(501).end('TODO(step 1): Let every page read\n');
  return true;
  // TODO(step 3): Tell the caches
  // TODO(step 2): Let in whom you know
  // TODO(step 4): Let cookies through

  // TODO(step 5): Answer the preflight
  return false;
  // TODO(step 6): Save the next preflight
}
