// Finished: times one look-up in your Router, which is a list, and in a tree. Run it with
//   npx tsx lessons/05-router/measure.ts
import { Router } from './router.ts';

/** One place in the tree: the segments that may follow, a named one apart, and the value of a path that ends here. */
interface Branch {
  readonly next: Map<string, Branch>;
  named?: Branch;
  value?: string;
}

const branch = (): Branch => ({ next: new Map() });

/** Adds a path, segment by segment; paths that begin alike share their first branches. */
function grow(root: Branch, path: string): void {
  let at = root;
  for (const segment of path.split('/')) {
    let next = segment.startsWith(':') ? at.named : at.next.get(segment);
    if (next === undefined) {
      next = branch();
      if (segment.startsWith(':')) at.named = next;
      else at.next.set(segment, next);
    }
    at = next;
  }
  at.value = path;
}

/** Follows a pathname from branch to branch: as many steps as it has segments, however many routes there are. */
function climb(root: Branch, pathname: string): string | undefined {
  let at: Branch | undefined = root;
  for (const segment of pathname.split('/')) {
    at = at.next.get(segment) ?? at.named;
    if (at === undefined) return undefined;
  }
  return at.value;
}

/** Microseconds for one call, the best of five rounds of at least 20 ms. */
function time(call: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < 20) {
      call();
      calls++;
    }
    best = Math.min(best, ((performance.now() - start) / calls) * 1000);
  }
  return best;
}

console.log('routes    list (µs)    tree (µs)');
for (const count of [10, 100, 1000, 10_000]) {
  const list = new Router();
  const tree = branch();
  for (let n = 0; n < count; n++) {
    list.get(`/shop/department${n}/:item`, () => {});
    grow(tree, `/shop/department${n}/:item`);
  }
  const last = `/shop/department${count - 1}/42`;
  const [inList, inTree] = [time(() => list.match('GET', last)), time(() => climb(tree, last))];
  const cells = [inList, inTree].map((value) => value.toFixed(2).padStart(13));
  console.log(`${String(count).padStart(6)}${cells.join('')}`);
}
