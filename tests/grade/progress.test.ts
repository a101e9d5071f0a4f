import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, Progress } from '../../scripts/grade/progress.ts';

for (const [done, left, elapsedMs, wanted] of [
  [0, 4, 0, '[........................] 0 %, 4 left'],
  [1, 3, 10_000, '[######..................] 25 %, 3 left, about 30 s'],
  [3, 1, 900_000, '[##################......] 75 %, 1 left, about 5 min'],
  [4, 0, 1000, '[########################] 100 %, nothing left'],
  [0, 0, 0, '[########################] 100 %, nothing left'],
] as const)
  test(`the bar after ${done} with ${left} to come`, () =>
    assert.equal(bar(done, left, elapsedMs), wanted));

function written(isTTY: boolean, env: NodeJS.ProcessEnv): string {
  let text = '';
  const progress = new Progress(
    { isTTY, write: (part: string | Uint8Array) => Boolean((text += String(part))) } as never,
    12,
    env,
  );
  progress.tell('Ada', '3 of 4 points', 11);
  progress.end();
  return text;
}

test('on a terminal the bar stands below the lines, and is gone at the end', () => {
  const text = written(true, {});
  assert.match(
    text,
    /\[ 1 of 12\] Ada: 3 of 4 points\n\[#+\.+\] 8 %, 11 left, about \d+ s\r\u001b\[2K$/,
  );
});

test('into a pipe, and on a dumb terminal, there are lines alone', () => {
  assert.equal(written(false, {}), '[ 1 of 12] Ada: 3 of 4 points\n');
  assert.equal(written(true, { TERM: 'dumb' }), '[ 1 of 12] Ada: 3 of 4 points\n');
});
