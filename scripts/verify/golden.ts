/** Golden transcripts: what the terminal says about each wrong program, to be read, and compared ever after. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Proof } from '../kernel/catalogue.ts';
import { projectRoot, type Lesson } from '../kernel/course.ts';
import type { ExchangeResult, Result } from '../kernel/result.ts';
import { makeStyle, plain } from '../show/style.ts';
import { currentStep, verdict } from '../show/verdict.ts';
import { writer, type Problem } from './problem.ts';
import { common, difference } from './wildcards.ts';

/** Transcripts hold values that come from the seed. */
export const goldenSeed = 1;

/** Versions of Node word some errors differently; transcripts are written and compared on the lowest that is supported. */
export const goldenNode = 20;
export const canCompare = process.versions.node.startsWith(`${goldenNode}.`);

/** How often a program is judged before a difference counts, and before a transcript is written. */
export const looks = 3;

const columns = 80;

/** What the terminal says, line by line, with `…` for what differs from run to run. */
export const transcript = (lesson: Lesson, result: Result, colour = false): string[] =>
  verdict(lesson, steady(result), makeStyle(columns, colour), { exchange: true })
    .join('\n')
    .split('\n')
    .map((line) =>
      line.replace(/( *)\d+\.\d ms$/, (time) => `${'…'.padStart(time.length - 3)} ms`).trimEnd(),
    );

const steady = (result: Result): Result => ({
  ...result,
  message: result.message === null ? null : steadyText(result.message),
  ...(result.detail !== undefined && { detail: steadyText(result.detail) }),
  steps: result.steps.map((step) => ({
    ...step,
    message: steadyText(step.message),
    expected: step.expected === null ? null : steadyText(step.expected),
    actual: step.actual === null ? null : steadyText(step.actual),
    exchange: step.exchange === null ? null : steadyExchange(step.exchange),
  })),
});

const steadyText = (text: string): string =>
  text
    .replace(/(?:file:\/\/)?\/(?:[\w.-]+\/)+[\w.-]+\.ts\b/g, '…')
    .replace(/\b(Date: ).*?GMT/gi, '$1…')
    .replace(/\b\d+(?:\.\d+)? (s|ms|MB|%)(?![\w/])/g, '… $1')
    .replace(/(127\.0\.0\.1|localhost):\d{5}\b/g, '$1:…')
    .replace(/\b(ports?"?:?|PORT said|PORT=)( ?)\d{5}\b/g, '$1$2…')
    .replace(/("\w*[pP]ort\w*": ?)\d{4,5}\b/g, '$1…')
    .replace(/\b(connection from|sentence with) \d{5}\b/g, '$1 …')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '…');

/** Of a server that dies, some clients still see the connection opened and reset, others see it refused. */
function steadyExchange(exchange: ExchangeResult): ExchangeResult {
  const died = /^\(the connection was (?:reset without a response|refused)/.test(exchange.response);
  return {
    ...exchange,
    request: steadyText(exchange.request),
    curl: steadyText(exchange.curl),
    response: died ? '(the connection was …)' : steadyText(exchange.response),
    timeline: died ? [] : exchange.timeline,
  };
}

interface Golden {
  /** Its name in the catalogue, such as `wrong/no-end`. */
  program: string;
  /** Relative to the project. */
  file: string;
  lines: string[];
}

/** The first wrong program of each diagnosis that the terminal can name. */
export function representatives(proofs: Proof[]): Proof[] {
  const seen = new Set<string>();
  return proofs.filter(({ name, result }) => {
    if (!name.startsWith('wrong/') || !result) return false;
    const diagnosis = result.diagnosis ?? currentStep(result)?.diagnosis ?? '';
    return !seen.has(diagnosis) && seen.add(diagnosis);
  });
}

/** The transcripts as they must be; the first program's also in colour. */
function transcriptsOf(lesson: Lesson, proofs: Proof[]): Golden[] {
  return representatives(proofs).flatMap(({ name, result }, index) => {
    if (!result) return [];
    const file = `tests/golden/${lesson.name}/${name.slice('wrong/'.length)}`;
    const golden: Golden[] = [
      { program: name, file: `${file}.txt`, lines: transcript(lesson, result) },
    ];
    if (index === 0)
      golden.push({ program: name, file: `${file}.ansi`, lines: transcript(lesson, result, true) });
    return golden;
  });
}

/**
 * Compares what the terminal says with the transcripts.
 * @param proofs judged with `goldenSeed`
 * @param whole whether the proofs are those of all programs, so that a transcript without one is stale
 * @param again judges one program anew: in a race another side may win, so that a difference is looked at again
 */
export async function checkGolden(
  lesson: Lesson,
  proofs: Proof[],
  again: (name: string) => Promise<Proof[]>,
  whole = true,
): Promise<Problem[]> {
  const folder = `tests/golden/${lesson.name}`;
  if (!existsSync(join(projectRoot, folder))) {
    return [
      {
        file: folder,
        line: 0,
        problem: `There are no transcripts yet; ${writer(lesson.name, 'golden')} writes them.`,
      },
    ];
  }
  const goldens = transcriptsOf(lesson, proofs);
  const problems: Problem[] = [];
  for (const { name, result } of representatives(proofs)) {
    if (
      result &&
      transcript(lesson, result, true).map(plain).join() !== transcript(lesson, result).join()
    )
      problems.push({
        file: `tests/${name}`,
        line: 0,
        problem: 'In colour the terminal says something else.',
      });
  }
  for (const golden of goldens) {
    let fault = faultOf(lesson, golden);
    for (let look = 1; fault && look < looks; look += 1) {
      const goldensNow = transcriptsOf(lesson, await again(golden.program));
      fault = faultOf(lesson, goldensNow.find(({ file }) => file === golden.file) ?? golden);
    }
    if (fault) problems.push({ file: golden.file, line: 0, problem: fault });
  }
  if (!whole) return problems;
  return [
    ...problems,
    ...stale(lesson, goldens).map((file) => ({
      file,
      line: 0,
      problem: `No wrong program stands for a diagnosis under this name any more; ${writer(lesson.name, 'golden')} removes it.`,
    })),
  ];
}

function faultOf(lesson: Lesson, { file, lines }: Golden): string | undefined {
  const path = join(projectRoot, file);
  if (!existsSync(path))
    return `This transcript is missing; ${writer(lesson.name, 'golden')} writes it.`;
  const found = difference(readFileSync(path, 'utf8').replaceAll('\r\n', '\n').split('\n'), lines);
  if (!found) return undefined;
  const [was, is] = [found.shown, found.real].map((line) =>
    line === undefined ? 'nothing more' : `"${plain(line).trim()}"`,
  );
  return `The terminal now says ${is} where the transcript has ${was}. If that is right, ${writer(lesson.name, 'golden')} writes it anew.`;
}

/** Transcripts of programs that are not there any more. */
function stale(lesson: Lesson, goldens: Golden[]): string[] {
  const folder = `tests/golden/${lesson.name}`;
  if (!existsSync(join(projectRoot, folder))) return [];
  const names = readdirSync(join(projectRoot, folder)).map((name) => `${folder}/${name}`);
  return names.filter((name) => !goldens.some(({ file }) => file === name));
}

/**
 * Writes the transcripts that differ. What is not the same in each of the runs is written as `…`.
 * @param runs the proofs of the whole lesson, each time with `goldenSeed`
 * @returns what was written or removed
 */
export async function writeGolden(lesson: Lesson, runs: Proof[][]): Promise<string[]> {
  const [first = [], ...others] = runs.map((proofs) => transcriptsOf(lesson, proofs));
  const written: string[] = [];
  await mkdir(join(projectRoot, 'tests', 'golden', lesson.name), { recursive: true });
  for (const golden of first) {
    if (!faultOf(lesson, golden)) continue;
    const again = others.map((goldens) => goldens.find(({ file }) => file === golden.file)?.lines);
    const lines = again.reduce<string[]>(
      (sure, next) => (next ? common(sure, next) : sure),
      golden.lines,
    );
    await writeFile(join(projectRoot, golden.file), `${lines.join('\n')}\n`);
    written.push(golden.file);
  }
  for (const file of stale(lesson, first)) {
    await rm(join(projectRoot, file));
    written.push(file);
  }
  return written;
}
