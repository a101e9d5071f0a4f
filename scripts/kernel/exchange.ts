/** One request and what became of it, as it went over the wire. */
import type { Message } from './message.ts';

export type Outcome =
  | 'answered'
  /** Nothing came within the limit; the connection is still open. */
  | 'no-answer'
  /** The response began and did not end within the limit. */
  | 'response-never-ended'
  /** The response went past every bound. */
  | 'response-endless'
  /** The connection was closed before a whole response had come. */
  | 'connection-closed'
  /** The same, with a TCP reset. */
  | 'connection-reset'
  | 'refused'
  /** What came is not an HTTP response. */
  | 'not-http';

export interface Exchange {
  outcome: Outcome;
  /** The bytes that were sent. */
  sent: Buffer;
  /** The bytes that came back. */
  received: Buffer;
  /** The response, whole or as far as it came. */
  message?: Message;
  /** Bytes after the response. */
  rest: Buffer;
  /** In words, what is missing or wrong. */
  note?: string;
  method: string;
  target: string;
  port: number;
  /** The silence that was granted, in ms; a busy machine makes it longer. */
  limitMs: number;
  /** How the connection stood when the exchange was over. */
  closed: 'fin' | 'reset' | 'open';
  /** When something happened, in ms since the connection was asked for, or since the exchange before on the same one. */
  times: { connected?: number; sent?: number; firstByte?: number; lastByte?: number; over: number };
}

const cap = 4096;

/** Milliseconds as seconds with one digit, or two where one says nothing. */
export const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 100 ? 2 : 1);

/** Bytes as text that is safe to print: CRLF as line ends, everything else that isn't printable escaped. */
export function printable(bytes: Buffer, limit = cap): string {
  const shown = bytes.subarray(0, limit);
  let text = new TextDecoder('utf-8', { fatal: false }).decode(shown).replaceAll('\r\n', '\n');
  text = safe(text);
  const more = bytes.length - shown.length;
  return more > 0 ? `${text}… (${more} more bytes)` : text;
}

/** Text with control characters (but line feed and tab) and bidirectional marks written as escapes. */
export const safe = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => (c === '\r' ? '\\r' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`),
  );

/** The same on one line and short, for messages. */
export const brief = (text: string, limit = 80): string => {
  const line = safe(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
};

export const requestText = (exchange: Exchange): string => printable(exchange.sent);

/** The response as it came, or in words why there is none. */
export function responseText(exchange: Exchange): string {
  const text = printable(exchange.received);
  switch (exchange.outcome) {
    case 'answered':
      return text;
    case 'no-answer':
      return `(nothing within ${seconds(exchange.limitMs)} s; the connection is still open)`;
    case 'refused':
      return '(the connection was refused: nothing listens there)';
    case 'connection-closed':
      return `${text}(the connection was closed${text ? ' in the middle of the response' : ' without a response'})`;
    case 'connection-reset':
      return `${text}(the connection was reset${text ? ' in the middle of the response' : ' without a response'})`;
    default:
      return `${text}\n(${exchange.note ?? exchange.outcome})`;
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A line that repeats the request by hand, against the learner's server on port 3000: curl where curl can send it. */
export function commandLine(exchange: Exchange, port = 3000): string {
  if (exchange.sent.length === 0 || exchange.sent.length > 2000) return '';
  const text = exchange.sent.toString('latin1');
  const [head = '', body = ''] = [
    text.slice(0, text.indexOf('\r\n\r\n')),
    text.slice(text.indexOf('\r\n\r\n') + 4),
  ];
  const [requestLine = '', ...fields] = head.split('\r\n');
  const [method = '', target = '', version = ''] = requestLine.split(' ');
  const printableBody = /^[\x20-\x7e\n]*$/.test(body) && body.length <= 500;
  const names = fields.map((field) => field.slice(0, field.indexOf(':')).toLowerCase());
  const ordinary =
    text.includes('\r\n\r\n') &&
    /^HTTP\/1\.[01]$/.test(version) &&
    /^[\x21-\x7e]+$/.test(target) &&
    printableBody &&
    new Set(names).size === names.length &&
    !names.includes('transfer-encoding') &&
    (!names.includes('content-length') ||
      Number(fields[names.indexOf('content-length')]?.split(':')[1]) === body.length);
  if (!ordinary) return netcatLine(exchange, port);
  const parts = ['curl', method === 'HEAD' ? '-I' : '-i'];
  if (version === 'HTTP/1.0') parts.push('--http1.0');
  if (!['GET', 'HEAD', 'POST'].includes(method) || (method === 'POST' && !body))
    parts.push('-X', method);
  for (const field of fields) {
    const [name = ''] = field.split(':');
    const value = field.slice(name.length + 1).trim();
    const lower = name.toLowerCase();
    if (['user-agent', 'accept', 'connection', 'content-length'].includes(lower)) continue;
    if (lower === 'host' && /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(value)) continue;
    parts.push('-H', quote(value ? `${name}: ${value}` : `${name};`));
  }
  if (body) parts.push('--data-binary', quote(body));
  const plain =
    target.startsWith('/') && !target.startsWith('//') && !/\/\.\.?(\/|$)|[{}[\]\\#]/.test(target);
  if (plain) parts.push(quoteUrl(`http://localhost:${port}${target}`));
  else parts.push('--request-target', quote(target), `http://localhost:${port}`);
  return parts.join(' ');
}

const quoteUrl = (url: string): string => (/^[\w:/.%-]+$/.test(url) ? url : quote(url));

function netcatLine(exchange: Exchange, port: number): string {
  if (exchange.sent.length > 1500) return '';
  let escaped = '';
  for (const byte of exchange.sent) {
    if (byte === 0x0d) escaped += '\\r';
    else if (byte === 0x0a) escaped += '\\n';
    else if (byte === 0x25) escaped += '%%';
    else if (byte === 0x5c) escaped += '\\\\';
    else if (byte === 0x27) escaped += '\\047';
    else if (byte < 0x20 || byte > 0x7e) escaped += `\\${byte.toString(8).padStart(3, '0')}`;
    else escaped += String.fromCharCode(byte);
  }
  return `printf '${escaped}' | nc localhost ${port}`;
}
