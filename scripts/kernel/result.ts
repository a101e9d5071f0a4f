/** A verdict as data, `workbook/result/v1`: from it every face is drawn, and nothing else. */
import { commandLine, requestText, responseText, safe, type Exchange } from './exchange.ts';
import type { Failure } from './failure.ts';

export interface ExchangeResult {
  request: string;
  response: string;
  /** A line that repeats the request by hand; empty where no command can. */
  curl: string;
  /** The last exchanges of the same step before this one, a line each. */
  before: string[];
  /** What happened when, in ms since the connection was asked for. */
  timeline: { atMs: number; from: 'client' | 'server' | 'nobody'; what: string }[];
}

export interface StepResult {
  step: number;
  title: string;
  status: 'pass' | 'fail' | 'not-reached';
  diagnosis: string | null;
  message: string;
  expected: string | null;
  actual: string | null;
  exchange: ExchangeResult | null;
}

export interface Result {
  schema: 'workbook/result/v1';
  lesson: string;
  target: string;
  node: string;
  seed: number;
  status: 'pass' | 'fail' | 'error';
  durationMs: number;
  /** With status `error`: what is wrong with the program as a whole. */
  diagnosis: string | null;
  message: string | null;
  /** With status `error`: what the program printed last, where that helps. */
  detail?: string;
  steps: StepResult[];
}

const cap = (text: string | undefined, limit: number): string | null => {
  if (text === undefined) return null;
  const clean = safe(text);
  return clean.length > limit
    ? `${clean.slice(0, limit)}… (${clean.length - limit} more characters)`
    : clean;
};

export function exchangeResult(exchange: Exchange, before: Exchange[] = []): ExchangeResult {
  return {
    request: requestText(exchange),
    response: responseText(exchange),
    curl: commandLine(exchange),
    before: beforeIt(before),
    timeline: timeline(exchange),
  };
}

const requestLine = ({ sent }: Exchange): string =>
  cap(sent.subarray(0, Math.max(sent.indexOf('\r\n'), 0)).toString('latin1'), 60) ||
  `${sent.length} bytes`;

function inOneLine(exchange: Exchange): string {
  const { message, outcome } = exchange;
  // Whether a program that dies closes or resets a connection depends on the moment.
  const lost = outcome === 'connection-closed' || outcome === 'connection-reset';
  const came = message
    ? `${message.status} ${message.reason}`.trim()
    : lost
      ? 'connection ended'
      : outcome.replace('-', ' ');
  return `${requestLine(exchange)}: ${cap(came, 60)}`;
}

const shownBefore = 3;

/** The last few exchanges, those that were repeated told once: how often a check asks again depends on the machine. */
function beforeIt(exchanges: Exchange[]): string[] {
  const lines: string[] = [];
  for (const line of exchanges.map(inOneLine)) {
    const last = lines.at(-1);
    if (last === line) lines[lines.length - 1] = `${line} (several times)`;
    else if (last !== `${line} (several times)`) lines.push(line);
  }
  const left = lines.length > shownBefore ? ['others, and then'] : [];
  return [...left, ...lines.slice(-shownBefore)];
}

function timeline(exchange: Exchange): ExchangeResult['timeline'] {
  const { times, outcome, message } = exchange;
  const rows: ExchangeResult['timeline'] = [];
  const row = (at: number, from: 'client' | 'server' | 'nobody', what: string): void => {
    rows.push({ atMs: Math.round(at * 10) / 10, from, what });
  };
  if (outcome === 'refused') row(times.over, 'server', 'connection refused');
  if (times.connected !== undefined) row(times.connected, 'client', 'connection open');
  if (times.sent !== undefined) row(times.sent, 'client', requestLine(exchange));
  if (times.firstByte !== undefined) {
    row(
      times.firstByte,
      'server',
      message ? cap(`${message.status} ${message.reason}`, 60) || '' : 'first byte',
    );
  }
  if (times.lastByte !== undefined && message && message.body.length > 0) {
    row(times.lastByte, 'server', `${message.body.length} bytes of body`);
  }
  if (outcome === 'no-answer') row(times.over, 'nobody', 'no answer');
  else if (outcome === 'response-never-ended')
    row(times.over, 'nobody', 'the end of the response is missing');
  else if (outcome === 'response-endless') row(times.over, 'nobody', 'the response goes on');
  if (exchange.closed === 'fin') row(times.over, 'server', 'connection closed');
  if (exchange.closed === 'reset' && outcome !== 'refused')
    row(times.over, 'server', 'connection reset');
  return rows;
}

export function passed(step: number, title: string): StepResult {
  return {
    step,
    title,
    status: 'pass',
    diagnosis: null,
    message: '',
    expected: null,
    actual: null,
    exchange: null,
  };
}

export function notReached(step: number, title: string, message: string): StepResult {
  return {
    step,
    title,
    status: 'not-reached',
    diagnosis: null,
    message,
    expected: null,
    actual: null,
    exchange: null,
  };
}

export function failed(step: number, title: string, failure: Failure): StepResult {
  return {
    step,
    title,
    status: 'fail',
    diagnosis: failure.diagnosis,
    message: cap(failure.message, 600) ?? '',
    expected: cap(failure.expected, 2000),
    actual: cap(failure.actual, 2000),
    exchange: failure.exchange ? exchangeResult(failure.exchange, failure.before) : null,
  };
}
