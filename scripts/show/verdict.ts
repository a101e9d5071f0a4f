/** A verdict as a learner reads it. */
import type { Lesson } from '../kernel/course.ts';
import type { Result, StepResult } from '../kernel/result.ts';
import { exchangeText, picture } from './exchange.ts';
import { wrap, type Style } from './style.ts';

export interface VerdictOptions {
  /** Whether the exchange is shown as well. */
  exchange?: boolean;
}

/** The step that matters now: the first that fails, else the first that was not reached. */
export const currentStep = (result: Result): StepResult | undefined =>
  result.steps.find((step) => step.status === 'fail') ??
  result.steps.find((step) => step.status !== 'pass');

/** A step's state in one word. */
export function stateOf(step: StepResult | undefined): 'done' | 'fails' | 'to do' | 'waits' {
  if (!step || step.status === 'not-reached') return 'waits';
  if (step.status === 'pass') return 'done';
  return step.diagnosis === 'not-done-yet' ? 'to do' : 'fails';
}

const colours = { done: 'green', fails: 'red', 'to do': 'yellow', waits: 'dim' } as const;

/** The title, and how far the lesson is. */
export function heading(lesson: Lesson, result: Result | undefined, style: Style): string[] {
  const done = result?.steps.filter((step) => step.status === 'pass').length ?? 0;
  const left = `Lesson ${lesson.number}: ${lesson.title}`;
  const right = result ? `${done} of ${lesson.steps.length} steps done` : '';
  const gap = Math.max(style.width - left.length - right.length, 2);
  return [`${style.paint('bold', left)}${right ? ' '.repeat(gap) + right : ''}`, ''];
}

/** Every step with its state. */
export function stepList(lesson: Lesson, result: Result | undefined, style: Style): string[] {
  return lesson.steps.map(({ title }, index) => {
    const state = stateOf(result?.steps[index]);
    return `  ${style.paint(colours[state], state.padEnd(6))} ${index + 1}. ${title}`;
  });
}

/** The whole verdict. */
export function verdict(
  lesson: Lesson,
  result: Result,
  style: Style,
  options: VerdictOptions = {},
): string[] {
  const lines = [...heading(lesson, result, style), ...stepList(lesson, result, style), ''];
  if (result.status === 'pass') return [...lines, ...finished(lesson, style)];
  if (result.status === 'error')
    return [...lines, ...programFault(result, style), '', ...readOn(lesson, undefined, style)];
  const step = currentStep(result);
  return step ? [...lines, ...opened(lesson, step, style, options)] : lines;
}

function finished(lesson: Lesson, style: Style): string[] {
  return [...wrap(`${style.paint('green', 'Lesson done.')} ${lesson.learned}`, style.width)];
}

function programFault(result: Result, style: Style): string[] {
  const lines = [
    style.paint('bold', 'The program'),
    '',
    ...wrap(result.message ?? '', style.width, '  '),
  ];
  if (result.detail && !result.message?.includes(result.detail)) {
    lines.push('', ...labelled('it said', result.detail, style));
  }
  return lines;
}

/** The step that matters, with what was expected and what came. */
export function opened(
  lesson: Lesson,
  step: StepResult,
  style: Style,
  options: VerdictOptions = {},
): string[] {
  const lines = [
    style.paint('bold', `Step ${step.step}: ${step.title}`),
    '',
    ...wrap(step.message, style.width, '  '),
  ];
  const todo = step.diagnosis === 'not-done-yet';
  if (!todo && (step.expected !== null || step.actual !== null)) {
    lines.push('');
    if (step.expected !== null) lines.push(...labelled('expected', step.expected, style));
    if (step.actual !== null) lines.push(...labelled('got', step.actual, style));
    const caret = marks(step, style);
    if (caret) lines.push(caret);
  }
  if (step.exchange && options.exchange && !todo) {
    lines.push('', ...exchangeText(step.exchange, style), '', ...picture(step.exchange, style));
  }
  if (step.exchange?.curl && !todo) {
    lines.push(
      '',
      `  Try it: "npm run lesson serve ${lesson.number}" in one terminal, and in another`,
      `    ${step.exchange.curl}`,
      ...(step.exchange.before.length > 0
        ? ['  Other requests came before it in this step, and they may matter.']
        : []),
    );
  }
  return [...lines, '', ...readOn(lesson, step.step, style)];
}

const label = 10;

function labelled(name: string, text: string, style: Style): string[] {
  const [first = '', ...rest] = wrap(text.trimEnd(), style.width - label - 2).slice(0, 12);
  return [
    `  ${style.paint('dim', name.padEnd(label))}${first}`,
    ...rest.map((line) => (line ? `${' '.repeat(label + 2)}${line}` : '')),
  ];
}

/** A caret under the first letter that differs, where both texts stand on one line each. */
function marks(step: StepResult, style: Style): string | undefined {
  const { expected, actual } = step;
  if (!expected || !actual || expected.includes('\n') || actual.includes('\n')) return undefined;
  if (Math.max(expected.length, actual.length) > style.width - label - 2) return undefined;
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at++;
  // Texts that have little in common are told apart without help.
  if (at < 3) return undefined;
  return `${' '.repeat(label + 2 + at)}${style.paint('red', '^')} here they part`;
}

function readOn(lesson: Lesson, step: number | undefined, style: Style): string[] {
  const where = `lessons/${lesson.name}/README.md${step ? `, "Step ${step}"` : ''}`;
  return wrap(`Read on in ${where}. For a hint: npm run lesson hint ${lesson.number}`, style.width);
}
