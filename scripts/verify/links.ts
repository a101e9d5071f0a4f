/** Links in Markdown: what they point to within the project exists; addresses of the web are only looked at. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { anchors, parseMarkdown, withoutCode } from './markdown.ts';
import type { Problem } from './problem.ts';

interface Link {
  target: string;
  line: number;
}

/**
 * @param file relative to `root`, with `/`
 * @param root the folder that no link leads out of
 */
export function checkLinks(file: string, source: string, root: string): Problem[] {
  const { links, problems } = linksOf(source);
  return [
    ...problems.map((problem) => ({ file, ...problem })),
    ...links.flatMap(({ target, line }) => {
      const problem = fault(target, file, source, root);
      return problem ? [{ file, line, problem }] : [];
    }),
  ];
}

const patterns = [
  // [text](target "title"), also an image, also with brackets in the target
  /\]\(\s*(?:<([^>]*)>|((?:[^\s()]|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/g,
  // <a href="target">, <img src="target">
  /<[a-z]+\s[^>]*?\b(?:href|src)="([^"]*)"/gi,
  // <https://target>
  /<([a-z][a-z\d+.-]*:[^>\s]*)>/gi,
];
const definition = /^ {0,3}\[([^\]]+)\]:\s*(?:<([^>]*)>|(\S+))/;

function linksOf(source: string): { links: Link[]; problems: Omit<Problem, 'file'>[] } {
  const links: Link[] = [];
  const problems: Omit<Problem, 'file'>[] = [];
  const { text } = parseMarkdown(source);
  const lines = text.map(({ text: content, line }) => ({ content: withoutCode(content), line }));
  const names = new Set<string>();
  for (const { content, line } of lines) {
    const [, name, bracketed, plain] = definition.exec(content) ?? [];
    if (name === undefined) continue;
    names.add(name.toLowerCase());
    links.push({ target: bracketed ?? plain ?? '', line });
  }
  for (const { content, line } of lines) {
    for (const pattern of patterns) {
      for (const match of content.matchAll(pattern))
        links.push({ target: match[1] ?? match[2] ?? '', line });
    }
    for (const [, label = '', name] of content.matchAll(/\[([^\]]+)\]\[([^\]]*)\]/g)) {
      if (!names.has((name || label).toLowerCase())) {
        problems.push({ line, problem: `The link [${label}][${name}] has no definition.` });
      }
    }
  }
  return { links, problems };
}

/** What is wrong with a link's target, if anything. */
function fault(target: string, file: string, source: string, root: string): string | undefined {
  if (target === '') return 'A link has no target.';
  if (/^[a-z][a-z\d+.-]*:/i.test(target)) return addressFault(target);
  if (target.startsWith('/'))
    return `"${target}": write a link relative to this file, so that it works in every place.`;
  const [path = '', anchor] = target.split('#', 2);
  let name: string;
  try {
    name = posix.join(posix.dirname(file), decodeURIComponent(path));
  } catch {
    return `"${target}": a "%" in a link begins an escape.`;
  }
  if (path === '') name = file;
  if (name.startsWith('..')) return `"${target}" leads out of the project.`;
  if (path !== '' && !existsExactly(root, name)) return `"${target}": there is no ${name}.`;
  if (anchor === undefined) return undefined;
  if (!name.endsWith('.md')) return lineFault(anchor, name, root);
  const text = path === '' ? source : readFileSync(join(root, name), 'utf8');
  return anchors(parseMarkdown(text)).has(decodeURIComponent(anchor))
    ? undefined
    : `"${target}": ${name} has no heading for #${anchor}.`;
}

function addressFault(target: string): string | undefined {
  if (/^mailto:[^@\s]+@[^@\s]+$/i.test(target)) return undefined;
  const url = URL.canParse(target) ? new URL(target) : null;
  const form = url && /^https?:$/.test(url.protocol) && /^https?:\/\/[^/]/i.test(target);
  const host = url && (url.hostname === 'localhost' || /\./.test(url.hostname));
  return form && host && !/[\\^`{|}"]/.test(target)
    ? undefined
    : `"${target}" is no address of a page (https://…).`;
}

/** `#L10` and `#L10-L20` name lines of a file. */
function lineFault(anchor: string, name: string, root: string): string | undefined {
  const [, from, to = from] = /^L(\d+)(?:-L(\d+))?$/.exec(anchor) ?? [];
  if (!from) return `"#${anchor}" names no part of ${name}.`;
  const lines = readFileSync(join(root, name), 'utf8').trimEnd().split('\n').length;
  return Number(from) >= 1 && Number(to) <= lines
    ? undefined
    : `"#${anchor}": ${name} has ${lines} lines.`;
}

/** With the letters' case as written, also on a file system that does not care. */
function existsExactly(root: string, name: string): boolean {
  let folder = root;
  for (const part of name.split('/').filter((word) => word !== '' && word !== '.')) {
    if (!statSync(folder).isDirectory() || !readdirSync(folder).includes(part)) return false;
    folder = join(folder, part);
  }
  return true;
}
