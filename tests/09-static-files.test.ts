import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, sep } from 'node:path';
import { Answer, type Cause } from '../scripts/kernel/answer.ts';
import { brief, type Exchange } from '../scripts/kernel/exchange.ts';
import { StepFailure, type Failure } from '../scripts/kernel/failure.ts';
import { suite, type Place, type StepTest } from '../scripts/kernel/suite.ts';
import { requestBytes, type OutcomeCauses, type Trial } from '../scripts/kernel/trial.ts';

const MB = 1024 * 1024;
/** How much the program may grow while it sends the big file. The file is three times as large. */
const bound = 64 * MB;
const bigSize = 200 * MB;
/** Downloads that are broken off, by a client that leaves at once or in the middle. */
const broken = 200;

// ---------------------------------------------------------------------------------------------
// The folder that is served, and what lies around it.

interface Tree {
  /** The folder of this run, which holds all the others. */
  base: string;
  root: string;
  /** A word that stands in every file that must not be sent. */
  secret: string;
  /** What this system let us make: links, and the targets of what is no regular file. */
  links: boolean;
  special: string[];
  /** Whether requests are asked one by one now. Side by side a failure says little, and is looked into later. */
  alone: boolean;
  /** Faults of sending that showed before the step that is about sending: they are told there. */
  later: unknown[];
  /** What becomes of a request for a file that is not there, once it was asked. */
  gone: Exchange | undefined;
  remove: () => void;
}

const trees = new Map<string, Tree>();
/** Folders of failed steps. A program that died there may be started there once more, and look for its root at once. */
const remains = new Set<Tree>();
process.on('exit', () => [...trees.values(), ...remains].forEach((tree) => tree.remove()));

function plant({ trusted, cwd, random: t }: Place): Tree {
  // A stranger's program sees nothing of this machine but the folder that it was handed in with.
  const base = fs.realpathSync(fs.mkdtempSync(join(trusted ? tmpdir() : cwd, 'workbook-static-')));
  const root = join(base, 'site');
  const secret = t.word() + t.word();
  const tree: Tree = {
    base,
    root,
    secret,
    links: true,
    special: [],
    alone: false,
    later: [],
    gone: undefined,
    remove: () => {},
  };
  const file = (name: string, content: string | Buffer = `${name} ${t.word()}\n`): void => {
    fs.mkdirSync(join(base, name, '..'), { recursive: true });
    fs.writeFileSync(join(base, name), content);
  };
  for (const name of [
    'secret.txt',
    'site-private/secret.txt',
    'site/.env',
    'site/.git/config',
    'site/.well-known/notes.txt',
    'site/docs/.draft.html',
    'site/docs/..2fa.txt',
  ]) {
    file(name, `${name}: ${secret}\n`);
  }
  for (const name of [
    'plain.txt',
    'index.html',
    'docs/index.html',
    'docs/deep/note.txt',
    'v1.2/notes.txt',
    'empty/other.dat',
  ]) {
    file(`site/${name}`);
  }
  for (const { name } of oddNames) file(`site/${name}`);
  file('.store/home/plain.txt');
  fs.mkdirSync(join(root, 'nested', 'index.html'), { recursive: true });
  fs.mkdirSync(join(root, 'portal'));
  file('site/nothing.txt', '');
  file('site/big.bin', '');
  fs.truncateSync(join(root, 'big.bin'), bigSize);
  try {
    fs.symlinkSync('../secret.txt', join(root, 'link.txt'), 'file');
    fs.symlinkSync('../site-private', join(root, 'linked'), 'dir');
    fs.symlinkSync('../../secret.txt', join(root, 'portal', 'index.html'), 'file');
    fs.symlinkSync('nowhere.txt', join(root, 'dangling.txt'), 'file');
    fs.symlinkSync(join('docs', 'deep', 'note.txt'), join(root, 'inside.txt'), 'file');
    fs.symlinkSync('loop.txt', join(root, 'loop.txt'), 'file');
    fs.symlinkSync(join('.store', 'home'), join(base, 'way'), 'dir');
  } catch {
    tree.links = false; // Windows lets only some users make links.
  }
  try {
    execFileSync('mkfifo', [join(root, 'pipe')], { stdio: 'ignore' });
    tree.special.push('/pipe');
  } catch {
    // No FIFOs here.
  }
  const socket =
    process.platform === 'win32' ? undefined : net.createServer().on('error', () => {});
  socket?.listen(join(root, 'socket'), () => tree.special.push('/socket')).unref();
  tree.remove = () => {
    socket?.close();
    trees.delete(root);
    remains.delete(tree);
    try {
      fs.rmSync(base, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // Windows keeps what a program still has open.
    }
  };
  trees.set(root, tree);
  return tree;
}

const notUtf8: Cause = {
  if: (a) => a.status === 404,
  diagnosis: 'decoded-not-as-utf8',
  message:
    'A name with a space is found and this one is not. The escapes of a path are bytes of UTF-8: one letter may take several of them. And once decoded, a name stays as it is: normalize may write its letters in other bytes.',
};

/** Names that need decoding, from the plain case to the odd ones; each with what else may be wrong with it. */
const oddNames: { name: string; target: string; cause?: Cause }[] = [
  { name: 'my file.txt', target: '/my%20file.txt' },
  {
    name: 'Capitals.txt',
    target: '/Capitals.txt',
    cause: {
      if: (a) => a.status === 404,
      diagnosis: 'name-case',
      message:
        'Capitals.txt is there under exactly this name. Are its letters turned into small ones on the way? Only the extension may be looked up in small letters; the name stays as it is.',
    },
  },
  { name: 'grüße.html', target: '/gr%C3%BC%C3%9Fe.html', cause: notUtf8 },
  { name: '日本語.txt', target: '/%E6%97%A5%E6%9C%AC%E8%AA%9E.txt', cause: notUtf8 },
  { name: '🎉.css', target: '/%F0%9F%8E%89.css', cause: notUtf8 },
  {
    name: 'c#.txt',
    target: '/c%23.txt',
    cause: {
      if: (a) => a.status === 404,
      diagnosis: 'hash-lost',
      message:
        'The file is called c#.txt and was asked for as c%23.txt. decodeURI leaves %23 as it is; and a name that is decoded first and parsed as a URL then loses all from the # on.',
    },
  },
  {
    name: '100%.txt',
    target: '/100%25.txt',
    cause: {
      if: (a) => a.status === 400 || a.status >= 500,
      diagnosis: 'decoded-twice',
      message:
        'The file is called 100%.txt and was asked for as 100%25.txt. Decoded once, that is its name; decode it once and no more.',
    },
  },
  {
    name: '%41.txt',
    target: '/%2541.txt',
    cause: {
      if: (a) => a.status === 404,
      diagnosis: 'decoded-twice',
      message:
        'The file is called %41.txt and was asked for as %2541.txt. Decoded once, that is its name; decoded twice, it is A.txt.',
    },
  },
  {
    name: 'cafe\u0301.txt',
    target: '/cafe%CC%81.txt',
    cause: {
      if: (a) => a.status === 404,
      diagnosis: 'name-normalized',
      message:
        'This name has an e and, as a letter of its own, the accent upon it (%CC%81). It is not found, and names with other letters are. Is normalize called, which makes one letter of the two? Or is there a list of the letters that a name may have? Once decoded, a name stays as it is.',
    },
  },
  {
    name: 'a+b.txt',
    target: '/a+b.txt',
    cause: {
      if: (a) => a.status === 404,
      diagnosis: 'plus-decoded',
      message:
        'In a path a + is a +. Only in the query string of a form does it stand for a space.',
    },
  },
  ...(process.platform === 'win32'
    ? []
    : [
        {
          name: 'what?.txt',
          target: '/what%3F.txt',
          cause: {
            if: (a: Answer) => a.status >= 400,
            diagnosis: 'decoded-before-query',
            message:
              'The file is called what?.txt and was asked for as what%3F.txt. That ? belongs to the name: cut the query string off first, then decode.',
          },
        },
      ]),
];

/** The folder of this run. The program under test is started anew on it, unless it serves it already. */
async function served(t: Trial): Promise<Tree> {
  let tree: Tree | undefined;
  for (let tries = 0; tries < 3; tries++) {
    const serving = trees.get(t.program.options.env?.['STATIC_ROOT'] ?? '');
    if (serving) return serving;
    const { trusted = true, cwd } = t.program.options;
    tree ??= plant({ trusted, cwd, random: t });
    await t.restart({ STATIC_ROOT: tree.root });
  }
  throw new Error('the program could not be started on the folder of this run');
}

const clientLeft = (t: Trial, when: string): Failure => {
  const { stderr } = t.program;
  const error = /\w*Error.*/.exec(stderr.slice(-4000))?.[0] ?? `exit code ${t.program.exit?.code}`;
  return {
    diagnosis: 'client-left-crash',
    message: error.includes('ERR_STREAM_UNABLE_TO_PIPE')
      ? 'Clients left right after their request, and that stopped the whole server. Since Node 23 pipeline throws when the response is already closed: after every await, and in every callback, ask whether the client is still there.'
      : error.includes('ERR_STREAM_PREMATURE_CLOSE')
        ? `${when}, and that stopped the whole server: pipeline reports it as an error (Premature close), which was thrown, or came from a promise that nobody awaits. That a client leaves is no failure: catch it.`
        : `${when}, and that stopped the whole server. An error of the stream or of the response is not heard.`,
    expected: 'a server that lives on',
    actual: brief(error, 200),
    exchange: undefined,
  };
};

/** Runs a step. That the program dies when a client hangs up is the last step's matter, and may show in any other. */
async function untilItLives(
  t: Trial,
  tree: Tree,
  run: (t: Trial, tree: Tree) => Promise<void>,
  place: 'last' | undefined,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await run(t, tree);
      await t.settle();
      break;
    } catch (error) {
      const hungUp =
        t.program.exit !== null &&
        /ERR_STREAM_(PREMATURE_CLOSE|UNABLE_TO_PIPE)/.test(t.program.stderr);
      const told = error instanceof StepFailure && error.failure.diagnosis === 'client-left-crash';
      if (!hungUp || told) throw error;
      const failure = new StepFailure(clientLeft(t, 'A client hung up'));
      if (place === 'last' && tries === 3) throw failure;
      tree.later.push(failure);
      await t.restart();
      if (tries === 3) return;
    } finally {
      tree.alone = false;
    }
  }
  if (place === 'last' && tree.later.length > 0) throw tree.later[0];
}

/** A step's function, with the folder of this run. The folder goes when the run is over: after the last step, or one that fails. */
const on =
  (run: (t: Trial, tree: Tree) => Promise<void>, place?: 'last'): StepTest =>
  async (t) => {
    const tree = await served(t);
    let failed = true;
    try {
      await untilItLives(t, tree, run, place);
      t.check(!t.program.stderr.includes('ERR_HTTP_HEADERS_SENT'), {
        diagnosis: 'ran-on-after-answer',
        message:
          'Each answer looks right, but after one of them the code ran on and tried to answer again; server.ts caught the error and printed it. Calling a function that answers does not end your own: return.',
        expected: 'no error in the log',
        actual: 'Error [ERR_HTTP_HEADERS_SENT]: after the answer, another head',
        exchange: undefined,
      });
      failed = false;
    } finally {
      if (failed) {
        trees.delete(tree.root);
        remains.add(tree);
        setTimeout(() => tree.remove(), 5000).unref();
      } else if (place === 'last') {
        tree.remove();
      }
    }
  };

// ---------------------------------------------------------------------------------------------
// Questions that several steps ask.

type Failing = Omit<Cause, 'if'>;

/** The step that a stub's answer names, or 0. */
const todo = (answer: Answer): number =>
  answer.status === 501 ? Number(/TODO\(step (\d+)\)/.exec(answer.text)?.[1] ?? 0) : 0;

/**
 * Runs the checks side by side. Where one fails, or the program dies, they run again one by one, each with the canary
 * after it, so that the request that did it is named.
 */
async function each(t: Trial, tree: Tree, checks: (() => Promise<unknown>)[]): Promise<void> {
  const before = t.exchanges.length;
  const results = await Promise.allSettled(checks.map((check) => check()));
  const died = await t.settle().then(
    () => false,
    () => true,
  );
  const first = results.find((result) => result.status === 'rejected');
  if (!first && !died) return;
  if (died) await t.restart();
  const hasty = t.exchanges.splice(before); // Not told: what counts is what each gets alone.
  const { later, gone } = tree;
  const known = later.length;
  tree.alone = true;
  for (const check of checks) {
    await check();
    await t.settle();
  }
  tree.alone = false;
  if (!first || later.length > known || tree.gone !== gone) return;
  t.exchanges.push(...hasty);
  // One by one they are all right.
  const outcome =
    first.reason instanceof StepFailure ? first.reason.failure.exchange?.outcome : undefined;
  if (outcome === 'answered' || outcome === 'connection-closed') {
    // Told in the last step, which always finds it out; whether it shows before is chance.
    later.push(
      new StepFailure({
        diagnosis: 'requests-mixed-up',
        message:
          'Asked one by one, every answer was right; asked side by side with others, this one was not. What belongs to one request must live inside the handler, not in a variable outside.',
        exchange: first.reason.failure.exchange,
      }),
    );
    return;
  }
  throw first.reason;
}

/**
 * A GET is let on to the file: answered with it, or with what a later step's stub says. How the file is sent is the last
 * step's matter: where HEAD shows that it was found, what is wrong with the sending is kept until then.
 * @param closed what it means when the connection is closed and not one byte has come
 */
async function letOn(
  t: Trial,
  tree: Tree,
  target: string,
  step: number,
  causes: Cause[] | ((answer: Answer) => Promise<Cause[]>) = [],
  closed?: Failing,
): Promise<void> {
  const found = async (): Promise<boolean> => {
    const { outcome, message } = await t.attempt({ method: 'HEAD', target });
    return outcome === 'answered' && message?.status === 200;
  };
  if (tree.later.length > 0 && (await found())) return;
  // On a connection of its own: what comes behind the answer does not matter here.
  const connection = t.connect();
  let answer: Answer | undefined;
  let fault: unknown;
  try {
    await connection.write(requestBytes({ target }, t.program.port));
    answer = await connection.answer({ method: 'GET', target });
    if (answer.status === 200 || todo(answer) > step) return;
    if (step === 4 && addsTheSlash(answer)) return;
    answer.expectStatus(200, typeof causes === 'function' ? await causes(answer) : causes);
  } catch (error) {
    fault = error;
  } finally {
    connection.destroy();
  }
  if (!(fault instanceof StepFailure) || !tree.alone) throw fault;
  const sending = !answer || answer.status >= 500 || answer.status < 300;
  if (sending) {
    if (t.program.exit) await t.restart();
    if (await found()) {
      tree.later.push(fault);
      return;
    }
    if (t.program.exit) await t.restart();
  }
  throw closed ? explained(fault, closed) : fault;
}

/** What becomes of a file that is not there. Where a server fails on that, it is told in step 4, and not at every name that is not there. */
async function goneIs(
  t: Trial,
  tree: Tree,
  test: (exchange: Exchange) => boolean,
): Promise<boolean> {
  if (!tree.alone) return false;
  if (t.program.exit) await t.restart();
  const gone = tree.gone ?? (await t.attempt({ target: `/${t.word()}.html` }));
  await t.settle().catch(() => undefined);
  if (t.program.exit) await t.restart();
  if (!test(gone)) return false;
  tree.gone = gone;
  return true;
}

/** Whether an answer, or none, is what any missing file gets, and that is not the 404 of step 4. */
const asIfMissing = (t: Trial, tree: Tree, answer: Answer | undefined): Promise<boolean> =>
  goneIs(t, tree, ({ outcome, message }) =>
    answer === undefined || outcome !== 'answered'
      ? answer === undefined && outcome !== 'answered'
      : message?.status === answer.status &&
        message.status !== 404 &&
        !new Answer(answer.exchange).text.includes('TODO(step') &&
        (message.status !== 200 || message.body.equals(answer.body)),
  );

/** A refusal tells nothing of where the files lie. */
function keepsPathsPrivate(answer: Answer, tree: Tree): void {
  const told = unescape(answer.exchange.target).includes(tree.base); // What the client said itself is no secret.
  const field = answer.rawHeaders.find(([, value]) => unescape(value).includes(tree.base));
  answer.expect(told || !(field || answer.text.includes(tree.base)), {
    diagnosis: 'path-disclosed',
    message:
      'The answer tells where the files lie on your machine. Such a path often comes with the message of an error; say something of your own to the client.',
    expected: 'an answer without paths of the machine',
    actual: field ? field.join(': ') : answer.text,
  });
}

/** The request was turned down, with one of the statuses; the first is what the lesson asks for. */
function turnedDown(
  answer: Answer,
  tree: Tree,
  step: number,
  statuses: number[],
  causes: Cause[] = [],
): void {
  keepsPathsPrivate(answer, tree);
  if (statuses.includes(answer.status)) return;
  if (todo(answer) > step) {
    const { method, target } = answer.exchange;
    answer.fail({
      diagnosis: 'let-through',
      message: `${method} ${target} went on to step ${todo(answer)}. This step must answer it.`,
      expected: `status ${statuses[0]}`,
      actual: `501 Not Implemented: TODO(step ${todo(answer)})`,
      exchange: undefined, // What the later step's stub answers is not the point.
    });
  }
  answer.expectStatus(statuses[0] ?? 404, causes);
}

/** A redirect from a folder to its own address, with the slash at the end, is as right as the folder itself. */
function addsTheSlash(answer: Answer): boolean {
  const asked = `http://localhost${answer.exchange.target}`;
  const location = answer.header('Location') ?? '';
  const redirect = answer.status >= 300 && answer.status < 400 && URL.canParse(location, asked);
  return redirect && new URL(location, asked).pathname === `${new URL(asked).pathname}/`;
}

const promisedTooEarly: Failing = {
  diagnosis: 'promised-too-early',
  message:
    'The connection was closed without a response. Was status 200 set before it was known that a file can be sent? Once writeHead has run, no 404 can follow.',
};
/** In /nested/ even index.html is a folder. */
const folderOpened: Failing = {
  diagnosis: 'promised-too-early',
  message:
    'The connection was closed without a response. The index.html in this folder is a folder itself, so there is no file to send: 404. Was status 200 set before that was known? Once writeHead has run, no 404 can follow.',
};

/** The same failure under another name, where the connection was closed and not one byte had come. */
function explained(error: unknown, closed: Failing): unknown {
  const failure = error instanceof StepFailure ? error.failure : undefined;
  if (failure?.diagnosis !== 'connection-closed' || failure.exchange?.received.length !== 0)
    return error;
  return new StepFailure({ ...failure, ...closed });
}

/** A GET; `closed` says what it means when the connection is closed and not one byte has come. */
async function getOr(t: Trial, target: string, closed: Failing): Promise<Answer> {
  try {
    return await t.get(target);
  } catch (error) {
    throw explained(error, closed);
  }
}

// ---------------------------------------------------------------------------------------------
// Step 2

/** Whether a path is taken as it came: then it finds a file whose name holds the very escapes. */
async function isReadRaw(t: Trial, tree: Tree): Promise<boolean> {
  const name = `${t.word()}%20${t.word()}.txt`;
  fs.writeFileSync(join(tree.root, name), name);
  const { message } = await t.attempt({ target: `/${name}` });
  return message?.status === 200;
}

const malformed = ['/%zz', '/%', '/docs/%e0%a4%a', '/plain.txt%2'];
/** Whole escapes that stand for no text: refused in one way or another. */
const unreadable = ['/%ff', '/docs/%c0%ae%c0%ae/x'];
const withNul = ['/%00', '/plain.txt%00', '/plain.txt%00.png'];

const decodeThrew: Failing = {
  diagnosis: 'decode-threw',
  message:
    "decodeURIComponent throws on this target, and only server.ts caught the error, with a 500 for whatever goes wrong. What the client typed wrong is the client's mistake: 400.",
};

// ---------------------------------------------------------------------------------------------
// Step 3

interface WayOut extends Failing {
  targets: string[];
}

const waysOut = (tree: Tree): WayOut[] => [
  {
    targets: ['/../secret.txt', '/docs/../../secret.txt', '/docs/deep/../../../secret.txt'],
    diagnosis: 'climbed-out',
    message:
      'A file above the root was sent. path.join tidies a path, it does not fence it in: with enough ".." it leads anywhere.',
  },
  {
    targets: [
      '/%2e%2e/secret.txt',
      '/.%2E/secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e%2fsecret.txt',
      '/docs%2f..%2f..%2Fsecret.txt',
      '/%2E%2E%2Fsecret.txt',
    ],
    diagnosis: 'decoded-after-check',
    message:
      'A file above the root was sent, because the ".." came encoded. A path is safe only if the check sees the same text that the file system will see: decode first, then check.',
  },
  {
    targets: ['/%252e%252e%252fsecret.txt', '/..%252fsecret.txt'],
    diagnosis: 'decoded-twice',
    message:
      'A file above the root was sent: %252e was decoded to %2e, and that to a dot. Decode once and no more.',
  },
  {
    targets: [
      '/..%2fsite-private%2fsecret.txt',
      '/../site-private/secret.txt',
      '/%2e%2e%2fsite-private/secret.txt',
    ],
    diagnosis: 'sibling-served',
    message:
      'A file of the folder "site-private" was sent, which lies beside the root "site". Its path begins with the same letters: a check with startsWith needs the separator at the end of the root.',
  },
  {
    targets: [
      `/${tree.base}/secret.txt`,
      `${tree.base.startsWith('/') ? '' : '/'}${tree.base}/secret.txt`,
      `/${encodeURIComponent(`${tree.base}/secret.txt`)}`,
    ],
    diagnosis: 'absolute-path-served',
    message:
      'The target held an absolute path, and that file was sent. path.resolve forgets the root when what follows it is absolute.',
  },
  {
    targets: [
      '/....//secret.txt',
      '/....%2f%2fsecret.txt',
      '/..././secret.txt',
      '/.%00./secret.txt',
    ],
    diagnosis: 'dots-stripped',
    message:
      'A file above the root was sent. When ".." or other characters are cut out of a path, what is left can form a new ".."; refuse such a path instead of mending it.',
  },
  {
    targets: ['/..%5csecret.txt', '/..\\secret.txt', '/docs%5c..%5c..%5csecret.txt'],
    diagnosis: 'backslash-served',
    message:
      'A file above the root was sent: the target held backslashes, which separate folders on Windows.',
  },
];

const hidden = [
  '/.env',
  '/.git/config',
  '/.well-known/notes.txt',
  '/docs/.draft.html',
  '/docs/..2fa.txt',
  '/%2eenv',
  '/docs%2f.draft.html',
];

async function staysInside(t: Trial, tree: Tree, target: string, leak: Failing): Promise<void> {
  if (tree.gone && tree.gone.outcome !== 'answered') return;
  const answer = await t
    .get(target, {
      causes: {
        crashed: {
          diagnosis: 'path-crashed',
          message: `GET ${target} stopped the whole server. Whatever a client asks for, it gets an answer.`,
        },
      },
    })
    .catch(async (reason: unknown) => {
      if (!(await asIfMissing(t, tree, undefined))) throw reason;
    });
  if (!answer) return;
  answer.expect(!answer.text.includes(tree.secret), {
    ...leak,
    expected: 'status 404',
    actual: `status ${answer.status}, and the file's content`,
  });
  if (![404, 403, 400].includes(answer.status) && (await asIfMissing(t, tree, answer))) return;
  turnedDown(
    answer,
    tree,
    3,
    [404, 403, 400],
    [
      {
        if: (a) => a.status === 200,
        diagnosis: 'unknown-answered-200',
        message:
          'Status 200 says that this is the file that was asked for. There is no such file inside the root: 404.',
      },
      { if: (a) => a.status >= 500, ...brokeDown },
    ],
  );
}

const brokeDown: Failing = {
  diagnosis: 'server-error-for-client',
  message:
    'A status of 5xx says that the server is at fault. The client asked for something that it cannot have, and that is a 4xx.',
};

// ---------------------------------------------------------------------------------------------
// Step 4

const missing: Cause[] = [
  {
    if: (a) => a.status === 200 && a.text.includes('other.dat'),
    diagnosis: 'directory-listed',
    message:
      "The answer lists what is in the folder. A folder without an index.html is a 404: what is in it is nobody's business.",
  },
  {
    if: (a) => a.status === 200,
    diagnosis: 'unknown-answered-200',
    message:
      'Status 200 says that the body is the file that was asked for. No such file exists: 404.',
  },
  {
    if: (a) => a.status >= 300 && a.status < 400,
    diagnosis: 'redirected',
    message:
      'The answer is a redirect. The client asked for something that is not there, and has to be told so: 404. Only the / at the end of a folder may be added by a redirect.',
  },
  {
    if: (a) => a.status >= 400 && a.status < 500,
    diagnosis: 'wrong-status',
    message:
      'The request was well-formed, and there is no file to send: that is what 404 says, and no other status.',
  },
  {
    if: (a) => a.status >= 500,
    diagnosis: 'missing-is-500',
    message:
      'That there is no such file is no failure of the server. Look at the code of the error: ENOENT is not the only one that means "not there" (ENOTDIR, ELOOP, ENAMETOOLONG), and a folder or a socket is not a file that can be sent.',
  },
];

/** Names that are nearly those of files. */
const nearly = new Map<string, Cause[]>(
  (
    [
      ['/index', 'index.html'],
      ['/docs/deep/note', 'note.txt'],
      ['/plain.txt%20', 'plain.txt'],
    ] as const
  ).map(([target, name]) => [
    target,
    [
      {
        if: (a) => a.status === 200,
        diagnosis: 'name-mended',
        message: `${target} was answered with 200, although there is only ${name}. ${target.endsWith('%20') ? 'A blank at the end belongs to the name' : 'No extension is added to a name'}: what is not there under exactly this name is a 404.`,
      },
    ],
  ]),
);

/** The root may be reached through a link, and lie in a hidden folder: for a moment it does. */
async function servesThroughALink(t: Trial, tree: Tree): Promise<void> {
  if (!tree.links) return;
  const method = tree.later.length > 0 ? 'HEAD' : 'GET'; // Where the sending is at fault, it is told later.
  const elsewhere = join(tree.base, '.store', 'site');
  fs.renameSync(tree.root, elsewhere);
  let answer: Answer;
  try {
    fs.symlinkSync(join('.store', 'site'), tree.root, 'dir');
    answer = await t.send({ method, target: '/plain.txt' });
  } finally {
    fs.rmSync(tree.root, { force: true });
    fs.renameSync(elsewhere, tree.root);
  }
  const found = (a: Answer): boolean => a.status === 200 || todo(a) > 4;
  if (found(answer)) return;
  // A program may have asked for its root's real path when it started.
  const hiddenRoot = join(tree.base, '.store', 'home');
  const shown = (a: Answer): Pick<Failure, 'expected' | 'actual'> => ({
    expected: 'status 200',
    actual: `status ${a.status}`,
  });
  const ask = async (root: string): Promise<Answer> =>
    t.on(await t.start({ env: { STATIC_ROOT: root } })).send({ method, target: '/plain.txt' });
  const linked = await ask(join(tree.base, 'way'));
  if (found(linked)) return;
  const plain = await ask(hiddenRoot);
  plain.expect(found(plain), {
    diagnosis: 'root-in-hidden-folder',
    message:
      'The root lay in a folder whose name begins with a dot, and no file was found. What is hidden is decided by the name that the client asks for, not by where the root lies.',
    ...shown(plain),
  });
  linked.fail({
    diagnosis: 'root-through-link',
    message:
      'STATIC_ROOT was a symbolic link to the root, and no file was found. realpath gives the path of the file without links; compare it with the realpath of the root, which may be reached through a link itself.',
    ...shown(linked),
  });
}

const special =
  'something in the folder that is neither file nor folder (a named pipe or a socket)';
const askStat =
  'Ask stat whether the path is a file before you open it; that it is no folder is not enough.';

/** Why a client still waits that asked for what is no file. */
const waiting = (target: string): string =>
  target === '/pipe'
    ? '/pipe is a named pipe (FIFO), which is no file. Whoever opens it waits until another program writes into it, and here none does.'
    : `${target} is a socket, which is no file. The system refuses to open it, and the client is not told.`;

const notRegular = (target: string): OutcomeCauses => {
  const because = (message: string): { diagnosis: string; message: string } => ({
    diagnosis: 'not-a-regular-file',
    message: `${message} ${askStat}`,
  });
  return {
    'no-answer': because(`There was no answer: ${waiting(target)}`),
    'response-never-ended': because(`The response began and never ended: ${waiting(target)}`),
    crashed: because(`The server opened ${special}, and the error stopped it.`),
    'connection-closed': because(
      `The connection was closed without a response: what was asked for is ${special}.`,
    ),
  };
};

const linksOut: { target: string; failing: Failing }[] = [
  {
    target: '/link.txt',
    failing: {
      diagnosis: 'link-followed-out',
      message:
        'link.txt is a symbolic link to a file above the root, and that file was sent. stat and open follow links: ask realpath where the file really lies.',
    },
  },
  {
    target: '/linked/secret.txt',
    failing: {
      diagnosis: 'link-followed-out',
      message:
        'linked is a symbolic link to the folder "site-private" beside the root "site", and a file there was sent. Ask realpath where the file really lies, and compare with the root and the separator after it: both names begin with "site".',
    },
  },
  {
    target: '/portal/',
    failing: {
      diagnosis: 'index-link-followed-out',
      message:
        'The index.html of this folder is a symbolic link to a file above the root, and that file was sent. Check the path that you will open in the end, with index.html, not the one before it.',
    },
  },
];

// ---------------------------------------------------------------------------------------------
// Steps 5 and 6

interface Kind {
  extension: string;
  type: string;
  charset: 'required' | 'allowed' | 'none';
}

const kinds: Kind[] = [
  { extension: '.html', type: 'text/html', charset: 'required' },
  { extension: '.css', type: 'text/css', charset: 'required' },
  { extension: '.js', type: 'text/javascript', charset: 'required' },
  { extension: '.txt', type: 'text/plain', charset: 'required' },
  { extension: '.json', type: 'application/json', charset: 'allowed' },
  { extension: '.svg', type: 'image/svg+xml', charset: 'allowed' },
  { extension: '.png', type: 'image/png', charset: 'none' },
  { extension: '.jpg', type: 'image/jpeg', charset: 'none' },
  { extension: '.ico', type: 'image/x-icon', charset: 'none' },
];
const unknown: Kind = { extension: '', type: 'application/octet-stream', charset: 'allowed' };

/** The Content-Type, with the charset where the lesson asks for it, however it is spelt. */
function rightType(answer: Answer, kind: Kind): void {
  const split = (value: string): { type: string; charset: string | undefined } => {
    const [type = '', ...parameters] = value
      .toLowerCase()
      .split(';')
      .map((part) => part.trim());
    return {
      type,
      charset: parameters
        .find((part) => part.startsWith('charset='))
        ?.slice(8)
        .replaceAll('"', ''),
    };
  };
  const alias = kind.type === 'image/x-icon' ? ['image/vnd.microsoft.icon'] : [];
  const right = (value: string): boolean => {
    const { type, charset } = split(value);
    return (
      [kind.type, ...alias].includes(type) &&
      (kind.charset === 'none'
        ? charset === undefined
        : charset === 'utf-8' || (charset === undefined && kind.charset === 'allowed'))
    );
  };
  const given = answer.header('Content-Type');
  if (given !== undefined && right(given)) return;
  const target = answer.exchange.target;
  const wrong = (diagnosis: string, message: string): never =>
    answer.fail({
      diagnosis,
      message,
      expected: `Content-Type: ${kind.type}${kind.charset === 'required' ? '; charset=utf-8' : ''}`,
      actual: given === undefined ? 'no Content-Type' : `Content-Type: ${brief(given)}`,
    });
  if (given === undefined) {
    wrong(
      'no-content-type',
      `The response to ${target} does not say what it is: it has no Content-Type. The browser would have to guess.`,
    );
  } else if (split(given).type === kind.type && kind.charset === 'none') {
    wrong(
      'charset-on-picture',
      `${target} is a picture: bytes that are no text. Its Content-Type has no charset.`,
    );
  } else if (split(given).type === kind.type) {
    wrong(
      'charset-missing',
      `${target} is text, and its Content-Type does not say charset=utf-8. Without it a browser may read "ü" as two other letters.`,
    );
  } else if (
    kind.extension === '.js' &&
    /^(application\/(x-)?javascript|text\/ecmascript)$/.test(split(given).type)
  ) {
    wrong(
      'old-javascript-type',
      'This type for JavaScript is obsolete: since RFC 9239 it is text/javascript.',
    );
  } else if (target.endsWith('/')) {
    wrong(
      'type-of-the-name',
      `${target} is a folder, and what is sent is its index.html. The type is that of the file that was found, not of the name that was asked for.`,
    );
  } else if (kind === unknown && !target.includes('.')) {
    wrong(
      'unknown-type-guessed',
      `${target} has no dot in its name, so it has no extension and its type is application/octet-stream: bytes, and no promise about them.`,
    );
  } else if (kind === unknown) {
    wrong(
      'unknown-type-guessed',
      `The extension of ${target} is not in the table, so its type is application/octet-stream: bytes, and no promise about them. The extension is what stands after the last dot of the name.`,
    );
  } else if (/\.\w+\.\w+$/.test(target)) {
    wrong(
      'not-the-last-extension',
      `The type of ${target} is not that of its last extension. The extension is what stands after the last dot of the name.`,
    );
  } else if (/[A-Z]/.test(target.slice(target.lastIndexOf('.')))) {
    wrong(
      'extension-case',
      `${target} has the wrong type, although the same extension in lower case has the right one. An extension may be written in upper or lower case.`,
    );
  }
  wrong('wrong-type', `The type of ${target} is not the one that belongs to its extension.`);
}

/** What a right program sends for this many bytes. */
function rightLength(answer: Answer, size: number, characters = size): void {
  const { target, method } = answer.exchange;
  const length = answer.header('Content-Length');
  const coding = answer.header('Transfer-Encoding');
  answer.expect(length === undefined || coding === undefined, {
    diagnosis: 'two-lengths',
    message: `The response to ${method} ${target} has both Content-Length and Transfer-Encoding. Each says in its own way where a body ends, and both together are forbidden (RFC 9112, 6.2). The size is known: leave Transfer-Encoding out.`,
    expected: `Content-Length: ${size}, and no Transfer-Encoding`,
    actual: `Content-Length: ${brief(length ?? '')} and Transfer-Encoding: ${brief(coding ?? '')}`,
  });
  answer.expectHeader('Content-Length', String(size), [
    {
      if: (a) => a.header('Content-Length') === undefined,
      diagnosis: 'no-content-length',
      message: `The response to ${target} has no Content-Length. stat knows the size, so the client can be told how much will come.`,
    },
    {
      if: (a) => characters !== size && a.header('Content-Length') === String(characters),
      diagnosis: 'length-in-characters',
      message:
        'Content-Length counts the characters of the text. It must count bytes: "ü" is one character and two bytes.',
    },
    {
      if: (a) => method === 'HEAD' && a.header('Content-Length') === '0',
      diagnosis: 'head-length-zero',
      message:
        'The answer to HEAD has no body, but its header fields are those of GET: Content-Length is the size of the file.',
    },
    {
      if: () => target.endsWith('/'),
      diagnosis: 'length-of-the-folder',
      message: `${target} is a folder, and what is sent is its index.html. Content-Length is not the size of that file.`,
    },
    {
      if: () => true,
      diagnosis: 'wrong-length',
      message: `The Content-Length of ${target} is not the size of the file in bytes, which stat knows.`,
    },
  ]);
}

/** An answer to GET with this file, whole. */
function rightFile(answer: Answer, content: Buffer, kind?: Kind): void {
  const { target } = answer.exchange;
  answer.expectStatus(200);
  if (kind) rightType(answer, kind);
  const encoding = answer.header('Content-Encoding');
  answer.expect(encoding === undefined || /^identity$/i.test(encoding), {
    diagnosis: 'encoding-claimed',
    message: `The response to ${target} has Content-Encoding: ${brief(encoding ?? '')}, which nobody asked for: a client unpacks such a body first. Send the file's bytes as they are, without this field.`,
    expected: 'no Content-Encoding',
    actual: `Content-Encoding: ${brief(encoding ?? '')}`,
  });
  const replaced = Buffer.from('\ufffd');
  const damaged = answer.body.includes(replaced) && !content.includes(replaced);
  answer.expect(!damaged, {
    diagnosis: 'bytes-read-as-text',
    message: `The bytes of ${target} arrived changed: each that is not text became the replacement character. Read files as bytes: no encoding, no toString, no joining to a string.`,
  });
  rightLength(answer, content.length, content.toString('utf8').length);
  if (answer.body.equals(content)) return;
  answer.fail(
    answer.body.length === 0
      ? {
          diagnosis: 'body-empty',
          message: `The response to GET ${target} has no body. After the header fields the file has to follow.`,
        }
      : {
          diagnosis: 'wrong-body',
          message: `The body of the response to GET ${target} is not the file that was asked for, byte for byte.`,
        },
  );
}

const memory = (t: Trial): number => t.program.memory() ?? 0;

/** Files of the run's folder that the program has open; none where the system doesn't tell. In a sandbox their paths begin otherwise. */
const filesOpen = (t: Trial, tree: Tree): string[] =>
  (t.program.openFiles() ?? []).filter((path) =>
    path.includes(`${sep}${basename(tree.base)}${sep}`),
  );

const whole = (t: Trial, target: string): Buffer =>
  requestBytes({ target, headers: { Connection: 'keep-alive' } }, t.program.port);

/** A file of several pieces, some 300 KB long, in which no piece looks like another. */
const manyLines = (count: number): string =>
  Array.from({ length: count }, (_, n) => `This is line ${n + 1}\n`).join('');

async function sendsWholeFiles(t: Trial, tree: Tree): Promise<void> {
  const write = (name: string, content: Buffer | string): { target: string; content: Buffer } => {
    fs.writeFileSync(join(tree.root, name), content);
    return { target: `/${encodeURIComponent(name)}`, content: Buffer.from(content as string) };
  };
  const word = t.word();
  const files: [string, Buffer | string, string][] = [
    [`${word}.txt`, `Grüße an ${t.word()} 🎉\n`, '.txt'],
    [`${word}.png`, Buffer.from(Array.from({ length: 256 }, (_, i) => 255 - i)), '.png'],
    [`${word} ü.html`, `<p>${t.word()}</p>`, '.html'],
    ['nothing.txt', '', '.txt'],
    [`${word}.dat`, manyLines(t.int(15_000, 16_000)), ''],
  ];
  await each(
    t,
    tree,
    files.map(([name, bytes, extension]) => async () => {
      const { target, content } = write(name, bytes);
      const answer = await t.get(target).catch((reason: unknown) => {
        const printed = t.program.stderr.match(/\w*Error\b.*/g)?.at(-1);
        throw explained(reason, {
          diagnosis: 'connection-closed',
          message: `GET ${target} got no answer, and the connection was closed. ${
            printed
              ? `Something threw after the head was written, so that server.ts could only print the error and hang up: ${brief(printed, 160)}`
              : 'Something destroyed the socket or the response.'
          }`,
        });
      });
      rightFile(answer, content, kinds.find((kind) => kind.extension === extension) ?? unknown);
    }),
  );
  for (const target of ['/', '/docs/']) {
    rightFile(
      await t.get(target),
      fs.readFileSync(join(tree.root, target, 'index.html')),
      kinds[0],
    );
  }
  await followsTheFolder(t, tree);
}

/** What lies in the folder at the time of a request counts: a file that comes, changes and goes. */
async function followsTheFolder(t: Trial, tree: Tree): Promise<void> {
  const name = `${t.word()}.css`;
  const path = join(tree.root, name);
  const stale = { diagnosis: 'stale-content', expected: 'what lies in the folder now' };
  (await t.get(`/${name}`)).expectStatus(404);
  const first = Buffer.from(`/* ${t.word()} */`);
  fs.writeFileSync(path, first);
  const come = await t.get(`/${name}`);
  come.expect(come.status !== 404, {
    ...stale,
    message:
      'A file was asked for before it was there and again when it was, and the second answer is a 404 still. Ask the file system at each request.',
    actual: 'status 404',
  });
  rightFile(come, first);
  const second = Buffer.from(`/* ${t.word()} and more */`);
  fs.writeFileSync(path, second);
  const changed = await t.get(`/${name}`);
  const oldLength = changed.header('Content-Length') === String(first.length);
  changed.expect(!changed.body.equals(first) && !oldLength, {
    ...stale,
    message: changed.body.equals(first)
      ? 'The file was changed between two requests, and the second answer still has the old content. Ask the file system at each request.'
      : 'The file grew between two requests, and the second answer still has the old size in Content-Length. Ask the file system at each request.',
    actual: changed.body.equals(first) ? changed.text : `Content-Length: ${first.length}`,
  });
  rightFile(changed, second);
  fs.rmSync(path);
  const gone = await t.get(`/${name}`);
  gone.expect(gone.status !== 200, {
    ...stale,
    message: 'The file was deleted, and it is still sent. Ask the file system at each request.',
    actual: gone.text,
  });
  gone.expectStatus(404);
}

async function keepsRequestsApart(t: Trial, tree: Tree): Promise<void> {
  const targets = ['/plain.txt', '/docs/deep/note.txt'];
  const files = targets.map((target) => fs.readFileSync(join(tree.root, target)));
  const connection = t.connect();
  await connection.write(whole(t, '/plain.txt'));
  const first = await connection.answer({ target: '/plain.txt' });
  if (first.announcesClose) return; // Then there is no second one: that is a server's right.
  const refused: [method: string, target: string, statuses: number[]][] = [
    ['DELETE', '/plain.txt', [405]],
    ['GET', '/%zz', [400]],
    ['GET', '/.env', [404, 403, 400]],
    ['GET', `/${t.word()}.html`, [404]],
  ];
  // All in one packet: the others are there while the first is still looked after.
  const kept = { headers: { Connection: 'keep-alive' } };
  await connection.write(
    Buffer.concat([
      ...targets.map((target) => whole(t, target)),
      ...refused.map(([method, target]) =>
        requestBytes({ ...kept, method, target }, t.program.port),
      ),
    ]),
  );
  for (const [index, target] of targets.entries()) {
    const answer = await connection.answer({ target });
    answer.expect(answer.status === 200, {
      diagnosis: 'requests-mixed-up',
      message: `${target} was asked for together with others, one right after the other on one connection, and got ${answer.status}; asked for alone it is found. What belongs to one request must live inside the handler: not in a variable outside, not on the connection.`,
      expected: 'status 200',
      actual: `status ${answer.status}`,
    });
    answer.expect(!answer.body.equals(files[1 - index] ?? Buffer.alloc(0)), {
      diagnosis: 'requests-mixed-up',
      message: `${targets[0]} and ${targets[1]} were asked for on one connection, one right after the other, and the answer to ${target} is the other file. What belongs to one request must live inside the handler: not in a variable outside, not on the connection.`,
    });
    rightFile(answer, files[index] ?? Buffer.alloc(0));
  }
  for (const [method, target, statuses] of refused) {
    const exchange = await connection.attempt({ method, target });
    const cut = exchange.outcome.startsWith('connection-');
    t.check(exchange.outcome === 'answered', {
      diagnosis: cut ? 'ran-on-after-answer' : 'no-answer',
      message: `Six requests came at once on one connection. ${targets.join(' and ')} were answered. Then comes ${method} ${target}, which is to be refused, and ${
        cut
          ? 'the connection was cut. After it had refused, the code ran on and stumbled, and server.ts gave the connection up. Calling a function that answers does not end your own: return.'
          : 'no whole answer came.'
      }`,
      expected: `status ${statuses[0]}`,
      actual: cut ? 'the connection was closed' : 'no whole response',
      exchange: undefined,
    });
    const answer = new Answer(exchange);
    turnedDown(answer, tree, 6, statuses);
    if (answer.announcesClose) return;
  }
}

/** A file that cannot be opened although stat finds it: no response is promised that cannot be kept, and nothing dies. */
async function survivesAFailingOpen(t: Trial, tree: Tree): Promise<void> {
  const target = '/locked.txt';
  const path = join(tree.root, target);
  fs.writeFileSync(path, `locked ${t.word()}\n`);
  const connection = t.connect();
  await connection.opened();
  await t.settle();
  await atRest(t, tree); // The connection is accepted, and what was open is closed.
  const unlock = lock(t, path);
  if (!unlock) return;
  let exchange: Exchange;
  try {
    await connection.write(whole(t, target));
    exchange = await connection.attempt({ target });
  } finally {
    unlock();
  }
  const failing = 'When /locked.txt was asked for, the system refused to open the file, and';
  const expected = 'status 404 or 500, or a closed connection';
  const died = await t.settle().then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (died) {
    const { stderr } = t.program;
    const shown = { expected, actual: 'the program ended', exchange };
    if (stderr.includes('ERR_HTTP_HEADERS_SENT')) {
      t.fail({
        diagnosis: 'answered-after-head',
        message: `${failing} the error was answered with a second head, which stopped the whole server. Once writeHead has run, all that can be done is to close the connection; look at res.headersSent.`,
        ...shown,
      });
    }
    if (!/EMFILE|EACCES|EPERM/.test(stderr)) throw died;
    if (!/Unhandled 'error' event|Emitted 'error' event/.test(stderr)) {
      t.fail({
        diagnosis: 'error-not-caught',
        message: `${failing} that stopped the whole server. The error was thrown in a callback, or came from a promise that nobody awaits: there nothing catches it. Answer with 404 or 500, or close the connection.`,
        ...shown,
      });
    }
    t.fail({
      diagnosis: 'stream-error-unheard',
      message: `${failing} that stopped the whole server. A stream that fails emits 'error', and one that nobody listens to is thrown; pipe passes no errors on, pipeline does.`,
      ...shown,
    });
  }
  const { outcome, message } = exchange;
  t.check(outcome !== 'no-answer' && outcome !== 'response-never-ended', {
    diagnosis: 'error-never-answered',
    message: `${failing} the client still waits. An error before the header fields is a 404 or 500; after them, the connection has to be closed.`,
    expected,
    actual: outcome === 'no-answer' ? 'no response' : 'the beginning of a response',
    exchange,
  });
  const right =
    outcome !== 'answered' ||
    (message && (message.status >= 400 || message.body.equals(fs.readFileSync(path))));
  t.check(right, {
    diagnosis: 'error-promised-as-200',
    message: `${failing} the client got status 200 all the same. Open the file before you promise it.`,
    expected,
    actual: `status ${message?.status}`,
    exchange,
  });
  if (outcome === 'answered' && message?.status !== 200)
    keepsPathsPrivate(new Answer(exchange), tree);
  rightFile(await t.get('/plain.txt'), fs.readFileSync(join(tree.root, 'plain.txt')));
}

/** Waits until the program has closed what it has no more use for. */
async function atRest(t: Trial, tree: Tree): Promise<void> {
  let before = '';
  await t.until(() => {
    const now = (t.program.openFiles() ?? []).join('\n');
    const same = now === before;
    before = now;
    return same && filesOpen(t, tree).length === 0;
  }, 300);
}

/** Makes opening files fail for the program. Gives the way back, or undefined where it can't be done. */
function lock(t: Trial, path: string): (() => void) | undefined {
  if (process.platform === 'win32') return undefined;
  if (process.getuid?.() !== 0) {
    fs.chmodSync(path, 0o000);
    return () => fs.chmodSync(path, 0o644);
  }
  // The superuser opens everything, but not more files than the system lets one process have.
  if (process.platform !== 'linux') return undefined;
  const { innerPid: pid } = t.program;
  try {
    const [, soft = '', hard = ''] =
      /^Max open files\s+(\d+)\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, 'latin1')) ??
      [];
    if (!soft || !hard) return undefined;
    const limit = (count: string): void =>
      void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:${hard}`], {
        stdio: 'ignore',
      });
    const used = new Set(fs.readdirSync(`/proc/${pid}/fd`).map(Number));
    let free = 0;
    while (used.has(free)) free++;
    limit(String(free));
    return () => {
      try {
        limit(soft);
      } catch {
        // The program is gone.
      }
    };
  } catch {
    return undefined;
  }
}

/** A client that reads slowly must not make the program read the whole file into memory. */
async function staysSmall(t: Trial, tree: Tree): Promise<void> {
  const before = memory(t);
  const tooMuch = (): boolean => before > 0 && memory(t) > before + bound;
  const connection = t.connect();
  await connection.write(whole(t, '/big.bin'));
  const headCame = (): boolean => connection.received.includes('\r\n\r\n');
  await t.until(() => headCame() || tooMuch() || connection.state !== 'open', 3000);
  connection.pause();
  if (!headCame() && !tooMuch()) {
    // Fails, and says why: silence, or a file that is still being collected.
    await connection.answer({ target: '/big.bin' }).catch((reason: unknown) => {
      if (!tooMuch()) throw reason;
    });
  }
  const text = connection.received.subarray(0, 2048).toString('latin1');
  t.check(
    tooMuch() ||
      (/^HTTP\/1\.1 200 /.test(text) &&
        new RegExp(`\r\ncontent-length: *${bigSize}\r\n`, 'i').test(text)),
    {
      diagnosis: 'big-file-refused',
      message: `GET /big.bin was not answered with status 200 and a Content-Length of ${bigSize}. The file has ${bigSize / MB} MB, and no size is too big for a stream.`,
      expected: `status 200 and Content-Length: ${bigSize}`,
      actual: brief(text.slice(0, text.indexOf('\r\n\r\n')), 200),
      exchange: undefined,
    },
  );
  // The client has stopped reading. Wait until the program has nothing left to do for it, or has neither grown nor worked for a while.
  let idle = 0;
  let seen = { memory: before, cpuMs: 0, at: performance.now() };
  await t.until(async () => {
    idle = (await t.program.ping(500)) === 0 ? idle + 1 : 0;
    const now = { memory: memory(t), cpuMs: t.program.cpuMs() ?? 0, at: performance.now() };
    if (now.memory > seen.memory + MB / 4 || now.cpuMs > seen.cpuMs) seen = now;
    return tooMuch() || idle >= 3 || now.at - seen.at > 500;
  }, 8000);
  const grown = Math.round((memory(t) - before) / MB);
  t.check(!tooMuch(), {
    diagnosis: 'file-in-memory',
    message: `A client sent GET /big.bin, a file of ${bigSize / MB} MB, and stopped reading, and the program grew by ${grown} MB. Either the whole file is read first, or what the client has not taken piles up: pipeline reads on only when there is room.`,
    expected: `less than ${bound / MB} MB more`,
    actual: `${grown} MB more`,
    exchange: undefined,
  });
  const [small] = await Promise.all([
    t.get('/plain.txt', {
      causes: {
        'no-answer': {
          diagnosis: 'one-at-a-time',
          message:
            'While one client paused in the middle of /big.bin, another one asked for /plain.txt and got no answer. Does a request wait until the one before it is over? One slow client would hold up all the others.',
        },
      },
    }),
    connection.until((received) => received.length > 0),
  ]);
  rightFile(small, fs.readFileSync(join(tree.root, 'plain.txt')));
  const rest = process.env['WORKBOOK_WHOLE']
    ? connection.received.indexOf('\r\n\r\n') + 4 + bigSize
    : 8 * MB;
  connection.resume();
  const came = await connection.skip(rest);
  t.check(came === rest, {
    diagnosis: 'stalled-for-good',
    message: `A client sent GET /big.bin, paused and then read on, but after ${Math.round(came / MB)} MB no more of the file came. When a write returns false, wait for 'drain' and go on; pipeline does that.`,
    expected: `${bigSize / MB} MB`,
    actual: `${Math.round(came / MB)} MB, and then nothing`,
    exchange: undefined,
  });
  t.check(!tooMuch(), {
    diagnosis: 'file-in-memory',
    message: `While it sent /big.bin, a file of ${bigSize / MB} MB, the program grew by more than ${bound / MB} MB. Something keeps what was sent.`,
    expected: `less than ${bound / MB} MB more`,
    actual: `${Math.round((memory(t) - before) / MB)} MB more`,
    exchange: undefined,
  });
  connection.reset();
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? '' : 's'}`;

/** The first few of these files, by name. */
const named = (paths: string[]): string => {
  const names = [...new Set(paths.map((path) => basename(path)))];
  return `${count(paths.length, 'open file')}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' and others' : ''}`;
};

/** Clients that leave at once, while the file is still looked for, and clients that leave in the middle. */
async function outlivesItsClients(t: Trial, tree: Tree): Promise<void> {
  await t.until(() => filesOpen(t, tree).length === 0, 1500);
  const open = filesOpen(t, tree);
  const big = open.some((path) => path.endsWith('big.bin'));
  t.check(open.length === 0, {
    diagnosis: 'files-left-open',
    message: `All requests so far are over, and the program still has ${count(open.length, 'file')} open. A process may have only so many. ${
      big
        ? 'The client of /big.bin left in the middle of the download: is the file closed then, too?'
        : 'Is a file opened for a HEAD, or left open after a download?'
    }`,
    expected: 'no open file',
    actual: named(open),
    exchange: undefined,
  });
  const leave = async (inTheMiddle: boolean): Promise<void> => {
    const connection = t.connect();
    await connection.write(whole(t, '/big.bin'));
    if (inTheMiddle) await connection.until((received) => received.length > 0);
    connection.reset();
  };
  for (const inTheMiddle of [true, false]) {
    const clients = inTheMiddle ? broken / 4 : (broken * 3) / 4;
    await Promise.all(Array.from({ length: clients }, () => leave(inTheMiddle)));
    const died: unknown = await t.settle().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (died !== undefined) {
      // The judge stops a program that takes too much, and that has other reasons.
      if (died instanceof StepFailure && died.failure.diagnosis.startsWith('too-much')) throw died;
      t.fail(
        clientLeft(
          t,
          `Clients left ${inTheMiddle ? 'in the middle of a download' : 'right after their request'}`,
        ),
      );
    }
  }
  const closed = await t.until(() => filesOpen(t, tree).length === 0, 1500);
  const stillOpen = filesOpen(t, tree);
  const left = stillOpen.length;
  const last = closed ? await t.get('/plain.txt') : undefined;
  // A FileHandle that is lost is closed in the end, by the garbage collector, with a warning, which comes a little later.
  const collected = /file descriptor.*garbage collection/i.test(t.program.stderr);
  t.check(closed && !collected, {
    diagnosis: 'files-left-open',
    message: `${broken} downloads were broken off, and ${left > 0 ? `the program still has ${count(left, 'file')} open` : 'some of their files were closed only by the garbage collector'}. A process may have only so many: soon no connection is accepted. A file has to be closed however its download ends; pipe leaves it open when the client goes, and pipeline too, if the response was closed before it began.`,
    expected: 'no open file',
    actual: left > 0 ? named(stillOpen) : brief(t.program.stderr.trim(), 200),
    exchange: undefined,
  });
  if (last) rightFile(last, fs.readFileSync(join(tree.root, 'plain.txt')));
}

// ---------------------------------------------------------------------------------------------

export default suite(
  '09-static-files',
  {
    'Let only GET and HEAD in': on(async (t, tree) => {
      const gone = `/${t.word()}.html`;
      const rare = t.pick(['PROPFIND', 'MKCOL', 'REPORT', 'SEARCH']);
      await each(
        t,
        tree,
        [
          ...['POST', 'PUT', 'PATCH', 'DELETE', rare].map(
            (method) => [method, '/plain.txt'] as const,
          ),
          ['POST', gone] as const,
        ].map(([method, target]) => async () => {
          const answer = await t.send({
            method,
            target,
            ...(method !== 'DELETE' && method !== rare && { body: 'x=1' }),
          });
          turnedDown(
            answer,
            tree,
            1,
            [405],
            [
              {
                if: (a) => a.status === 200,
                diagnosis: 'method-ignored',
                message: `${method} got the file as if it were a GET. A method that this handler does not know gets 405${method === rare ? ', and there are more of them than POST, PUT, PATCH and DELETE' : ''}.`,
              },
              {
                if: (a) => a.status === 404 && target === gone,
                diagnosis: 'method-asked-late',
                message: `${method} ${target} was answered with 404, and ${method} of a file that is there with 405. The method comes first: what is not let in does not get as far as looking for a file.`,
              },
              {
                if: (a) => a.status === 404,
                diagnosis: 'wrong-status',
                message: `${method} was answered with 404, which says that there is no such file. There is, only not for ${method}: 405.`,
              },
            ],
          );
          const allowed = (answer.header('Allow') ?? '').split(',').map((word) => word.trim());
          const given = answer.header('Allow');
          const shown = {
            expected: 'Allow: GET, HEAD',
            actual: given === undefined ? 'no Allow' : `Allow: ${brief(given)}`,
          };
          answer.expect(given !== undefined, {
            diagnosis: 'allow-missing',
            message:
              '405 without Allow. A client that is told "not this method" has to be told which ones it may use (RFC 9110, 15.5.6).',
            ...shown,
          });
          answer.expect(
            ['GET', 'HEAD'].every((name) => allowed.includes(name)) && !allowed.includes(method),
            {
              diagnosis: 'allow-wrong',
              message: allowed.some((name) => /^(get|head)$/i.test(name) && !/^[A-Z]+$/.test(name))
                ? 'Allow names the methods in small letters. To a client "get" is another method than "GET".'
                : /\bGET\b.*\bHEAD\b|\bHEAD\b.*\bGET\b/.test(given ?? '') &&
                    !allowed.includes('GET')
                  ? 'Allow is a list, with commas between the methods.'
                  : allowed.includes(method)
                    ? `Allow lists ${method}, which has just been refused. It names the methods that this handler takes, and no others.`
                    : `Allow lacks ${['GET', 'HEAD'].filter((name) => !allowed.includes(name)).join(' and ')}. It names the methods that this handler takes, both of them.`,
              ...shown,
            },
          );
        }),
      );
      tree.alone = true;
      await letOn(t, tree, '/plain.txt', 1, [
        {
          if: (a) => a.status === 405,
          diagnosis: 'get-refused',
          message:
            'GET got 405, but it is one of the two methods that are let in. req.method is written in capitals: "GET".',
        },
        {
          if: (a) => a.status === 404,
          diagnosis: 'root-not-served',
          message:
            'plain.txt lies in the folder that STATIC_ROOT names, and it is not found there. Is that the folder that your handler looks into?',
        },
      ]);
      const head = await t.head('/plain.txt');
      head.expect(head.status !== 405, {
        diagnosis: 'head-refused',
        message: 'HEAD got 405, but it is one of the two methods that are let in.',
        expected: 'a status other than 405',
        actual: 'status 405',
      });
    }),

    'Read the name in the target': on(async (t, tree) => {
      await each(t, tree, [
        ...oddNames.map(({ target, cause }) => async () => {
          await letOn(t, tree, target, 2, async (answer) => {
            if (cause?.if(answer)) return [cause];
            const name = JSON.stringify(decodeURIComponent(target.slice(1)));
            const here = `The file is there, under the name ${name}. In the request target that is ${target}`;
            if (await isReadRaw(t, tree)) {
              return [
                {
                  if: (a) => a.status === 404,
                  diagnosis: 'not-decoded',
                  message: `${here}: the path has to be decoded before it names a file.`,
                },
              ];
            }
            return [
              {
                if: (a) => a.status >= 400 && a.status < 500,
                diagnosis: 'name-refused',
                message: `${here}. Is it decoded before it names a file? And is there a list of the characters that a name may have? Blanks and letters of any script are ordinary in a name.`,
              },
            ];
          });
        }),
        ...[
          '/plain.txt?v=2',
          '/plain.txt?',
          '/plain.txt?a=%zz&b=%',
          '/plain.txt?next=/x?y=.z',
          '/plain.txt?x=../..',
        ].map((target) => async () => {
          await letOn(t, tree, target, 2, [
            {
              if: (a) => a.status === 400,
              diagnosis: 'query-decoded',
              message:
                'The query string decided about the file. It is no part of the name: cut it off first, whatever it holds, and decode the rest.',
            },
            {
              if: (a) => a.status === 404 || a.status === 403,
              diagnosis: 'query-in-name',
              message:
                'The same target without its query string names a file. The query string is no part of the name: cut it off.',
            },
          ]);
        }),
        ...malformed.map((target) => async () => {
          const answer = await t.get(target, {
            causes: {
              crashed: {
                diagnosis: 'decode-crashed',
                message: `GET ${target} stopped the whole server: decodeURIComponent throws on a malformed escape, and nothing caught it. A target that cannot be decoded is the client's mistake, and its answer has status 400.`,
              },
            },
          });
          turnedDown(
            answer,
            tree,
            2,
            [400],
            [
              { if: (a) => a.status >= 500, ...decodeThrew },
              {
                if: (a) => a.status === 404 || a.status === 403,
                diagnosis: 'malformed-not-400',
                message: `"${target}" holds a malformed escape, so it is no name at all. That is a bad request, 400, and not a file that is missing.`,
              },
            ],
          );
        }),
        ...unreadable.map((target) => async () => {
          const answer = await t.get(target, {
            causes: {
              crashed: {
                diagnosis: 'target-crashed',
                message: `GET ${target} stopped the whole server. No request target may do that: what cannot be read is answered with 400.`,
              },
            },
          });
          turnedDown(
            answer,
            tree,
            2,
            [400, 403, 404],
            [{ if: (a) => a.status >= 500, ...decodeThrew }],
          );
        }),
        ...withNul.map((target) => async () => {
          const answer = await t.get(target, {
            causes: {
              crashed: {
                diagnosis: 'nul-crashed',
                message: `GET ${target} stopped the whole server: the functions of fs throw when a path holds a NUL. No file's name has one; refuse it before fs sees it.`,
              },
            },
          });
          turnedDown(
            answer,
            tree,
            2,
            [400, 403, 404],
            [
              {
                if: (a) => a.status >= 500,
                diagnosis: 'nul-is-500',
                message: `The name in ${target} holds a NUL, and fs refuses such a path with an error, which became a 5xx. The client is at fault: 400.`,
              },
              {
                if: (a) => a.status === 200,
                diagnosis: 'nul-cut',
                message: `${target} holds a NUL, which no file's name has, and was answered with a file. Refuse it; don't mend it.`,
              },
            ],
          );
        }),
        ...['//', `//${t.word()}:99999/x`, '*', 'http://[', 'http://localhost/plain.txt'].map(
          (target) => async () => {
            if (tree.gone && tree.gone.outcome !== 'answered') return;
            const answer = await t
              .send({
                method: tree.later.length > 0 ? 'HEAD' : 'GET', // What is wrong with the sending is told later.
                target,
                causes: {
                  crashed: {
                    diagnosis: 'target-crashed',
                    message: `GET ${target} stopped the whole server. No request target may do that: what cannot be read is answered with 400.`,
                  },
                },
              })
              .catch(async (reason: unknown) => {
                if (!(await asIfMissing(t, tree, undefined))) throw reason;
              });
            if (!answer || answer.status < 500 || todo(answer) > 2) return;
            if (await asIfMissing(t, tree, answer)) return;
            answer.fail({
              diagnosis: 'target-threw',
              message: `GET ${target} was answered with a 5xx: something threw. If it was new URL(): that throws on a text that is no URL, and it takes what follows "//" for the name of another host, which may be nonsense.`,
              expected: 'a status below 500',
              actual: `status ${answer.status}`,
            });
          },
        ),
      ]);
    }),

    'Keep the name inside the root': on(async (t, tree) => {
      await each(t, tree, [
        ...waysOut(tree).flatMap(({ targets, ...leak }) =>
          targets.map((target) => () => staysInside(t, tree, target, leak)),
        ),
        async () => {
          // In absolute-form, which a server may refuse, but not let out.
          if (tree.gone && tree.gone.outcome !== 'answered') return;
          const answer = await t
            .get('http://localhost/..%2fsecret.txt')
            .catch(async (reason: unknown) => {
              if (tree.later.length === 0 && !(await asIfMissing(t, tree, undefined))) throw reason;
            });
          answer?.expect(!answer.text.includes(tree.secret), {
            diagnosis: 'decoded-after-check',
            message:
              'A file above the root was sent, to a request target in absolute-form (http://localhost/…) with an encoded "..". Every form of target has to pass the same check.',
            expected: 'status 404',
            actual: `status ${answer.status}, and the file's content`,
          });
        },
        ...hidden.map(
          (target) => () =>
            staysInside(t, tree, target, {
              diagnosis: 'dot-file-served',
              message: `${target} was sent. Names that begin with a dot are where settings, passwords and .git live: no part of a path may begin with one.`,
            }),
        ),
        ...['/plain.txt', '/docs/deep/note.txt', '/v1.2/notes.txt'].map((target) => async () => {
          await letOn(t, tree, target, 3, [
            {
              if: (a) => a.status >= 400 && a.status < 500,
              diagnosis: 'refuses-too-much',
              message: `${target} is an ordinary file inside the root, and it was refused. Is a folder's name lost on the way, or a check too strict? Only a part that begins with a dot is hidden.`,
            },
          ]);
        }),
      ]);
    }),

    'Find a regular file': on(async (t, tree) => {
      const word = t.word();
      const gone = [
        `/${word}.html`,
        `/${word}/${word}`,
        `/docs/${word}/`,
        '/plain.txt/more',
        '/empty/',
        '/empty',
        '/nested/',
        `/${word.repeat(50)}`,
        '/index',
        '/docs/deep/note',
        ...(process.platform === 'win32' ? [] : ['/plain.txt%20']),
      ];
      await each(t, tree, [
        ...tree.special.map((target) => async () => {
          const answer = await t.get(target, { causes: notRegular(target) });
          if (answer.status === 200 && (await asIfMissing(t, tree, answer))) return;
          turnedDown(
            answer,
            tree,
            4,
            [404, 403],
            [
              {
                if: (a) => a.status === 200,
                diagnosis: 'not-a-regular-file',
                message: `${target} is ${special}, and it was answered with status 200. ${askStat}`,
              },
              ...missing,
            ],
          );
        }),
        ...gone.map((target) => async () => {
          const nested = target === '/nested/';
          const answer = await getOr(t, target, nested ? folderOpened : promisedTooEarly);
          if (addsTheSlash(answer)) return;
          turnedDown(answer, tree, 4, nested ? [404, 403] : [404], [
            ...(nearly.get(target) ?? []),
            ...missing,
          ]);
        }),
        ...(tree.links ? linksOut : []).map(({ target, failing }) => async () => {
          const answer = await getOr(t, target, promisedTooEarly);
          answer.expect(!answer.text.includes(tree.secret), {
            ...failing,
            expected: 'status 404',
            actual: `status ${answer.status}, and the content of a file outside the root`,
          });
          turnedDown(answer, tree, 4, [404, 403], missing);
        }),
        ...(tree.links ? ['/dangling.txt', '/loop.txt'] : []).map((target) => async () => {
          turnedDown(await getOr(t, target, promisedTooEarly), tree, 4, [404, 403], missing);
        }),
        ...['/', '/?v=2', '/docs/', '/docs', '/docs/deep/note.txt'].map((target) => async () => {
          const closed = target.endsWith('.txt') ? undefined : promisedTooEarly;
          const causes = [
            {
              if: (a: Answer) => a.status === 404 && target.includes('?'),
              diagnosis: 'query-in-name',
              message:
                'Without its query string the same target is answered with the index.html of the root. The query string is no part of the name, here neither.',
            },
            {
              if: (a: Answer) => a.status === 404 && !target.endsWith('.txt'),
              diagnosis: 'no-index',
              message: `${target} is a folder with an index.html, and that is what a client gets who asks for the folder.`,
            },
            {
              if: (a: Answer) => a.status >= 500,
              diagnosis: 'folder-is-500',
              message: `${target} is a folder, and the server failed on it. A folder can't be read like a file (EISDIR): take its index.html.`,
            },
            {
              if: (a: Answer) => a.status >= 300 && a.status < 400,
              diagnosis: 'redirected',
              message: `${target} was answered with a redirect that is not to the same folder with a / at its end. A client that asks for a folder gets its index.html.`,
            },
          ];
          await letOn(t, tree, target, 4, causes, closed);
        }),
      ]);
      await servesThroughALink(t, tree);
    }),

    'Describe the file before sending': on(async (t, tree) => {
      const word = t.word();
      tree.alone = true;
      await letOn(t, tree, '/plain.txt', 5);
      tree.alone = false;
      await t.settle(); // Who dies of that must not take the first HEAD along.
      const pages: { name: string; kind: Kind }[] = [
        ...kinds.map((kind) => ({ name: `${word}${kind.extension}`, kind })),
        ...kinds.map((kind) => ({ name: `${word}-up${kind.extension.toUpperCase()}`, kind })),
        { name: `${word}.min.js`, kind: kinds[2] ?? unknown },
        { name: `${word}.html.txt`, kind: kinds[3] ?? unknown },
        { name: word, kind: unknown },
        { name: 'css', kind: unknown },
        { name: `${word}.${word}`, kind: unknown },
        { name: `${word}.html.bak`, kind: unknown },
        { name: `${word}.constructor`, kind: unknown },
      ];
      await each(t, tree, [
        ...pages.map(({ name, kind }) => async () => {
          const content = `ü ${name}\n`;
          fs.writeFileSync(join(tree.root, name), content);
          const answer = await t.head(`/${name}`);
          answer.expectStatus(200, [
            {
              if: (a) => a.status === 204,
              diagnosis: 'wrong-status',
              message:
                'HEAD was answered with 204. It gets the same status as GET, 200: that no body follows is said by the method HEAD, not by the status.',
            },
            {
              if: (a) => a.status >= 400 && a.status < 500 && kind === unknown,
              diagnosis: 'unknown-type-refused',
              message: `/${name} is there, and only its extension is not in the table. It is sent all the same, as application/octet-stream: bytes, and no promise about them.`,
            },
          ]);
          rightType(answer, kind);
          rightLength(answer, Buffer.byteLength(content), content.length);
          answer.expectNoBody();
        }),
        ...oddNames.map(({ name, target, cause }) => async () => {
          const answer = await t.head(target);
          answer.expectStatus(200, cause ? [cause] : []);
          rightType(answer, kinds.find((kind) => name.endsWith(kind.extension)) ?? unknown);
          rightLength(answer, fs.statSync(join(tree.root, name)).size);
        }),
        ...['/', '/docs/'].map((target) => async () => {
          const answer = await t.head(target);
          answer.expectStatus(200);
          rightType(answer, kinds[0] ?? unknown);
          rightLength(answer, fs.statSync(join(tree.root, target, 'index.html')).size);
        }),
        async () => {
          const answer = await t.head('/nothing.txt');
          answer.expectStatus(200, [
            {
              if: (a) => a.status === 404,
              diagnosis: 'empty-file-missing',
              message:
                'nothing.txt is a file of 0 bytes. It is there, and empty: 200 with a Content-Length of 0.',
            },
          ]);
          rightLength(answer, 0);
        },
        async () => {
          if (!tree.links) return;
          // A link within the root: whoever sends it sends what it leads to.
          const answer = await t.head('/inside.txt');
          const size = fs.statSync(join(tree.root, 'inside.txt')).size;
          const linkSize = fs.lstatSync(join(tree.root, 'inside.txt')).size;
          answer.expect(
            answer.status !== 200 || answer.header('Content-Length') !== String(linkSize),
            {
              diagnosis: 'length-of-the-link',
              message:
                '/inside.txt is a symbolic link to another file in the root. Its Content-Length is the size of the link (that is what lstat tells), and what is sent is the file: stat tells its size.',
              expected: `Content-Length: ${size}`,
              actual: `Content-Length: ${linkSize}`,
            },
          );
        },
        ...[
          `/${t.word()}.html`,
          '/.env',
          '/../secret.txt',
          '/..%2fsecret.txt',
          '/empty/',
          ...tree.special,
          ...(tree.links ? ['/link.txt'] : []),
        ].map((target) => async () => {
          const special = tree.special.includes(target);
          const answer = await t.head(target, special ? { causes: notRegular(target) } : {});
          turnedDown(
            answer,
            tree,
            5,
            [404, 403, 400],
            [
              {
                if: (a) => a.status === 200,
                diagnosis: 'head-differs',
                message: `HEAD ${target} was answered with 200, GET is not. HEAD gets the same status as GET.`,
              },
            ],
          );
          answer.expectNoBody();
        }),
      ]);
    }),

    'Stream the file, outlive the client': on(async (t, tree) => {
      await sendsWholeFiles(t, tree);
      await keepsRequestsApart(t, tree);
      await survivesAFailingOpen(t, tree);
      await staysSmall(t, tree);
      await outlivesItsClients(t, tree);
    }, 'last'),
  },
  { env: (run) => ({ STATIC_ROOT: plant(run).root }) },
);
