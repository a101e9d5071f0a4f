/**
 * Reads Mermaid diagrams as far as needed to find the slips that leave a reader with an error in place of a picture:
 * an unknown kind, an arrow that is none, a bracket, a quote or an `end` that is missing.
 */

export interface Fault {
  /** Within the block, counted from 1. */
  line: number;
  problem: string;
}

type Lines = { text: string; line: number }[];

const kinds: Record<string, (lines: Lines) => Fault[]> = {
  sequenceDiagram: sequence,
  flowchart,
  graph: flowchart,
  stateDiagram: state,
  'stateDiagram-v2': state,
  classDiagram: state,
  erDiagram: () => [],
  timeline: () => [],
  mindmap: () => [],
  gantt: () => [],
  pie: () => [],
};

export function mermaidFaults(block: string[]): Fault[] {
  const lines = block
    .map((text, index) => ({ text: text.trim(), line: index + 1 }))
    .filter(({ text }) => text !== '' && !text.startsWith('%%'));
  const [first, ...rest] = lines;
  if (!first) return [{ line: 1, problem: 'The diagram is empty.' }];
  const kind = /^[\w-]+/.exec(first.text)?.[0] ?? '';
  const check = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!check) {
    return [
      {
        line: first.line,
        problem: `"${first.text}" is no kind of Mermaid diagram; it begins with one of ${Object.keys(kinds).join(', ')}.`,
      },
    ];
  }
  if (kind === 'flowchart' || kind === 'graph') {
    if (!/^\w+(?:\s+(?:TB|TD|BT|RL|LR))?;?$/.test(first.text)) {
      return [
        { line: first.line, problem: `"${first.text}": a ${kind} goes TB, TD, BT, RL or LR.` },
      ];
    }
  } else if (kind !== 'pie' && first.text !== kind) {
    return [
      { line: first.line, problem: `"${first.text}": nothing follows "${kind}" on its line.` },
    ];
  }
  const body = rest.filter(({ text }) => !/^(?:accTitle|accDescr|title)\b/.test(text));
  if (body.length === 0) return [{ line: first.line, problem: 'The diagram is empty.' }];
  return check(body);
}

/** Messages, notes and frames between participants. */
function sequence(lines: Lines): Fault[] {
  const arrow =
    /^([^\s:+-][^:]*?)\s*(?:<<-->>|<<->>|-->>|->>|-->|->|--x|-x|--\)|-\))\s*[+-]?\s*([^\s:>x)+-][^:]*?)\s*:\s*\S/;
  const statements = [
    arrow,
    /^(?:create\s+)?(?:participant|actor)\s+\S+(?:\s+as\s+\S.*)?$/,
    /^destroy\s+\S+$/,
    /^[Nn]ote (?:left of|right of|over) [^:]+:\s*\S/,
    /^(?:activate|deactivate)\s+\S+$/,
    /^autonumber\b/,
    /^links?\s/,
    /^(?:else|and|option)\b/,
  ];
  return [
    ...lines
      .filter(
        ({ text }) =>
          !opensFrame.test(text) && text !== 'end' && !statements.some((form) => form.test(text)),
      )
      .map(({ text, line }) => ({
        line,
        problem: `"${text}" is no message, note or frame of a sequence diagram.`,
      })),
    ...lines
      .filter(({ text }) => /;/.test(text.replace(/#\w+;/g, '')))
      .map(({ line }) => ({
        line,
        problem: 'A semicolon ends a statement of a sequence diagram; write "#59;" in a text.',
      })),
    ...lines
      .filter(({ text }) => arrow.test(text) && /^end\W|[>x)+-]\s*end\s*:/.test(text))
      .map(({ line }) => ({
        line,
        problem: 'A participant with the name "end" breaks a sequence diagram.',
      })),
    ...frames(lines, opensFrame),
  ];
}

const opensFrame = /^(?:loop|alt|opt|par|critical|break|rect|box)\b/;

const id = String.raw`[\p{L}\d_](?:[\p{L}\d_.]|-(?![-.>]))*`;
/** A node's text: in quotes, or without any quote or bracket. */
const label = String.raw`(?:"[^"]+"|(?!\s*[/\\@])[^"[\](){}|]+)`;
const shape = String.raw`(?:\[\[|\[\(|\(\[|\[|\(\(\(|\(\(|\(|\{\{|\{|>)${label}(?:\]\]|\)\]|\]\)|\]|\)\)\)|\)\)|\)|\}\}|\})`;
const slanted = String.raw`\[[\/\\]${label}[\/\\]\]`;
const node = String.raw`${id}(?:${shape}|${slanted})?(?::::\w+)?`;
const nodes = String.raw`${node}(?:\s+&\s+${node})*`;
const plainArrow = String.raw`[<xo]?(?:--+[->xo]|==+[=>xo]|-\.+-[>xo]?|~~~+)(?:\s*\|\s*(?:"[^"]+"|[^"|[\](){}]+)\|)?`;
const arrowWithText = String.raw`<?(?:--\s+${label}\s+--+[->xo]|==\s+${label}\s+==+[=>xo]|-\.\s+${label}\s+\.+-[>xo]?)`;
const chain = new RegExp(
  String.raw`^${nodes}(?:\s*(?:${plainArrow}|${arrowWithText})\s*${nodes})*\s*;?$`,
  'u',
);

/** Nodes and the arrows between them. */
function flowchart(lines: Lines): Fault[] {
  const faults: Fault[] = [];
  for (const { text, line } of lines) {
    if (
      text === 'end' ||
      /^(?:classDef|class|style|linkStyle|click|direction|subgraph)\s/.test(text)
    )
      continue;
    if (!chain.test(text)) {
      faults.push({
        line,
        problem: `"${text}" is no chain of nodes and arrows, such as a -->|text| b["a (text)"]. Text with brackets in it stands in quotes.`,
      });
    } else if (
      /(?:^|[\s>&])end(?:$|[\s[({-])/.test(text.replace(/"[^"]*"|\[[^\]]*\]|\|[^|]*\|/g, ''))
    ) {
      faults.push({
        line,
        problem: 'A node with the name "end" breaks a flowchart; call it "End".',
      });
    }
  }
  return [...faults, ...frames(lines, /^subgraph\b/)];
}

/** States or classes: arrows and braces. */
function state(lines: Lines): Fault[] {
  const faults: Fault[] = [];
  const open: number[] = [];
  for (const { text, line } of lines) {
    if (text.endsWith('{')) open.push(line);
    else if (text === '}' && open.pop() === undefined)
      faults.push({ line, problem: 'This "}" closes nothing.' });
    if ((text.split('"').length - 1) % 2 === 1)
      faults.push({ line, problem: 'A quote is not closed.' });
    else if (/(?<![-.<|*o])->|-->>|[^-]=>/.test(text.replace(/:.*$/, ''))) {
      faults.push({ line, problem: `"${text}": an arrow here is "-->".` });
    }
  }
  return [...faults, ...open.map((line) => ({ line, problem: 'This "{" is never closed.' }))];
}

function frames(lines: Lines, opening: RegExp): Fault[] {
  const open: number[] = [];
  const faults: Fault[] = [];
  for (const { text, line } of lines) {
    if (opening.test(text)) open.push(line);
    else if (text === 'end' && open.pop() === undefined)
      faults.push({ line, problem: 'This "end" ends nothing.' });
    else if (opening === opensFrame && /^(?:else|and|option)\b/.test(text) && open.length === 0) {
      faults.push({ line, problem: `"${text}" stands in no frame.` });
    }
  }
  return [
    ...faults,
    ...open.map((line) => ({ line, problem: 'This is never closed with "end".' })),
  ];
}
