/** How text looks: colour where it helps, plain text where it doesn't. Colour never carries meaning alone. */
import { stripVTControlCharacters, styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

export interface Style {
  /** Columns that a line may take. */
  width: number;
  colour: boolean;
  paint(format: Format, text: string): string;
}

// Node 22 and later look at the stream themselves unless told not to; the decision is ours.
const styled = styleText as (
  format: Format,
  text: string,
  options?: { validateStream: boolean },
) => string;

export function makeStyle(width: number, colour: boolean): Style {
  return {
    width,
    colour,
    paint: (format, text) =>
      colour && text ? styled(format, text, { validateStream: false }) : text,
  };
}

type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'hasColors'>;

/** The style for a stream, by `NO_COLOR` and `FORCE_COLOR` (no-color.org, force-color.org), its kind and its width. */
export function styleFor(stream: Stream, env: NodeJS.ProcessEnv = process.env): Style {
  const wish = env['NO_COLOR']
    ? false
    : env['FORCE_COLOR'] !== undefined
      ? env['FORCE_COLOR'] !== '0'
      : undefined;
  const able = Boolean(stream.isTTY) && env['TERM'] !== 'dumb' && stream.hasColors?.() !== false;
  const columns = Number(stream.columns || env['COLUMNS']) || 80;
  return makeStyle(Math.min(Math.max(columns, 40), 100), wish ?? able);
}

export const plain = (text: string): string => stripVTControlCharacters(text);

const columns = (text: string): number => plain(text).length;

/** Breaks text into lines of at most `width` columns, at spaces where there are any; a longer word is cut. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const room = Math.max(width - indent.length, 20);
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (let word of paragraph.split(' ')) {
      if (line && columns(line) + 1 + columns(word) > room) {
        lines.push(line);
        line = '';
      }
      while (columns(word) > room) {
        const space = line ? room - columns(line) - 1 : room;
        lines.push(line ? `${line} ${word.slice(0, space)}` : word.slice(0, space));
        word = word.slice(space);
        line = '';
      }
      line = line ? `${line} ${word}` : word;
    }
    lines.push(line);
  }
  return lines.map((line) => (line ? indent + line : ''));
}
