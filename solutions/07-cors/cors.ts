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

  //#region step 1: Let every page read
  //: res.writeHead(501).end('TODO(step 1): Let every page read\n');
  //: return true;
  res.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
  res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  if (origins === '*') {
    res.setHeader('Access-Control-Allow-Origin', '*');
  } else {
  //#endregion
  //#region step 3: Tell the caches
    res.appendHeader('Vary', 'Origin');
  //#endregion
  //#region step 2: Let in whom you know
    if (origin !== undefined && origins.includes(origin)) {
      res.setHeader('Access-Control-Allow-Origin', origin);
  //#endregion
  //#region step 4: Let cookies through
      if (credentials) res.setHeader('Access-Control-Allow-Credentials', 'true');
  //#endregion
  //#region step 2
    }
  }
  //#endregion

  //#region step 5: Answer the preflight
  //: return false;
  const isPreflight =
    req.method === 'OPTIONS' &&
    origin !== undefined &&
    req.headers['access-control-request-method'] !== undefined;
  if (!isPreflight) return false;
  //#endregion
  //#region step 6: Save the next preflight
  res.setHeader('Access-Control-Max-Age', maxAge);
  //#endregion
  //#region step 5
  res.writeHead(204).end();
  return true;
  //#endregion
}
