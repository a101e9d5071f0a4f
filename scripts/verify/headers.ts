/** The first lines of a wrong or a valid program: what it is, and where it must fail. */
import type { Problem } from './problem.ts';

/**
 * @param file in `tests/wrong/` or `tests/valid/`; of a folder, the first file that the learner would edit
 * @param steps how many the lesson has
 */
export function checkHeader(
  file: string,
  text: string,
  kind: 'wrong' | 'valid',
  steps: number,
): Problem[] {
  const problems: Problem[] = [];
  const say = (line: number, problem: string): void => {
    problems.push({ file, line, problem });
  };
  const header = text.split('\n').slice(0, lengthOfComment(text));
  const first = kind === 'wrong' ? 'Wrong' : 'Right';
  if (!new RegExp(`^// ${first}: \\S`).test(header[0] ?? '')) {
    say(
      1,
      `The first line says what is ${kind === 'wrong' ? 'wrong' : 'unusual'}: "// ${first}: …".`,
    );
  }
  let fails = 0;
  for (const [index, content] of header.entries()) {
    const line = index + 1;
    const [, key, value = ''] = /^\/\/ ?(Fails|Only)\s*:\s*(.*)$/i.exec(content) ?? [];
    if (!key) continue;
    if (/^only$/i.test(key)) {
      if (
        !/^\/\/ Only: (?:node >= \d+|(?:linux|darwin|win32)(?: \| (?:linux|darwin|win32))*)$/.test(
          content,
        )
      ) {
        say(line, `"${content}": it reads "// Only: node >= 24" or "// Only: linux".`);
      }
      continue;
    }
    fails += 1;
    const [, step, ids] =
      /^\/\/ Fails: (?:step (\d+)|program), ([a-z\d-]+(?: \| [a-z\d-]+)*)$/.exec(content) ?? [];
    if (!ids)
      say(
        line,
        `"${content}": it reads "// Fails: step 2, no-answer", or "// Fails: program, never-listened".`,
      );
    else if (step && (Number(step) < 1 || Number(step) > steps))
      say(line, `There is no step ${step}; the lesson has ${steps}.`);
    if (kind === 'valid') say(line, `A right program does not fail: "${value}".`);
  }
  if (kind === 'wrong' && fails !== 1) {
    say(
      1,
      fails === 0
        ? 'A line says where it must fail: "// Fails: step 2, no-answer".'
        : 'There is one "// Fails:" line.',
    );
  }
  return problems;
}

const lengthOfComment = (text: string): number => {
  const end = text.split('\n').findIndex((line) => !line.startsWith('//'));
  return end < 0 ? text.split('\n').length : end;
};
