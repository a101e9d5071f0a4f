/**
 * Reads HTTP/1.1 responses from bytes as they arrive (RFC 9112), and keeps what a friendlier parser would hide: the
 * framing, the header fields as sent, bytes after the end.
 */

import { brief } from './exchange.ts';

export type Framing = 'content-length' | 'chunked' | 'close' | 'none';

export interface Message {
  version: string;
  status: number;
  reason: string;
  /** Header fields in the order and the letters in which they came. */
  rawHeaders: [name: string, value: string][];
  framing: Framing;
  body: Buffer;
  /** The message's own bytes, from the status line to the end of the body. */
  raw: Buffer;
}

export type Reading =
  /** Nothing yet, or not yet the whole head. */
  | { state: 'head'; bytes: number }
  /** The head is whole, the body isn't. */
  | { state: 'body'; message: Message; missing: string }
  | { state: 'done'; message: Message; rest: Buffer }
  | { state: 'not-http'; why: string };

export interface ReadOptions {
  /** The request's method: a response to HEAD has no body, whatever its header fields say. */
  method: string;
  /** Whether the sender has closed the connection, which ends a body without length. */
  ended: boolean;
}

const headEnd = Buffer.from('\r\n\r\n');

/** A longer head, and more interim responses than this, are not read: nobody means them. */
const bounds = { headBytes: 64 * 1024, interim: 100 };

/** Reads the first response in `bytes`. Interim responses (1xx but 101) are skipped (RFC 9110, 15.2). */
export function readMessage(bytes: Buffer, options: ReadOptions): Reading {
  for (let skipped = 0; skipped <= bounds.interim; skipped++) {
    const reading = readOne(bytes, options);
    if (reading.state !== 'interim') return reading;
    bytes = reading.rest;
  }
  return { state: 'not-http', why: `more than ${bounds.interim} interim responses came` };
}

const shown = (text: string): string => JSON.stringify(brief(text));

/** White space around a field's value is not part of it (RFC 9112, 5). */
const trimmed = (text: string): string => {
  let [from, to] = [0, text.length];
  while (from < to && (text[from] === ' ' || text[from] === '\t')) from++;
  while (to > from && (text[to - 1] === ' ' || text[to - 1] === '\t')) to--;
  return text.slice(from, to);
};

function readOne(
  bytes: Buffer,
  options: ReadOptions,
): Reading | { state: 'interim'; rest: Buffer } {
  const end = bytes.indexOf(headEnd);
  if ((end < 0 ? bytes.length : end) > bounds.headBytes)
    return { state: 'not-http', why: `its head is longer than ${bounds.headBytes} bytes` };
  const head = bytes.subarray(0, end < 0 ? bytes.length : end).toString('latin1');
  const [statusLine = '', ...fieldLines] = head.split('\r\n');
  if (end < 0) {
    if (!'HTTP/1.'.startsWith(head.slice(0, 7))) {
      return { state: 'not-http', why: 'it does not begin with HTTP/1.1' };
    }
    if (!options.ended) return { state: 'head', bytes: bytes.length };
    return bytes.length === 0
      ? { state: 'head', bytes: 0 }
      : { state: 'not-http', why: 'the header section has no end' };
  }
  const status = /^HTTP\/(\d\.\d) (\d{3})(?: (.*))?$/.exec(statusLine);
  if (!status) return { state: 'not-http', why: 'its first line is not a status line' };

  const rawHeaders: [string, string][] = [];
  for (const line of fieldLines) {
    const [name = ''] = line.split(':', 1);
    if (!/^[^\s:]+$/.test(name) || name === line)
      return { state: 'not-http', why: `this line is not a header field: ${shown(line)}` };
    const value = trimmed(line.slice(name.length + 1));
    rawHeaders.push([name, Buffer.from(value, 'latin1').toString('utf8')]);
  }
  const message: Message = {
    version: status[1] ?? '',
    status: Number(status[2]),
    reason: status[3] ?? '',
    rawHeaders,
    framing: 'none',
    body: Buffer.alloc(0),
    raw: bytes.subarray(0, end + 4),
  };
  const start = end + 4;
  if (message.status >= 100 && message.status < 200 && message.status !== 101) {
    return { state: 'interim', rest: bytes.subarray(start) };
  }
  return readBody(bytes, start, message, options);
}

const values = (message: Message, name: string): string[] =>
  message.rawHeaders.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);

/** The body's length, in the order of RFC 9112, 6.3. */
function readBody(bytes: Buffer, start: number, message: Message, options: ReadOptions): Reading {
  const done = (end: number): Reading => {
    message.raw = bytes.subarray(0, end);
    return { state: 'done', message, rest: bytes.subarray(end) };
  };
  const { status } = message;
  if (options.method === 'HEAD' || status === 101 || status === 204 || status === 304)
    return done(start);

  if (/\bchunked\s*$/i.test(values(message, 'transfer-encoding').at(-1) ?? '')) {
    message.framing = 'chunked';
    return readChunks(bytes, start, message, done);
  }
  const length = values(message, 'content-length')[0];
  if (length !== undefined) {
    if (!/^\d+$/.test(length))
      return { state: 'not-http', why: `Content-Length is ${shown(length)}` };
    message.framing = 'content-length';
    const end = start + Number(length);
    message.body = bytes.subarray(start, end);
    if (bytes.length >= end) return done(end);
    message.raw = bytes;
    const missing = `${end - bytes.length} of the ${length} bytes that Content-Length promised`;
    return { state: 'body', message, missing };
  }
  message.framing = 'close';
  message.body = bytes.subarray(start);
  if (options.ended) return done(bytes.length);
  message.raw = bytes;
  return { state: 'body', message, missing: 'the end of the connection, which ends this body' };
}

function readChunks(
  bytes: Buffer,
  start: number,
  message: Message,
  done: (end: number) => Reading,
): Reading {
  const pieces: Buffer[] = [];
  let at = start;
  const unfinished = (): Reading => {
    message.body = Buffer.concat(pieces);
    message.raw = bytes;
    return { state: 'body', message, missing: 'the last chunk, which says that the body is over' };
  };
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return unfinished();
    const sizeText = bytes.subarray(at, lineEnd).toString('latin1').replace(/;.*$/, '').trim();
    if (!/^[0-9a-f]+$/i.test(sizeText))
      return {
        state: 'not-http',
        why: `a chunk's size is ${shown(sizeText)}`,
      };
    const size = parseInt(sizeText, 16);
    at = lineEnd + 2;
    if (size === 0) {
      // The trailer section: field lines up to an empty one.
      for (;;) {
        const trailerEnd = bytes.indexOf('\r\n', at);
        if (trailerEnd < 0) return unfinished();
        const empty = trailerEnd === at;
        at = trailerEnd + 2;
        if (empty) break;
      }
      message.body = Buffer.concat(pieces);
      return done(at);
    }
    pieces.push(bytes.subarray(at, Math.min(at + size, bytes.length)));
    if (bytes.length < at + size + 2) return unfinished();
    at += size + 2;
  }
}
