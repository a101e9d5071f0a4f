/** What a check found: a fault at a place in a file of the project. */
export interface Problem {
  /** Relative to the project's folder, with `/`. */
  file: string;
  /** Counted from 1; 0 for the file as a whole. */
  line: number;
  problem: string;
  /** Worth a look, but no reason to fail. */
  warning?: boolean;
}

/** A problem in `README.md:12`'s form, so that an editor's terminal can jump to it. */
export const describe = ({ file, line, problem, warning }: Problem): string =>
  `${file}${line > 0 ? `:${line}` : ''}  ${warning ? 'warning: ' : ''}${problem}`;

/** What writes something for one lesson, for a problem's text: `"npm run verify 3 -- --golden"`. */
export const writer = (lesson: string, flag: 'write' | 'golden'): string =>
  `"npm run verify ${Number(lesson.slice(0, 2))} -- --${flag}"`;

/** In the order of files and lines, each once. */
export function sorted(problems: Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [describe(problem), problem]));
  return [...unique.values()].sort(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line,
  );
}
