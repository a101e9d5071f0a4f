// Right: a pure function works out the fields, and writeHead sends them as pairs.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CorsOptions {
  origins?: '*' | readonly string[];
  credentials?: boolean;
  maxAge?: number;
}
interface Question {
  origin: string | undefined;
  preflight: boolean;
}

function fieldsFor({ origin, preflight }: Question, { origins, credentials, maxAge }: CorsOptions): [string, string][] {
  const open = (origins ?? '*') === '*';
  const listed = !open && origin !== undefined && (origins as readonly string[]).includes(origin);
  return [
    ...(open ? ([['Access-Control-Allow-Origin', '*']] as [string, string][]) : []),
    ...(listed ? ([['Access-Control-Allow-Origin', origin]] as [string, string][]) : []),
    ...(listed && credentials ? ([['Access-Control-Allow-Credentials', 'true']] as [string, string][]) : []),
    ['Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS'],
    ['Access-Control-Allow-Headers', 'Content-Type, Authorization'],
    ...(preflight ? ([['Access-Control-Max-Age', `${maxAge ?? 600}`]] as [string, string][]) : []),
    ...(open ? [] : ([['Vary', 'Origin']] as [string, string][])),
  ];
}

export function cors(req: IncomingMessage, res: ServerResponse, options: CorsOptions = {}): boolean {
  const preflight = Boolean(
    req.method === 'OPTIONS' && req.headers.origin && req.headers['access-control-request-method'],
  );
  const question: Question = { origin: req.headers.origin, preflight };
  for (const [name, value] of fieldsFor(question, options)) res.appendHeader(name, value);
  if (preflight) res.writeHead(204).end();
  return preflight;
}
