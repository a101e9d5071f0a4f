/** The shape of a lesson: its headings, its steps and their titles in every place, its length, its questions. */
import type { Lesson } from '../kernel/course.ts';
import { parseMarkdown, section, type Heading, type Markdown, type TextLine } from './markdown.ts';
import type { Problem } from './problem.ts';

type Found = Omit<Problem, 'file'>;

const sections = [
  'See the gap',
  'The idea',
  'Steps',
  'Try it by hand',
  'Common slips',
  'In the wild',
  'Check yourself',
  'Left out on purpose',
];

/** Words of prose in a lesson: fewer or more than the outer bounds is a problem, more than `good` worth a warning. */
export const words = { least: 300, good: 700, most: 900 };

const lessonKeys = ['title', 'about', 'learned', 'edits', 'needs', 'waits', 'twins', 'steps'];
const stepKeys = ['title', 'points', 'asks'];

/** What the manifest says of itself. */
export function checkManifest(lesson: Lesson, others: string[]): Problem[] {
  const file = `lessons/${lesson.name}/lesson.json`;
  const say = (problem: string): Problem => ({ file, line: 0, problem });
  const problems: Problem[] = [];
  const stranger = (given: object, known: readonly string[]): string | undefined =>
    Object.keys(given).find((key) => !known.includes(key));
  // The name and the number are those of the folder.
  const odd = stranger(lesson, [...lessonKeys, 'name', 'number']);
  if (odd !== undefined)
    problems.push(say(`There is no key "${odd}"; a lesson has ${lessonKeys.join(', ')}.`));
  for (const key of ['title', 'about', 'learned'] as const) {
    if (typeof lesson[key] !== 'string' || lesson[key].trim() === '')
      problems.push(say(`"${key}" is missing.`));
  }
  if (!Array.isArray(lesson.edits) || lesson.edits.length === 0)
    problems.push(say('"edits" names no file.'));
  for (const need of Array.isArray(lesson.needs) ? lesson.needs : []) {
    if (!others.includes(need))
      problems.push(say(`"needs" names "${need}", and there is no such lesson.`));
    else if (need >= lesson.name)
      problems.push(say(`"needs" names "${need}", which does not come before this lesson.`));
  }
  if (!Array.isArray(lesson.needs)) problems.push(say('"needs" is missing; it may be empty: [].'));
  const { steps } = lesson;
  if (!Array.isArray(steps) || steps.length < 4 || steps.length > 7) {
    problems.push(
      say(
        `A lesson has 4 to 7 steps; this one has ${Array.isArray(steps) ? steps.length : 'none'}.`,
      ),
    );
  }
  for (const [index, step] of (Array.isArray(steps) ? steps : []).entries()) {
    const { title, points, asks } = step;
    const which = `Step ${index + 1}`;
    const strange = stranger(step, stepKeys);
    if (strange !== undefined)
      problems.push(
        say(`${which}: there is no key "${strange}"; a step has ${stepKeys.join(', ')}.`),
      );
    if (!title?.trim()) problems.push(say(`${which} has no title.`));
    if (steps.findIndex((step) => step.title === title) < index)
      problems.push(say(`Two steps have the title "${title}".`));
    if (!Number.isInteger(points) || points < 1)
      problems.push(say(`${which}: points are whole and at least 1.`));
    if (!asks?.trim()) problems.push(say(`${which} does not say what it asks.`));
  }
  return problems;
}

/** So many programs a lesson has at least; right ones in as many styles. */
const fewest = { wrong: 8, valid: 3 };

/** @param count how many programs lie in `tests/wrong/` or `tests/valid/` */
export function checkCount(lesson: Lesson, kind: 'wrong' | 'valid', count: number): Problem[] {
  if (count >= fewest[kind]) return [];
  const what = kind === 'wrong' ? 'wrong programs' : 'right programs, in as many styles';
  return [
    {
      file: `tests/${kind}/${lesson.name}`,
      line: 0,
      problem: `A lesson has at least ${fewest[kind]} ${what}; this one has ${count}.`,
    },
  ];
}

/**
 * The tables that list the lessons have a row for this one, with what the manifest says.
 * @param read a file's text, or undefined where this copy has none
 */
export function checkTables(lesson: Lesson, read: (file: string) => string | undefined): Problem[] {
  const { name, number, title, about, steps } = lesson;
  const points = steps.reduce((sum, step) => sum + step.points, 0);
  // The first "…" of a row stands for what only the table says.
  const rows = {
    'README.md': `| ${number} | [${title}](lessons/${name}/README.md) | ${about} |`,
    'lessons/README.md': `| ${number} | [${title}](${name}/README.md) | … |`,
    'solutions/README.md': `| ${title} | … | ${points} | ${steps.length} |`,
  };
  return Object.entries(rows).flatMap(([file, row]) => {
    const [beginning = '', end = ''] = row.split('…');
    const lines = read(file)?.split('\n') ?? [row];
    if (lines.some((line) => line.startsWith(beginning) && line.includes(end))) return [];
    return [{ file, line: 0, problem: `The table of lessons has no row "${row}".` }];
  });
}

export function checkReadme(lesson: Lesson, source: string): Problem[] {
  const file = `lessons/${lesson.name}/README.md`;
  const markdown = parseMarkdown(source);
  const found = [
    ...checkTitle(markdown, lesson.title),
    ...checkSections(markdown),
    ...checkSteps(markdown, lesson),
    ...checkDiagram(markdown),
    ...checkQuestions(markdown),
    ...checkLength(markdown),
    ...checkNames(markdown),
  ];
  return found.map((problem) => ({ file, ...problem }));
}

export function checkHints(lesson: Lesson, source: string): Problem[] {
  const file = `lessons/${lesson.name}/hints.md`;
  const markdown = parseMarkdown(source);
  const found = checkTitle(markdown, `Hints: ${lesson.title}`, false);
  const headings = markdown.headings.filter(({ level }) => level === 2);
  found.push(...compareTitles(headings, lesson));
  for (const heading of headings) {
    const numbers = section(markdown, heading)
      .text.map(({ text }) => /^(\d+)[.)]\s+\S/.exec(text)?.[1])
      .filter((number) => number !== undefined);
    if (numbers.join() !== '1,2,3') {
      found.push({
        line: heading.line,
        problem: `A step has three hints, "1.", "2." and "3."; here there are ${numbers.length || 'none'}.`,
      });
    }
  }
  return found.map((problem) => ({ file, ...problem }));
}

/** One `// TODO(step N): Title` for each step, in all of a lesson's stubs together. */
export function checkStubs(lesson: Lesson, stubs: { file: string; text: string }[]): Problem[] {
  const problems: Problem[] = [];
  const places = stubs.flatMap(({ file, text }) =>
    text.split('\n').flatMap((content, index) =>
      [...content.matchAll(/(\/\/\s*)?TODO\(step (\d+)\)(?:: )?/g)].map((match) => ({
        file,
        line: index + 1,
        comment: match[1] !== undefined,
        step: Number(match[2]),
        rest: content.slice(match.index + match[0].length).replace(/\\(['"`])/g, '$1'),
      })),
    ),
  );
  for (const { file, line, step, comment, rest } of places) {
    const wanted = lesson.steps[step - 1]?.title;
    if (wanted === undefined)
      problems.push({ file, line, problem: `TODO(step ${step}): there is no step ${step}.` });
    else if (comment ? rest.trimEnd() !== wanted : !rest.startsWith(wanted)) {
      problems.push({
        file,
        line,
        problem: `TODO(step ${step}) has the title "${comment ? rest : rest.replace(/['"`\\].*$/, '')}"; the manifest says "${wanted}". The stub comes from the solution: change it there, in the region.`,
      });
    }
  }
  for (const [index, { title }] of lesson.steps.entries()) {
    const comments = places.filter((place) => place.comment && place.step === index + 1);
    if (comments.length === 1) continue;
    const [, second] = comments;
    problems.push({
      file: second?.file ?? stubs[0]?.file ?? `lessons/${lesson.name}`,
      line: second?.line ?? 0,
      problem: `Step ${index + 1} has one comment "// TODO(step ${index + 1}): ${title}" in the stub; here there are ${comments.length}. It comes from the title of a region in the solution: "//#region step ${index + 1}: ${title}".`,
    });
  }
  return problems;
}

/** The titles of the suite's functions. */
export function checkSuite(lesson: Lesson, titles: string[]): Problem[] {
  const wanted = lesson.steps.map(({ title }) => title);
  if (titles.join('\n') === wanted.join('\n')) return [];
  return [
    {
      file: `tests/${lesson.name}.test.ts`,
      line: 0,
      problem: `The suite's steps are ${quoted(titles)}; the manifest's are ${quoted(wanted)}.`,
    },
  ];
}

const quoted = (titles: string[]): string => titles.map((title) => `"${title}"`).join(', ');

function checkTitle(markdown: Markdown, title: string, withIntroduction = true): Found[] {
  const [first, ...others] = markdown.headings.filter(({ level }) => level === 1);
  if (!first || first !== markdown.headings[0])
    return [{ line: 1, problem: `The text begins with its title: "# ${title}".` }];
  const found: Found[] = others.map(({ line }) => ({ line, problem: 'There is one title.' }));
  if (first.text !== title)
    found.push({ line: first.line, problem: `The title is "${title}" in the manifest.` });
  const next = markdown.headings[1]?.line ?? Infinity;
  const introduction = markdown.text.some(
    ({ text, line }) => line > first.line && line < next && /\w/.test(text),
  );
  if (withIntroduction && !introduction) {
    found.push({
      line: first.line,
      problem: 'Below the title stands what the reader will have at the end.',
    });
  }
  return found;
}

function checkSections(markdown: Markdown): Found[] {
  const headings = markdown.headings.filter(({ level }) => level === 2);
  const found: Found[] = [];
  const known = headings.filter(({ text, line }) => {
    if (!sections.includes(text))
      found.push({
        line,
        problem: `"## ${text}" is not one of a lesson's sections: ${sections.join(', ')}.`,
      });
    return sections.includes(text);
  });
  for (const name of sections) {
    const [first, second] = known.filter(({ text }) => text === name);
    if (!first) found.push({ line: 0, problem: `The section "## ${name}" is missing.` });
    if (second)
      found.push({ line: second.line, problem: `There is a second section "## ${name}".` });
  }
  for (const [index, { text, line }] of known.entries()) {
    const before = known[index - 1]?.text;
    if (before !== undefined && sections.indexOf(text) < sections.indexOf(before)) {
      found.push({ line, problem: `"## ${text}" comes before "## ${before}".` });
    }
  }
  for (const heading of known) {
    const { text, blocks } = section(markdown, heading);
    const tried = blocks.some(({ info }) => info.startsWith('console'));
    if (!tried && /^(?:See the gap|Try it by hand)$/.test(heading.text)) {
      found.push({
        line: heading.line,
        problem: `"## ${heading.text}" has a console block: a command and its output.`,
      });
    }
    if (blocks.length === 0 && !text.some((line) => /\w/.test(line.text))) {
      found.push({ line: heading.line, problem: `The section "## ${heading.text}" is empty.` });
    }
  }
  return found;
}

function checkSteps(markdown: Markdown, lesson: Lesson): Found[] {
  const steps = headingOf(markdown, 'Steps');
  if (!steps) return [];
  const inside = new Set(section(markdown, steps).text.map(({ line }) => line));
  const headings = markdown.headings.filter(({ level, line }) => level === 3 && inside.has(line));
  const elsewhere = markdown.headings.filter(
    ({ text, line }) => /^Step\b/.test(text) && !inside.has(line) && text !== 'Steps',
  );
  return [
    ...compareTitles(headings, lesson),
    ...elsewhere.map(({ text, line }) => ({
      line,
      problem: `"${text}" stands outside "## Steps".`,
    })),
    ...headings
      .filter((heading) => !section(markdown, heading).text.some(({ text }) => /\w/.test(text)))
      .map(({ line }) => ({ line, problem: 'This step says nothing.' })),
  ];
}

/** The headings are `Step 1: Title`, `Step 2: Title` and so on, in the manifest's order, and nothing else. */
function compareTitles(headings: Heading[], lesson: Lesson): Found[] {
  const found: Found[] = [];
  const wanted = lesson.steps.map(({ title }, index) => `Step ${index + 1}: ${title}`);
  for (const [index, title] of wanted.entries()) {
    const heading = headings[index];
    if (!heading) found.push({ line: 0, problem: `The heading "${title}" is missing.` });
    else if (heading.text !== title)
      found.push({
        line: heading.line,
        problem: `The heading "${heading.text}" is "${title}" in the manifest.`,
      });
  }
  for (const { text, line } of headings.slice(wanted.length)) {
    found.push({ line, problem: `"${text}" is no step of the manifest.` });
  }
  return found;
}

function checkDiagram(markdown: Markdown): Found[] {
  const diagrams = markdown.blocks.filter(({ info }) => info === 'mermaid');
  const idea = headingOf(markdown, 'The idea');
  const [first, second] = diagrams;
  if (!first) return [{ line: idea?.line ?? 0, problem: 'The idea has a Mermaid diagram.' }];
  const found: Found[] = second
    ? [{ line: second.line, problem: 'A lesson has one diagram.' }]
    : [];
  if (!idea) return found;
  const { blocks, text } = section(markdown, idea);
  if (!blocks.includes(first))
    found.push({ line: first.line, problem: 'The diagram stands in "## The idea".' });
  const list = text.filter(
    (line) => line.line > first.line && /^\s*(?:[-*+]|\d+[.)])\s/.test(line.text),
  );
  const inWords = text.some(
    (line) => line.line > first.line && /^(?:In words|In text|As text|The same)\b/.test(line.text),
  );
  const asText =
    inWords ||
    list.length >= 2 ||
    blocks.some(({ info, line }) => info === 'text' && line > first.line);
  if (!asText) {
    found.push({
      line: first.line,
      problem:
        'Below the diagram the same content stands as text: a "text" block, a list, or a paragraph that begins "In words".',
    });
  }
  return found;
}

function checkQuestions(markdown: Markdown): Found[] {
  const heading = headingOf(markdown, 'Check yourself');
  if (!heading) return [];
  const { text, blocks } = section(markdown, heading);
  const found: Found[] = [];
  const answers: { line: number; text: string }[] = [];
  let open: { line: number; text: string } | undefined;
  for (const { text: content, line } of text) {
    for (const part of content.split(/(<\/?details\b[^>]*>)/i)) {
      if (/^<details/i.test(part)) {
        if (open)
          found.push({ line, problem: 'A <details> inside a <details>; is one not closed?' });
        open = { line, text: '' };
        answers.push(open);
      } else if (/^<\/details/i.test(part)) {
        if (!open) found.push({ line, problem: 'This </details> closes nothing.' });
        open = undefined;
      } else if (open) open.text += `${part}\n`;
    }
  }
  if (open) found.push({ line: open.line, problem: 'This <details> is never closed.' });
  if (answers.length < 3 || answers.length > 5) {
    found.push({
      line: heading.line,
      problem: `There are 3 to 5 questions, each with its answer in a <details>; here ${answers.length}.`,
    });
  }
  for (const answer of answers) {
    const [summary = ''] = /<summary>[^]*?<\/summary>/i.exec(answer.text) ?? [];
    const hasBlock = blocks.some(
      ({ line }) => line > answer.line && line < (nextLine(answers, answer.line) ?? Infinity),
    );
    if (!/\w/.test(summary.replace(/<[^>]*>/g, '')))
      found.push({ line: answer.line, problem: 'This <details> has no <summary>.' });
    if (!/\w/.test(answer.text.replace(summary, '')) && !hasBlock)
      found.push({ line: answer.line, problem: 'This <details> holds no answer.' });
  }
  return found;
}

const nextLine = (places: { line: number }[], after: number): number | undefined =>
  places.find(({ line }) => line > after)?.line;

function checkLength(markdown: Markdown): Found[] {
  const count = proseWords(markdown.text);
  if (count < words.least)
    return [
      {
        line: 0,
        problem: `A lesson has at least ${words.least} words of prose; this one has ${count}.`,
      },
    ];
  if (count > words.most)
    return [
      {
        line: 0,
        problem: `A lesson has at most ${words.good} words of prose; this one has ${count}.`,
      },
    ];
  if (count > words.good)
    return [
      {
        line: 0,
        problem: `A lesson has at most ${words.good} words of prose; this one has ${count}.`,
        warning: true,
      },
    ];
  return [];
}

/** Words of prose: without blocks, headings, tags and the folded answers; the questions count. */
export function proseWords(text: TextLine[]): number {
  const prose = text
    .map((line) => line.text)
    .filter((line) => !/^ {0,3}#{1,6}\s/.test(line))
    .join('\n')
    .replace(
      /<details\b[^>]*>[^]*?<\/details>/gi,
      (details) => /<summary>[^]*?<\/summary>/i.exec(details)?.[0] ?? '',
    )
    .replace(/<[a-z/][^>]*>/gi, ' ')
    .replace(/\]\([^)]*\)/g, ']');
  return prose.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Lessons are named by name, so that renumbering stays cheap. */
const checkNames = ({ text }: Markdown): Found[] =>
  text.flatMap(({ text: content, line }) => {
    const [name] = /\b[Ll]essons? \d+\b/.exec(content.replace(/`[^`]*`/g, '')) ?? [];
    return name
      ? [{ line, problem: `"${name}": a lesson is called by its name ("the router lesson").` }]
      : [];
  });

const headingOf = (markdown: Markdown, name: string): Heading | undefined =>
  markdown.headings.find(({ level, text }) => level === 2 && text === name);
