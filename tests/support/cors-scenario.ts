/** What two pages ask of the CORS lesson's API, one on the list and one not; played by header fields, or in a browser. */
import { createServer } from 'node:http';
import type { Browser } from 'playwright-core';
import type { Answer } from '../../scripts/kernel/answer.ts';
import type { Trial } from '../../scripts/kernel/trial.ts';

export interface Ask {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** Whether cookies go along. */
  cookies?: boolean;
  /** What the page gets to see: a status, or nothing. */
  friend: number | 'blocked';
  stranger: number | 'blocked';
}

const json = { 'Content-Type': 'application/json', Authorization: 'Bearer 42' };

export const asks: Ask[] = [
  { method: 'GET', path: '/public/count', friend: 200, stranger: 200 },
  { method: 'GET', path: '/public/nope', friend: 404, stranger: 404 },
  { method: 'DELETE', path: '/public/count', headers: json, friend: 200, stranger: 200 },
  { method: 'GET', path: '/team/count', friend: 200, stranger: 'blocked' },
  { method: 'GET', path: '/team/boom', friend: 500, stranger: 'blocked' },
  { method: 'PUT', path: '/team/count', headers: json, friend: 200, stranger: 'blocked' },
  { method: 'PUT', path: '/team/count', headers: json, friend: 200, stranger: 'blocked' },
  { method: 'GET', path: '/team/me', cookies: true, friend: 'blocked', stranger: 'blocked' },
  { method: 'GET', path: '/account/me', cookies: true, friend: 200, stranger: 'blocked' },
  {
    method: 'PUT',
    path: '/account/count',
    headers: json,
    cookies: true,
    friend: 200,
    stranger: 'blocked',
  },
  { method: 'GET', path: '/careless/me', cookies: true, friend: 'blocked', stranger: 'blocked' },
  // By now the browser has a cookie to send.
  { method: 'GET', path: '/account/me', cookies: true, friend: 200, stranger: 'blocked' },
];

export const described = ({ method, path, cookies }: Ask): string =>
  `${method} ${path}${cookies ? ' with cookies' : ''}`;

/** What a page saw of one ask, and why. */
export interface Seen {
  result: number | 'blocked';
  why: string;
}

/** Does what a browser does with a page's fetch (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export async function likeABrowser(t: Trial, origin: string, ask: Ask): Promise<Seen> {
  const { method, path, headers = {}, cookies = false } = ask;
  const blocked = (why: string): Seen => ({ result: 'blocked', why });
  const refusal = (answer: Answer): string | undefined => {
    const allowed = answer.header('Access-Control-Allow-Origin');
    if (allowed === undefined) return 'no Access-Control-Allow-Origin';
    if (allowed !== origin && (cookies || allowed !== '*'))
      return `Access-Control-Allow-Origin is ${allowed}`;
    if (cookies && answer.header('Access-Control-Allow-Credentials') !== 'true')
      return 'Access-Control-Allow-Credentials is not true';
    return undefined;
  };
  const list = (answer: Answer, name: string): string[] =>
    (answer.header(name) ?? '').split(',').map((item) => item.trim());

  if (!['GET', 'HEAD', 'POST'].includes(method) || Object.keys(headers).length > 0) {
    const names = Object.keys(headers)
      .map((name) => name.toLowerCase())
      .sort();
    const preflight = await t.send({
      method: 'OPTIONS',
      target: path,
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': names.join(','),
      },
    });
    const no = refusal(preflight);
    if (no !== undefined) return blocked(`the answer to the preflight: ${no}`);
    if (preflight.status < 200 || preflight.status > 299)
      return blocked(`the preflight was answered with status ${preflight.status}`);
    if (!list(preflight, 'Access-Control-Allow-Methods').includes(method))
      return blocked(`Access-Control-Allow-Methods lacks ${method}`);
    const allowed = list(preflight, 'Access-Control-Allow-Headers').map((name) =>
      name.toLowerCase(),
    );
    const missing = names.find((name) => !allowed.includes(name));
    if (missing !== undefined) return blocked(`Access-Control-Allow-Headers lacks ${missing}`);
  }
  const answer = await t.send({ method, target: path, headers: { ...headers, Origin: origin } });
  const no = refusal(answer);
  return no === undefined
    ? { result: answer.status, why: 'the header fields allow it' }
    : blocked(no);
}

/** What the two pages saw in a real browser, in the order of `asks`, and what stood in their consoles. */
export interface Visit {
  seen: Seen[];
  console: string[];
  /** The text of the last answer, or the page's error. */
  last: string;
}

/** An empty page on an origin of its own. */
export async function servePage(): Promise<{ origin: string; close: () => void }> {
  const server = createServer((_, res) => {
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end('<!doctype html><link rel="icon" href="data:,"><title>A page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Lets each page in turn ask the API on this port everything. */
export async function visit<Who extends string>(
  browser: Browser,
  port: number,
  pages: Record<Who, string>,
): Promise<Record<Who, Visit>> {
  const visits = {} as Record<Who, Visit>;
  for (const who of Object.keys(pages) as Who[]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const lines: string[] = [];
    page.on('console', (message) => lines.push(message.text()));
    await page.goto(pages[who]);
    const told: { result: number | 'blocked'; text: string; from: number }[] = [];
    for (const ask of asks) {
      const from = lines.length;
      const { result, text } = await page.evaluate(
        async ([api, { method, path, headers, cookies }]) => {
          try {
            const response = await fetch(api + path, {
              method,
              headers: headers ?? {},
              credentials: cookies ? 'include' : 'same-origin',
            });
            return { result: response.status, text: await response.text() };
          } catch (error) {
            return { result: 'blocked' as const, text: String(error) };
          }
        },
        [`http://127.0.0.1:${port}`, ask] as const,
      );
      // The browser writes to the console before or just after it rejects; wait for the line that must come.
      for (let n = 0; result === 'blocked' && n < 200 && lines.length === from; n++)
        await page.waitForTimeout(10);
      told.push({ result, text, from });
    }
    visits[who] = {
      seen: told.map(({ result, text, from }, index) => ({
        result,
        why:
          lines.slice(from, told[index + 1]?.from).find((line) => line.includes('CORS policy')) ??
          text,
      })),
      console: lines,
      last: told.at(-1)?.text ?? '',
    };
    await context.close();
  }
  return visits;
}
