/** The capstone in a real browser: add a user, see it listed, reload, delete. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { layOut } from '../scripts/kernel/catalogue.ts';
import { findLesson } from '../scripts/kernel/course.ts';
import { startListening } from '../scripts/kernel/starting.ts';
import { findBrowser, howToGetOne, withBrowser } from './support/browser.ts';

test('the page adds, lists and deletes users', async (t) => {
  if (findBrowser() === undefined) {
    // On CI a missing browser is a failure; elsewhere the page's files and its API were judged without one.
    assert.ok(!process.env['CI'], howToGetOne);
    t.diagnostic(`The page was not tried in a browser. ${howToGetOne}`);
    return;
  }
  const lesson = findLesson('capstone');
  const { dir, remove } = layOut(lesson);
  const program = await startListening(
    { file: join(dir, lesson.name, 'server.ts'), cwd: dirname(dir), trusted: true },
    dir,
  );
  try {
    await withBrowser(async (browser) => {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      await page.goto(`http://localhost:${program.port}/`);
      await page.getByLabel('Name').fill('Ann <b>Bold</b>');
      await page.getByLabel('Email').fill('ann@example.com');
      await page.getByRole('button', { name: 'Add' }).click();
      const item = page.getByRole('listitem');
      await item.first().waitFor({ timeout: 10_000 });
      assert.equal(await item.count(), 1);
      assert.match(
        (await item.first().textContent()) ?? '',
        /^Ann <b>Bold<\/b> <ann@example\.com>/,
        'a name is shown as text',
      );
      await page.reload();
      await item.first().waitFor({ timeout: 10_000 });
      assert.equal(await item.count(), 1, 'the user is there after a reload');
      await page.getByRole('button', { name: /^Delete/ }).click();
      await item.first().waitFor({ state: 'detached', timeout: 10_000 });
      assert.equal(await item.count(), 0);
      assert.deepEqual(problems, []);
    });
  } finally {
    await program.stop();
    remove();
  }
});
