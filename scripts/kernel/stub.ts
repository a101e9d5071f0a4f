/**
 * The stub and the solution are one text. A solution holds marked regions; what a region's `//:`
 * lines say is what the stub has in its place. See CONTRIBUTING.md, "The stub comes from the solution".
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { solutionsDir, type Lesson } from './course.ts';
import { UsageError } from './failure.ts';

const open = /^(\s*)\/\/#region step (\d+)(?:: (.+))?$/;
const close = /^\s*\/\/#endregion$/;
const misspelt = /^\s*\/\/\s+#(?:end)?region\b/;
const standIn = /^\s*\/\/:(?: (.*))?$/;

/** What stands in the stub for one region. */
export interface Placeholder {
  step: number;
  /** The lines as they stand in the stub, without indentation. */
  lines: string[];
}

interface Parts {
  stub: string;
  clean: string;
  placeholders: Placeholder[];
}

function split(solution: string, file: string): Parts {
  const stub: string[] = [];
  const clean: string[] = [];
  const placeholders: Placeholder[] = [];
  let region: { indent: string; placeholder: Placeholder } | null = null;
  for (const [index, line] of solution.split('\n').entries()) {
    const start = open.exec(line);
    if (misspelt.test(line))
      throw new Error(`${file}:${index + 1}: "//#" begins a region and ends it, without a blank`);
    if (start) {
      if (region)
        throw new Error(
          `${file}:${index + 1}: a region inside a region; close the first one above it`,
        );
      const [, indent = '', step, title] = start;
      region = { indent, placeholder: { step: Number(step), lines: [] } };
      if (title) region.placeholder.lines.push(`// TODO(step ${step}): ${title}`);
    } else if (close.test(line)) {
      if (!region) throw new Error(`${file}:${index + 1}: //#endregion without a region`);
      const { indent, placeholder } = region;
      for (const text of placeholder.lines) stub.push(text ? indent + text : '');
      if (placeholder.lines.length > 0) placeholders.push(placeholder);
      region = null;
    } else {
      const placeholder = standIn.exec(line);
      if (region && placeholder) region.placeholder.lines.push(placeholder[1] ?? '');
      else {
        clean.push(line);
        if (!region) stub.push(line);
      }
    }
  }
  if (region) throw new Error(`${file}: a region is not closed`);
  return { stub: tidy(stub), clean: tidy(clean), placeholders };
}

/** No more than one blank line in a row, and none at either end. */
const tidy = (lines: string[]): string =>
  lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\{\n\n/g, '{\n')
    .replace(/^\n+/, '')
    .trimEnd() + '\n';

/**
 * The text of the solution's file, with its markers.
 * @throws UsageError when it is not there
 */
export function solutionSource(lesson: Lesson, file: string): string {
  try {
    return readFileSync(join(solutionsDir, lesson.name, file), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    throw new UsageError(
      `solutions/${lesson.name}/${file} is not here: this copy has no reference, and stubs are made from it.`,
    );
  }
}

/** The stub that a solution's text stands for. */
export const stubFrom = (solution: string, file = 'solution'): string => split(solution, file).stub;

/** The solution as a learner reads it: without markers and stub lines. */
export const cleanSolution = (solution: string, file = 'solution'): string =>
  split(solution, file).clean;

/** What the stub has in place of each step, in the order of the file. */
export const placeholders = (solution: string, file = 'solution'): Placeholder[] =>
  split(solution, file).placeholders;

/** The stub of a lesson's edited file, as `npm run lesson reset` gives it back. */
export const stubOf = (lesson: Lesson, file: string): string =>
  stubFrom(solutionSource(lesson, file), `solutions/${lesson.name}/${file}`);
