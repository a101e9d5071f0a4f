/** What lies about: each file of lessons/, solutions/ and tests/ has a shape that somebody looks after. */
import { writer, type Problem } from './problem.ts';

const lesson = String.raw`\d\d-[a-z\d]+(?:-[a-z\d]+)*`;
const program = String.raw`[a-zA-Z][\w-]*\.ts`;
const slug = String.raw`[a-z\d]+(?:-[a-z\d]+)*`;

/** The shapes, with the part of a path that must be a lesson's name in parentheses. */
const shapes = [
  String.raw`lessons/README\.md`,
  String.raw`lessons/(${lesson})/(?:README\.md|hints\.md|lesson\.json|${program})`,
  // What a program serves or reads: the same files in lessons/ and solutions/.
  String.raw`(?:lessons|solutions)/(${lesson})/[a-z-]+/.+`,
  String.raw`solutions/README\.md`,
  String.raw`solutions/gradescope/(?:run_autograder|setup\.sh|README\.md)`,
  String.raw`solutions/(${lesson})/(?:NOTES\.md|${program})`,
  String.raw`tests/(${lesson})(?:\.[a-z-]+)?\.test\.ts`,
  String.raw`tests/[a-z][a-z-]*\.test\.ts`,
  String.raw`tests/(?:wrong|valid)/(${lesson})/${slug}\.ts`,
  String.raw`tests/(?:wrong|valid)/(${lesson})/${slug}/.+`,
  String.raw`tests/golden/(${lesson})/[\w.-]+`,
  String.raw`tests/mutants/(${lesson})\.json`,
  String.raw`tests/mutants/every-lesson\.json`,
  String.raw`tests/(?:support|attacks)/.+`,
].map((shape) => new RegExp(`^${shape}$`));

const litter = /(?:^|\/)(?:\.DS_Store|Thumbs\.db|.*~|.*\.(?:orig|rej|bak|swp|tmp|log|tgz))$/;

/**
 * @param paths every file of the project, relative to it, with `/`
 * @param lessons the names of the lessons
 */
export function strayFiles(paths: string[], lessons: string[]): Problem[] {
  const problems: Problem[] = [];
  const things = new Set(
    paths.flatMap((path) => /^tests\/([a-z][a-z-]*)(?:\/[\w-]+)?\.test\.ts$/.exec(path)?.[1] ?? []),
  );
  for (const file of paths) {
    if (litter.test(file))
      problems.push({ file, line: 0, problem: 'A file that some tool left behind.' });
    else if (/^(?:lessons|solutions|tests)\//.test(file) && !hasShape(file, things, lessons)) {
      const named = /^tests\/(?:wrong|valid)\//.test(file)
        ? ' A program here is NN-name/slug.ts or NN-name/slug/, and a slug has small letters, digits and hyphens.'
        : '';
      problems.push({
        file,
        line: 0,
        problem: `Nothing looks after a file of this name here.${named}`,
      });
    }
  }
  return problems;
}

function hasShape(file: string, things: Set<string>, lessons: string[]): boolean {
  // Tests of one thing, and their fixtures and transcripts, lie in a folder of its name.
  const [, thing] = /^tests\/(?:golden\/)?([a-z][a-z-]*)\/./.exec(file) ?? [];
  if (thing && things.has(thing)) return true;
  return shapes.some((shape) => {
    const match = shape.exec(file);
    return match !== null && (match[1] === undefined || lessons.includes(match[1]));
  });
}

/** Files that every lesson has. */
export function missingFiles(name: string, edits: string[], paths: Set<string>): Problem[] {
  return [
    ...['README.md', 'hints.md', 'server.ts', ...edits].map((file) => `lessons/${name}/${file}`),
    ...['NOTES.md', 'server.ts', ...edits].map((file) => `solutions/${name}/${file}`),
    `tests/${name}.test.ts`,
  ]
    .filter((file, index, list) => !paths.has(file) && list.indexOf(file) === index)
    .map((file) => ({
      file,
      line: 0,
      problem: edits.some((edit) => file === `lessons/${name}/${edit}`)
        ? `This file is missing; ${writer(name, 'write')} makes it from the solution.`
        : 'This file is missing.',
    }));
}

/**
 * The finished files of a lesson, those that the learner does not edit, are the same in lessons/ and solutions/.
 * @param read a file's bytes
 */
export function unequalFiles(
  name: string,
  edits: string[],
  paths: string[],
  read: (path: string) => Buffer,
  twins: string[] = [],
): Problem[] {
  const inFolder = (folder: string, own: string[]): string[] =>
    paths
      .filter((path) => path.startsWith(`${folder}/${name}/`))
      .map((path) => path.slice(folder.length + name.length + 2))
      .filter((file) => !own.includes(file) && !edits.includes(file) && !litter.test(file));
  const learners = inFolder('lessons', ['README.md', 'hints.md', 'lesson.json']);
  const teachers = inFolder('solutions', ['NOTES.md', ...twins]);
  const problems: Problem[] = [];
  for (const file of new Set([...learners, ...teachers])) {
    const [one, other] = [`lessons/${name}/${file}`, `solutions/${name}/${file}`];
    if (!learners.includes(file))
      problems.push({
        file: other,
        line: 0,
        problem: `The learner does not have this file: there is no ${one}.`,
      });
    else if (!teachers.includes(file))
      problems.push({
        file: one,
        line: 0,
        problem: `This file is finished, so it belongs in ${other} too.`,
      });
    else if (!read(one).equals(read(other)))
      problems.push({
        file: one,
        line: 0,
        problem: `This file is finished, and differs from ${other}.`,
      });
  }
  return problems;
}

/** Places of one machine: home folders and scratch folders. */
const machinePaths = [
  /(?<![\w.:/…-])\/(?:root|tmp|work)\/[\w.-]+/,
  /(?<![\w.:/…-])\/(?:home|Users)\/[a-z][\w-]*\/[\w.-]+/,
  /\b[A-Z]:\\Users\\\w+/,
  /file:\/\/\/(?:root|tmp|work|home|Users)\//,
  /\bregistry\.(?:npmjs|yarnpkg)\.\w+/,
];

export function machineNames(file: string, text: string): Problem[] {
  return text.split('\n').flatMap((content, index) => {
    const match = machinePaths.map((pattern) => pattern.exec(content)?.[0]).find(Boolean);
    return match
      ? [{ file, line: index + 1, problem: `"${match}" is a place of one machine.` }]
      : [];
  });
}
