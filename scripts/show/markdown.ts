/** A lesson's text for the terminal: the Markdown that our READMEs use, and no more. */
import { wrap, type Style } from './style.ts';

/** Headings stand out, paragraphs are wrapped, code keeps its lines, diagrams are left to the text that says the same. */
export function markdownLines(markdown: string, style: Style): string[] {
  const lines: string[] = [];
  let paragraph: string[] = [];
  let fence: string | null = null;
  const flush = (): void => {
    if (paragraph.length > 0) {
      const text = paragraph.join(' ');
      const item = /^(\s*(?:[-*]|\d+\.) )/.exec(text)?.[1] ?? '';
      const wrapped = wrap(inline(text.slice(item.length)), style.width - item.length);
      lines.push(
        ...wrapped.map((line, index) => (index === 0 ? item : ' '.repeat(item.length)) + line),
      );
    }
    paragraph = [];
  };
  for (const line of markdown.replaceAll('\r\n', '\n').split('\n')) {
    const mark = /^\s*```(\S*)/.exec(line);
    if (mark) {
      flush();
      fence = fence === null ? (mark[1] ?? '') : null;
      continue;
    }
    if (fence === 'mermaid') continue;
    if (fence !== null) {
      lines.push(style.paint('cyan', `    ${line}`.trimEnd()));
      continue;
    }
    const head = /^(#+) (.*)$/.exec(line);
    if (head) {
      flush();
      lines.push(
        style.paint('bold', head[1] === '#' ? (head[2] ?? '').toUpperCase() : (head[2] ?? '')),
      );
    } else if (
      line.trim() === '' ||
      /^\s*<\/?(details|summary)/.test(line) ||
      line.startsWith('|')
    ) {
      flush();
      const summary = /<summary>(.*?)<\/summary>/.exec(line)?.[1];
      if (summary) lines.push(`   ${summary}:`);
      else if (line.startsWith('|')) lines.push(inline(line));
      else if (lines.at(-1) !== '') lines.push('');
    } else {
      if (/^\s*([-*]|\d+\.) /.test(line)) flush();
      paragraph.push(paragraph.length > 0 ? line.trim() : line.trimEnd());
    }
  }
  flush();
  return lines;
}

const inline = (text: string): string =>
  text
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replace(/\*\*([^*]+)\*\*/g, '$1')
    .replace(/(^|\W)\*([^*]+)\*/g, '$1$2');
