// Right: a class with an array, no map.
// @ts-nocheck The modules that it imports lie beside it only where it is judged.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router } from '../05-router/router.ts';
import { requestURL } from '../05-router/target.ts';
import { HttpError, readBodyJSON, sendJSON } from '../06-helpers/helpers.ts';
import { cors } from '../07-cors/cors.ts';

// A class over an array, ids from a generator that begins anywhere; JSON indented; answers by hand
function* numbers(from: number, by: number): Generator<number, never> { for (let n = from; ; n += by) yield n; }
class Store {
  #list: { email: string; id: number; name: string }[] = [];
  #ids = numbers(4711, 13);
  all() { return this.#list; }
  named(name: string) { return this.#list.filter((u) => u.name === name); }
  at(id: bigint) { return this.#list.findIndex((u) => BigInt(u.id) === id); }
  add(f: { name: string; email: string }) { const u = { email: f.email, id: this.#ids.next().value, name: f.name }; this.#list.push(u); return u; }
  get(id: bigint) { const n = this.at(id); if (n < 0) throw new HttpError(404, `Nobody has the id ${id}`); return this.#list[n]!; }
  put(id: bigint, f: { name: string; email: string }) { const u = this.get(id); u.name = f.name; u.email = f.email; return u; }
  drop(id: bigint) { this.get(id); this.#list.splice(this.at(id), 1); }
}
const store = new Store();
function reply(res: ServerResponse, status: number, data?: unknown, headers: Record<string, string> = {}) {
  res.statusCode = status;
  for (const k in headers) res.setHeader(k, headers[k]!);
  res.setHeader('CONNECTION', 'close');
  res.sendDate = false;
  if (data === undefined) return void res.end();
  res.setHeader('content-type', 'application/json');
  res.write(JSON.stringify(data, null, '\t') + '\n');
  res.end();
}
const parseId = (s: string) => {
  const ok = s.length > 0 && [...s].every((c) => c >= '0' && c <= '9') && s[0] !== '0';
  if (!ok) throw new HttpError(400, 'Bad id');
  return BigInt(s);
};
const text = (v: unknown): v is string => typeof v === 'string' && v.length > 0;
const fields = async (req: IncomingMessage) => {
  const b = (await readBodyJSON(req)) as any;
  if (b === null || typeof b !== 'object' || Array.isArray(b) || !text(b.name) || !text(b.email)) throw new HttpError(400, 'name and email, please');
  return { name: b.name as string, email: b.email as string };
};
export const router = new Router();
router.get('/', (_q, r) => reply(r, 200, { version: '1.0.0', message: 'Users API' }));
router.get('/users', (_q, r, { query }) => reply(r, 200, query.has('name') ? store.named(query.get('name')!) : store.all()));
router.post('/users', async (q, r) => { const u = store.add(await fields(q)); reply(r, 201, u, { location: `/users/${u.id}` }); });
router.get('/users/:id', (_q, r, { params }) => reply(r, 200, store.get(parseId(params.id!))));
router.put('/users/:id', async (q, r, { params }) => { const id = parseId(params.id!); const f = await fields(q); reply(r, 200, store.put(id, f)); });
router.delete('/users/:id', (_q, r, { params }) => { store.drop(parseId(params.id!)); reply(r, 204); });
export const api = async (req: IncomingMessage, res: ServerResponse) => {
  try {
    if (cors(req, res)) return;
    const url = requestURL(req.url);
    if (!url) return reply(res, 400, { error: 'What?' });
    await router.handle(req, res, url);
  } catch (e) {
    if (e instanceof HttpError) return reply(res, e.status, { status: e.status, error: e.message, ok: false });
    console.error('%s %s failed: %o', req.method, req.url, e);
    if (res.headersSent) res.socket?.destroy();
    else reply(res, 500, { error: 'Sorry' });
  }
};
