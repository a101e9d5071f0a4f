/** Output as a README shows it, where `…` stands for what differs from run to run. */

const wild = '…';

/** Does a line of a README stand for this line of output? `…` is any characters. */
function lineMatches(shown: string, real: string): boolean {
  if (!shown.includes(wild)) return shown.trimEnd() === real.trimEnd();
  const [head = '', ...parts] = shown.trimEnd().split(wild);
  const tail = parts.pop() ?? '';
  const text = real.trimEnd();
  if (!text.startsWith(head) || !text.endsWith(tail) || text.length < head.length + tail.length)
    return false;
  let from = head.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return from <= text.length - tail.length;
}

const isGap = (shown: string | undefined): boolean => shown?.trim() === wild;

/** The first place where a README and the output part. */
export interface Difference {
  /** The README's line, where it has one. */
  shown?: string;
  /** The output's line, where it has one. */
  real?: string;
}

/**
 * Where the lines of a README stop standing for these lines of output, or `null` where they stand for all of it.
 * A line of only `…` is any lines, or none. Empty lines at the end count for nothing: a terminal's prompt comes next.
 */
export function difference(shown: string[], real: string[]): Difference | null {
  const lines = trimEnd(real);
  // reached[j]: the lines of the README so far can stand for the first j lines of the output.
  let reached = [true, ...lines.map(() => false)];
  for (const line of trimEnd(shown)) {
    const first = reached.indexOf(true);
    const next = isGap(line)
      ? reached.map((_, j) => j >= first)
      : reached.map(
          (_, j) => j > 0 && reached[j - 1] === true && lineMatches(line, lines[j - 1] ?? ''),
        );
    if (!next.includes(true)) return { shown: line, ...realLine(lines[reached.lastIndexOf(true)]) };
    reached = next;
  }
  return reached[lines.length] ? null : realLine(lines[reached.lastIndexOf(true)]);
}

const realLine = (real: string | undefined): Difference => (real === undefined ? {} : { real });

/** The real output, with the wildcards of the old text kept where they still hold. */
export function mergeOutput(shown: string[], real: string[]): string[] {
  const a = trimEnd(shown);
  const b = trimEnd(real);
  if (!difference(a, b)) return a;
  const pairs = [{ shown: -1, real: -1 }, ...align(a, b), { shown: a.length, real: b.length }];
  const merged: string[] = [];
  for (const [n, pair] of pairs.entries()) {
    const next = pairs[n + 1];
    if (!next) break;
    if (pair.shown >= 0) merged.push(a[pair.shown] ?? '');
    const between = a.slice(pair.shown + 1, next.shown);
    // A gap that stood alone between two lines which are still there goes on standing for what is between them.
    if (between.length > 0 && between.every(isGap)) merged.push(wild);
    else merged.push(...b.slice(pair.real + 1, next.real).map(steady));
  }
  return trimEnd(merged);
}

/** What two runs have in common, with `…` for the lines in which they differ. */
export function common(one: string[], other: string[]): string[] {
  const [a, b] = [trimEnd(one), trimEnd(other)];
  if (!difference(a, b)) return a;
  const pairs = [{ shown: -1, real: -1 }, ...align(a, b), { shown: a.length, real: b.length }];
  return pairs.flatMap((pair, n) => {
    const next = pairs[n + 1];
    const line = pair.shown >= 0 && pair.shown < a.length ? [a[pair.shown] ?? ''] : [];
    const together = !next || (next.shown === pair.shown + 1 && next.real === pair.real + 1);
    return together ? line : [...line, wild];
  });
}

/** What surely differs from run to run is written as `…` from the start. */
const steady = (line: string): string =>
  line
    .trimEnd()
    .replace(/^((?:[<>] )?date: ).*GMT$/i, `$1${wild}`)
    .replace(/\bNode\.js v\d[\d.]*/, `Node.js v${wild}`)
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, wild);

/** The longest run of pairs, in order, of a README's line and an output line that it stands for. */
function align(shown: string[], real: string[]): { shown: number; real: number }[] {
  const length: number[][] = Array.from({ length: shown.length + 1 }, () =>
    new Array<number>(real.length + 1).fill(0),
  );
  const at = (i: number, j: number): number => length[i]?.[j] ?? 0;
  const pair = (i: number, j: number): boolean =>
    !isGap(shown[i]) && lineMatches(shown[i] ?? '', real[j] ?? '');
  for (let i = shown.length - 1; i >= 0; i -= 1) {
    for (let j = real.length - 1; j >= 0; j -= 1) {
      const row = length[i];
      if (row) row[j] = pair(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: { shown: number; real: number }[] = [];
  for (let i = 0, j = 0; i < shown.length && j < real.length;) {
    if (pair(i, j)) pairs.push({ shown: i++, real: j++ });
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}

function trimEnd(lines: string[]): string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.trim() === '') end -= 1;
  return lines.slice(0, end);
}
