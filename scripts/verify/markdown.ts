/** As much of Markdown as the checks need: fenced blocks, headings, and the text between them. */

export interface Block {
  /** What follows the opening fence, such as `console server=solution`. */
  info: string;
  /** The line of the opening fence, counted from 1. */
  line: number;
  /** Without the fences and without the opening fence's indentation. */
  lines: string[];
  indent: string;
  closed: boolean;
}

export interface Heading {
  level: number;
  text: string;
  line: number;
}

export interface TextLine {
  text: string;
  line: number;
}

export interface Markdown {
  blocks: Block[];
  headings: Heading[];
  /** Every line that belongs to no block and no comment, headings included. */
  text: TextLine[];
}

const fence = /^(\s*(?:>\s*)*)(`{3,}|~{3,})\s*(.*?)\s*$/;
const atxHeading = /^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$/;

export function parseMarkdown(source: string): Markdown {
  const blocks: Block[] = [];
  const headings: Heading[] = [];
  const text: TextLine[] = [];
  let block: Block | undefined;
  let closing: RegExp | undefined;
  for (const [index, content] of withoutComments(source.replaceAll('\r\n', '\n'))
    .split('\n')
    .entries()) {
    const line = index + 1;
    if (block) {
      if (closing?.test(content)) {
        block.closed = true;
        block = undefined;
      } else {
        block.lines.push(
          content.startsWith(block.indent)
            ? content.slice(block.indent.length)
            : content.trimStart(),
        );
      }
      continue;
    }
    const [, indent = '', marks = '', info = ''] = fence.exec(content) ?? [];
    if (marks && !(marks.startsWith('`') && info.includes('`'))) {
      block = { info, line, lines: [], indent, closed: false };
      closing = new RegExp(`^\\s*(?:>\\s*)*${marks[0]}{${marks.length},}\\s*$`);
      blocks.push(block);
      continue;
    }
    const [, hashes, title = ''] = atxHeading.exec(content) ?? [];
    if (hashes) headings.push({ level: hashes.length, text: title, line });
    text.push({ text: content, line });
  }
  return { blocks, headings, text };
}

/** Blanks out `<!-- … -->` outside blocks and keeps the number of lines. */
const withoutComments = (source: string): string =>
  source.replace(/^( *)(`{3,}|~{3,})[^]*?^ *\2[`~]*[ \t]*$|<!--[^]*?-->/gm, (match) =>
    match.startsWith('<!--') ? match.replace(/[^\n]/g, '') : match,
  );

/** Without `inline code`, so that what it shows is not taken for a link. */
export const withoutCode = (text: string): string =>
  text.replace(/(`+)(?!`).*?[^`]\1(?!`)/g, (code) => ' '.repeat(code.length));

/** The lines below a heading, up to the next heading of its level or above. */
export function section(
  markdown: Markdown,
  heading: Heading,
): { text: TextLine[]; blocks: Block[] } {
  const end =
    markdown.headings.find((next) => next.line > heading.line && next.level <= heading.level)
      ?.line ?? Infinity;
  const inside = ({ line }: { line: number }): boolean => line > heading.line && line < end;
  return { text: markdown.text.filter(inside), blocks: markdown.blocks.filter(inside) };
}

/** The anchors that GitHub gives the headings: `## In the wild` is `#in-the-wild`, a second one `#in-the-wild-1`. */
export function anchors(markdown: Markdown): Set<string> {
  const found = new Set<string>();
  for (const heading of markdown.headings) {
    const plain = heading.text
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/<[^>]*>/g, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    let anchor = plain;
    for (let n = 1; found.has(anchor); n += 1) anchor = `${plain}-${n}`;
    found.add(anchor);
  }
  for (const { text } of markdown.text) {
    for (const [, id] of text.matchAll(/<[a-z]+\s[^>]*\b(?:id|name)="([^"]+)"/gi))
      if (id) found.add(id);
  }
  return found;
}
