/** One exchange, as it went over the wire: as text, and as a small picture. */
import type { ExchangeResult } from '../kernel/result.ts';
import { wrap, type Style } from './style.ts';

/** Request and response, line by line. */
export function exchangeText(exchange: ExchangeResult, style: Style): string[] {
  const before = exchange.before.flatMap((line) => wrap(line, style.width, '    '));
  return [
    ...(before.length > 0 ? [style.paint('bold', '  Before it, in this step'), ...before] : []),
    style.paint('bold', '  Sent'),
    ...block(exchange.request, style),
    style.paint('bold', '  Came back'),
    ...block(exchange.response, style),
  ];
}

const maxLines = 24;
const maxLetters = 320;

const shortened = (line: string): string =>
  line.length > maxLetters
    ? `${line.slice(0, maxLetters)}… (${line.length - maxLetters} more characters)`
    : line;

function block(text: string, style: Style): string[] {
  const lines = text.replace(/\n$/, '').split('\n');
  const shown = lines
    .slice(0, maxLines)
    .flatMap((line) => wrap(shortened(line), style.width, '    '));
  const more = lines.length - maxLines;
  return [...shown, ...(more > 0 ? [`    … (${more} more lines)`] : [])].map((line) =>
    (line === '' ? '    ' : line).trimEnd(),
  );
}

/** Who did what and when: arrows between client and server for the eye, with words that say the same. */
export function picture(exchange: ExchangeResult, style: Style): string[] {
  const inner = Math.min(style.width, 80) - 24;
  const lines = [`  client${' '.repeat(inner - 4)}server`];
  for (const { atMs, from, what } of exchange.timeline) {
    const time = `${atMs.toFixed(1)} ms`.padStart(10);
    const text = ` ${what.length > inner - 6 ? `${what.slice(0, inner - 7)}…` : what} `;
    const dashes = '-'.repeat(Math.max(inner - text.length - 2, 0));
    const arrow =
      from === 'client'
        ? `-${text}${dashes}>`
        : from === 'server'
          ? `<${dashes}${text}-`
          : text.padEnd(inner, ' ').replaceAll('  ', ' .');
    lines.push(`    |${arrow}| ${time}`);
  }
  return lines;
}
