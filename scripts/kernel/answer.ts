/** A whole response, and what a step may ask of it. Every question that fails names its cause. */
import { isDeepStrictEqual } from 'node:util';
import { brief, type Exchange } from './exchange.ts';
import { StepFailure, type Failure } from './failure.ts';
import type { Framing, Message } from './message.ts';

/** A known mistake: how to recognise it on the wire, and what to say. */
export interface Cause {
  if: (answer: Answer) => boolean;
  diagnosis: string;
  message: string;
}

export class Answer {
  readonly exchange: Exchange;
  readonly #message: Message;

  constructor(exchange: Exchange) {
    if (!exchange.message) throw new Error('an exchange without a response has no answer');
    this.exchange = exchange;
    this.#message = exchange.message;
  }

  get status(): number {
    return this.#message.status;
  }
  get reason(): string {
    return this.#message.reason;
  }
  get version(): string {
    return this.#message.version;
  }
  /** Header fields as they were sent, in order. */
  get rawHeaders(): [string, string][] {
    return this.#message.rawHeaders;
  }
  get body(): Buffer {
    return this.#message.body;
  }
  get text(): string {
    return this.#message.body.toString('utf8');
  }
  get framing(): Framing {
    return this.#message.framing;
  }
  /** Bytes that came after the response on this connection. */
  get trailing(): Buffer {
    return this.exchange.rest;
  }
  get closed(): Exchange['closed'] {
    return this.exchange.closed;
  }
  /** Whether the server says that it closes the connection after this response (RFC 9112, 9.6): what was sent behind it is lost. */
  get announcesClose(): boolean {
    return /\bclose\b/i.test(this.header('Connection') ?? '');
  }
  /** In ms since the connection was asked for. */
  get times(): { firstByteMs: number; endMs: number } {
    const { firstByte, lastByte, over } = this.exchange.times;
    return { firstByteMs: firstByte ?? over, endMs: lastByte ?? over };
  }

  /** A header field's value; several fields of one name are joined with a comma (RFC 9110, 5.3). */
  header(name: string): string | undefined {
    const all = this.headerAll(name);
    return all.length > 0 ? all.join(', ') : undefined;
  }

  /** The values of all fields of this name. */
  headerAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.rawHeaders
      .filter(([key]) => key.toLowerCase() === wanted)
      .map(([, value]) => value);
  }

  /** The body as JSON. Fails the step where it isn't. */
  json(): unknown {
    const parsed = parse(this.text);
    if (!parsed.ok) {
      this.fail({
        diagnosis: 'body-not-json',
        message:
          this.text === ''
            ? 'The body is empty; JSON was expected.'
            : `The body is not JSON: ${parsed.why}.`,
        expected: 'a body that JSON.parse accepts',
        actual: brief(this.text) || '(an empty body)',
      });
    }
    return parsed.value;
  }

  fail(failure: Failure): never {
    throw new StepFailure({ exchange: this.exchange, ...failure });
  }

  /** Fails with the first cause that fits, or else with `otherwise`. */
  #blame(causes: Cause[], otherwise: Failure): never {
    const cause = causes.find((candidate) => candidate.if(this));
    if (!cause) this.fail(otherwise);
    this.fail({ ...otherwise, diagnosis: cause.diagnosis, message: cause.message });
  }

  expect(condition: unknown, failure: Failure): void {
    if (!condition) this.fail(failure);
  }

  expectStatus(status: number, causes: Cause[] = []): void {
    if (this.status === status) return;
    this.#blame(causes, {
      diagnosis: 'wrong-status',
      message: `The status is ${this.status}; ${status} was expected for ${this.#request}.`,
      expected: `status ${status}`,
      actual: `status ${this.status} ${brief(this.reason)}`.trimEnd(),
    });
  }

  get #request(): string {
    return `${this.exchange.method} ${brief(this.exchange.target, 60)}`;
  }

  expectHeader(
    name: string,
    wanted: string | RegExp | ((value: string) => boolean),
    causes: Cause[] = [],
  ): void {
    const value = this.header(name);
    const fits =
      value !== undefined &&
      (typeof wanted === 'string'
        ? value === wanted
        : wanted instanceof RegExp
          ? wanted.test(value)
          : wanted(value));
    if (fits) return;
    const described =
      typeof wanted === 'string'
        ? `${name}: ${wanted}`
        : wanted instanceof RegExp
          ? `${name} like ${wanted}`
          : `a right ${name}`;
    this.#blame(causes, {
      diagnosis: value === undefined ? 'missing-header' : 'wrong-header',
      message:
        value === undefined
          ? `The response to ${this.#request} has no ${name} header field.`
          : `The header field ${name} of the response to ${this.#request} is not what was expected.`,
      expected: described,
      actual: value === undefined ? `no ${name}` : `${name}: ${brief(value)}`,
    });
  }

  expectNoHeader(name: string, causes: Cause[] = []): void {
    const value = this.header(name);
    if (value === undefined) return;
    this.#blame(causes, {
      diagnosis: 'unexpected-header',
      message: `The response to ${this.#request} has a ${name} header field that does not belong there.`,
      expected: `no ${name}`,
      actual: `${name}: ${brief(value)}`,
    });
  }

  expectText(wanted: string | RegExp, causes: Cause[] = []): void {
    if (typeof wanted === 'string' ? this.text === wanted : wanted.test(this.text)) return;
    this.#blame(causes, {
      diagnosis: 'wrong-body',
      message: `The body of the response to ${this.#request} is not what was expected${typeof wanted === 'string' ? firstDifference(wanted, this.text) : ''}.`,
      expected: typeof wanted === 'string' ? wanted : `text like ${wanted}`,
      actual: this.text || '(an empty body)',
    });
  }

  /** Compares the parsed body, whatever its spacing and the order of its keys. */
  expectJSON(wanted: unknown, causes: Cause[] = []): void {
    const parsed = parse(this.text);
    if (parsed.ok && isDeepStrictEqual(bare(parsed.value), bare(wanted))) return;
    this.#blame(causes, {
      diagnosis: parsed.ok ? 'wrong-json' : 'body-not-json',
      message: parsed.ok
        ? `The JSON in the response to ${this.#request} is not what was expected${jsonDifference(wanted, parsed.value)}.`
        : `The body of the response to ${this.#request} is not JSON: ${parsed.why}.`,
      expected: JSON.stringify(wanted),
      actual: this.text || '(an empty body)',
    });
  }

  expectNoBody(causes: Cause[] = []): void {
    if (this.body.length === 0 && this.trailing.length === 0) return;
    const bytes = Buffer.concat([this.body, this.trailing]);
    this.#blame(causes, {
      diagnosis: 'unexpected-body',
      message: `The response to ${this.#request} has a body; it must have none.`,
      expected: 'no body',
      actual: `${bytes.length} bytes: ${brief(bytes.toString('utf8'))}`,
    });
  }
}

function parse(
  text: string,
): { ok: true; value: unknown } | { ok: false; value?: undefined; why: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return {
      ok: false,
      why: error instanceof Error ? brief(error.message) : 'it cannot be parsed',
    };
  }
}

/** A copy of parsed JSON in which objects have no prototype, so that nothing but the data is compared. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = bare(item);
  return copy;
}

function firstDifference(wanted: string, actual: string): string {
  if (actual === '') return ': it is empty';
  if (wanted.startsWith(actual)) return `: it stops after ${actual.length} characters`;
  if (actual.startsWith(wanted))
    return `: after the expected text comes more, ${JSON.stringify(brief(actual.slice(wanted.length), 20))}`;
  let at = 0;
  while (wanted[at] === actual[at]) at++;
  return `: the first difference is at character ${at + 1}, ${JSON.stringify(brief(actual.slice(at, at + 8), 12))} for ${JSON.stringify(brief(wanted.slice(at, at + 8), 12))}`;
}

function jsonDifference(wanted: unknown, actual: unknown, path = ''): string {
  const where = path || 'the value';
  if (isDeepStrictEqual(bare(wanted), bare(actual))) return '';
  const objects = [wanted, actual].every(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  );
  if (objects) {
    const [w, a] = [wanted as Record<string, unknown>, actual as Record<string, unknown>];
    for (const key of Object.keys(w)) {
      if (w[key] === undefined) continue;
      if (!Object.hasOwn(a, key)) return `: "${brief(path + key, 40)}" is missing`;
      const deeper = jsonDifference(w[key], a[key], `${path}${key}.`);
      if (deeper) return deeper;
    }
    const extra = Object.keys(a).find((key) => !Object.hasOwn(w, key));
    if (extra !== undefined) return `: "${brief(path + extra, 40)}" should not be there`;
  }
  return `: ${brief(where.replace(/\.$/, ''), 40)} is ${brief(JSON.stringify(actual) ?? 'undefined', 40)}, expected ${brief(JSON.stringify(wanted) ?? 'undefined', 40)}`;
}
