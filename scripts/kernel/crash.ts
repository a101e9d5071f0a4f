/** Reads what Node printed when a program died, and finds the learner's own line in it. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { basename, relative, sep } from 'node:path';

export interface Crash {
  /** The error's class, such as `TypeError`. */
  name: string;
  code?: string | undefined;
  message: string;
  /** The learner's own file, relative to the target folder, and the line in it. */
  file?: string | undefined;
  line?: number | undefined;
  /** The text of that line. */
  source?: string | undefined;
  kind: 'syntax' | 'import' | 'thrown' | 'rejected';
}

interface Frame {
  file: string;
  line: number;
}

const maxFrame = 500;

function frames(text: string): Frame[] {
  const found: Frame[] = [];
  // Stack frames are short lines; the rest is what somebody printed.
  const lines = text.split('\n').filter((line) => line.length < maxFrame);
  for (const match of lines
    .join('\n')
    .matchAll(/((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^\s()]*?[^\s():]):(\d+)(?::\d+)?/g)) {
    const [, path = '', line] = match;
    let file = path;
    try {
      if (path.startsWith('file://')) file = fileURLToPath(path.replace(/\?.*$/, ''));
    } catch {
      continue;
    }
    found.push({ file, line: Number(line) });
  }
  return found;
}

/** The part of the output that tells of the death: from the last place that Node names to its version line. */
function lastWords(stderr: string): string | undefined {
  const text = stderr.replaceAll('\r\n', '\n');
  const end = text.lastIndexOf('\nNode.js v');
  if (end < 0) return undefined;
  const before = text.slice(0, end);
  // Node prints "file:line", the source line, a caret and an empty line before the stack.
  const starts = [
    ...before.matchAll(
      /^(?:(?:file:\/\/|\/|[A-Za-z]:[\\/]|node:)\S*:\d+(?::\d+)?$|Error: Transform failed)/gm,
    ),
  ];
  const start = starts.at(-1)?.index ?? Math.max(before.lastIndexOf('\n\n'), 0);
  return before.slice(start);
}

/**
 * @param stderr what the program printed on its standard error
 * @param knownRejected whether a rejected promise is known to be the cause; Node's words don't always say so
 * @param root the folder that the learner's files are in; frames outside it are not theirs
 * @returns null when the output tells of no crash
 */
export function readCrash(stderr: string, root: string, knownRejected = false): Crash | null {
  const words = lastWords(stderr);
  if (words === undefined) return null;
  const transform = /Transform failed[\s\S]*?\n(\S.*?):(\d+):\d+: ERROR: (.*)/.exec(words);
  const own = (frame: Frame): boolean =>
    !relative(root, frame.file).startsWith('..') &&
    !frame.file.includes(`${sep}node_modules${sep}`) &&
    relative(root, frame.file) !== frame.file;
  const place = (frame: Frame | undefined): Pick<Crash, 'file' | 'line'> =>
    frame
      ? {
          file: relative(root, frame.file).split(sep).join('/') || basename(frame.file),
          line: frame.line,
        }
      : {};

  if (transform) {
    const [, file = '', line, message = ''] = transform;
    return { kind: 'syntax', name: 'SyntaxError', message, ...place({ file, line: Number(line) }) };
  }
  const rejected =
    knownRejected ||
    /triggerUncaughtException|reason:|unhandled(?: promise)? rejection/i.test(words);
  // The error's own line: "TypeError: …", "TypeError [ERR_X]: …"; values that are no errors come as "Uncaught 'text'".
  const head =
    /^(?:Uncaught )?([A-Z]\w*(?:Error|Exception|Failure)?)(?: \[([A-Z_0-9]+)\])?: ?(.*)$/m.exec(
      words,
    );
  const thrown = /Uncaught:?\s*\n?(.*)|reason "(.*?)"/.exec(words);
  const name = head?.[1] ?? 'Error';
  const code = head?.[2] ?? /code: '([A-Z_0-9]+)'/.exec(words)?.[1];
  const text = head ? (head[3] ?? '') : (thrown?.[1] ?? thrown?.[2] ?? '').trim();
  const message = text
    .replace(/\] \{$/, '')
    .replaceAll(`${root}${sep}`, '')
    .replaceAll(`${pathToFileURL(root).href}/`, '');
  const importer = /imported from (\/.*|[A-Za-z]:\\.*)$/m.exec(words)?.[1];
  const found =
    frames(words).find(own) ??
    (importer ? { file: importer.replace(/\] \{$/, ''), line: 0 } : undefined);
  const source = sourceLine(words, found);
  if (
    name === 'SyntaxError' &&
    !/\bat .*JSON\.parse|is not valid JSON|in JSON at|Unterminated string in JSON/.test(words) &&
    !/\bat (?:new )?(?:RegExp|BigInt) /.test(words)
  ) {
    return {
      kind: /does not provide an export|requested module/.test(message) ? 'import' : 'syntax',
      name,
      code,
      message,
      ...place(found),
      source,
    };
  }
  if (
    code === 'ERR_MODULE_NOT_FOUND' ||
    code === 'ERR_UNSUPPORTED_DIR_IMPORT' ||
    code === 'MODULE_NOT_FOUND'
  ) {
    return { kind: 'import', name, code, message, ...place(found), source };
  }
  return { kind: rejected ? 'rejected' : 'thrown', name, code, message, ...place(found), source };
}

function sourceLine(words: string, frame: Frame | undefined): string | undefined {
  const [first = '', source] = words.split('\n');
  if (!frame || !first.endsWith(`:${frame.line}`)) return undefined;
  return source?.trim().slice(0, 120);
}

/** The port that a listen() asked for and did not get. */
export function portInUse({ message }: Crash): number | undefined {
  const port = /address already in use \S*?:(\d+)/.exec(message)?.[1];
  return port === undefined ? undefined : Number(port);
}
