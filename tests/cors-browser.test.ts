/** The last word on CORS is the browser's: one page that is let in, one that is not, and what their consoles say. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Browser } from 'playwright-core';
import { layOut } from '../scripts/kernel/catalogue.ts';
import { findLesson, projectRoot } from '../scripts/kernel/course.ts';
import { startOptions } from '../scripts/kernel/judge.ts';
import type { Program } from '../scripts/kernel/program.ts';
import { startListening } from '../scripts/kernel/starting.ts';
import { findTarget } from '../scripts/kernel/target.ts';
import { findBrowser, howToGetOne, withBrowser } from './support/browser.ts';
import { asks, described, servePage, visit, type Visit } from './support/cors-scenario.ts';

const lesson = findLesson('07-cors');
const none = findBrowser() === undefined;
if (none && process.env['CI'] === 'true') throw new Error(howToGetOne);

/** Starts a CORS program with one page on its list, and has both pages ask it everything. */
async function visitsTo(
  browser: Browser,
  wrong?: string,
): Promise<{ friend: Visit; stranger: Visit; log: string[] }> {
  const { dir, remove } = layOut(lesson, wrong && join(projectRoot, 'tests/wrong/07-cors', wrong));
  const [friend, stranger] = await Promise.all([servePage(), servePage()]);
  let program: Program | undefined;
  try {
    const target = findTarget(dir);
    program = await startListening(
      startOptions(lesson, target, { env: { ALLOWED_ORIGINS: friend.origin } }),
      target.dir,
    );
    const visits = await visit(browser, program.port, {
      friend: friend.origin,
      stranger: stranger.origin,
    });
    return { ...visits, log: program.stdout.split('\n') };
  } finally {
    await program?.stop();
    friend.close();
    stranger.close();
    remove();
  }
}

const blockedBy = (visit: Visit): string[] =>
  visit.console.filter((line) => line.includes('blocked by CORS policy'));

test('CORS in a browser', { skip: none && howToGetOne, timeout: 120_000 }, async (t) => {
  const [visits, refused] = await withBrowser(async (browser) => [
    await visitsTo(browser),
    await visitsTo(browser, 'no-preflight.ts'),
  ]);

  for (const who of ['friend', 'stranger'] as const) {
    await t.test(`the ${who} sees what the header fields allow`, () => {
      const seen = asks.map(
        (ask, index) => `${described(ask)}: ${visits[who].seen[index]?.result}`,
      );
      assert.deepEqual(
        seen,
        asks.map((ask) => `${described(ask)}: ${ask[who]}`),
      );
    });
  }

  await t.test("the stranger's console says what is missing", () => {
    const lines = blockedBy(visits.stranger);
    assert.equal(
      lines.length,
      asks.filter(({ stranger }) => stranger === 'blocked').length,
      lines.join('\n'),
    );
    assert.match(lines[0] ?? '', /No 'Access-Control-Allow-Origin' header is present/);
    assert.ok(
      lines.some((line) =>
        line.includes("Response to preflight request doesn't pass access control check"),
      ),
    );
  });

  await t.test("the friend's console names cookies and nothing else", () => {
    const [team, careless, ...others] = blockedBy(visits.friend);
    assert.match(team ?? '', /'Access-Control-Allow-Credentials' header in the response is ''/);
    assert.match(
      careless ?? '',
      /must not be the wildcard '\*' when the request's credentials mode is 'include'/,
    );
    assert.deepEqual(others, []);
  });

  await t.test('cookies reach the account', () => {
    assert.deepEqual(JSON.parse(visits.friend.last), { cookie: 'visitor=42' });
  });

  await t.test('one preflight serves two requests', () => {
    const count = (line: string): number =>
      visits.log.filter((logged) => logged.startsWith(line)).length;
    // One for the friend, two for the stranger, who is told no each time and whose PUT is never sent.
    assert.equal(count('OPTIONS /team/count 204'), 3);
    assert.equal(count('PUT /team/count 200'), 2);
  });

  await t.test('without an answer to its preflight no PUT is sent', () => {
    const { friend, log } = refused;
    const put = asks.findIndex(({ method, path }) => method === 'PUT' && path === '/team/count');
    assert.equal(friend.seen[put]?.result, 'blocked');
    assert.match(
      friend.seen[put]?.why ?? '',
      /Response to preflight request doesn't pass access control check/,
    );
    assert.ok(!log.some((line) => line.startsWith('PUT')));
  });
});
