import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '../scripts/kernel/answer.ts';
import { brief } from '../scripts/kernel/exchange.ts';
import { portTaken, type Program } from '../scripts/kernel/program.ts';
import { suite } from '../scripts/kernel/suite.ts';
import type { Trial } from '../scripts/kernel/trial.ts';

const greeting = 'Hello, HTTP!';
const textType = 'text/plain; charset=utf-8';

/** What was printed, as lines that can be read: the last few of them. */
const printed = (text: string): string => {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return (
    lines
      .slice(-6)
      .map((line) => brief(line, 150))
      .join('\n') || '(it printed nothing)'
  );
};

function expectGreeting(answer: Answer): void {
  answer.expectStatus(200);
  const { text } = answer;
  answer.expectText(/^Hello, HTTP!\r?\n?$/.test(text) ? text : greeting, [
    {
      if: (a) => a.text === '',
      diagnosis: 'empty-body',
      message:
        'The response has no body: res.end() was called without the text, or before the text was written.',
    },
    {
      if: (a) =>
        a.text.trim().toLowerCase() === greeting.toLowerCase() || a.text.includes(greeting),
      diagnosis: 'text-differs',
      message: `The text is close but not the same: it must be exactly "${greeting}".`,
    },
  ]);
  const type = answer.header('Content-Type') ?? '';
  const right = /^text\/plain;\s*charset="?utf-8"?$/i.test(type);
  answer.expectHeader('Content-Type', right ? type : textType, [
    {
      if: (a) => a.header('Content-Type') === undefined,
      diagnosis: 'no-content-type',
      message: 'The response has no Content-Type header field. Node never guesses one.',
    },
    {
      if: (a) => /^text\/plain$/i.test(a.header('Content-Type') ?? ''),
      diagnosis: 'no-charset',
      message:
        'The Content-Type says text/plain without a charset, so the client has to guess how the bytes become letters.',
    },
  ]);
}

/** A value as a shell would take it: blanks need quotation marks. */
const shown = (value: string): string => (/\s/.test(value) ? `PORT="${value}"` : `PORT=${value}`);

/** Starts the program with a PORT that it must refuse, and says what it did. */
async function refuses(t: Trial, value: string): Promise<void> {
  // listen('abc') makes a socket file called abc: keep it out of the learner's folder.
  const cwd = await mkdtemp(join(tmpdir(), 'workbook-port-'));
  try {
    const program = await t.start({ env: { PORT: value }, cwd, expectListening: false });
    await t.until(() => program.exit !== null || program.listeners().length > 0, 3000, program);
    if (!program.exit) await program.when(() => program.exit !== null, 200);
    const said = `${program.stdout}${program.stderr}`.trim();
    const actual = program.exit
      ? [
          `exit code ${program.exit.code}`,
          `standard error: ${t.complaint(program) ? printed(t.complaint(program)) : '(nothing)'}`,
          ...(program.stdout.trim() ? [`standard output: ${printed(program.stdout)}`] : []),
        ].join('\n')
      : `it runs on${said ? `, and printed: ${brief(said, 200)}` : ''}`;
    const expected = 'one sentence with the word PORT on standard error, and exit code 1';
    // It asked for a port that was taken or forbidden: it would have listened there.
    const asked = /\b(EADDRINUSE|EACCES)\b/.test(program.stderr);
    if (!program.exit || asked) {
      const [where] = program.listeners();
      const number = Number(value);
      const readAsNumber = Number.isInteger(number) && number >= 0 && number <= 65535;
      t.fail({
        diagnosis: where && 'path' in where ? 'port-is-a-path' : 'port-not-refused',
        message:
          where && 'path' in where
            ? `With ${shown(value)} the program listens on a file called "${brief(where.path, 40)}": listen() takes a text that is not a number for a file's name.`
            : readAsNumber
              ? `With ${shown(value)} the program goes on as if this were a port. Only digits are right, nothing before, between or after them. Number() and parseInt() read more than digits, so look at the text itself.`
              : `With ${shown(value)} the program goes on as if nothing were wrong. Nobody will find it on the port they meant.`,
        expected,
        actual,
        exchange: undefined,
      });
    }
    t.check(!/^\s+at .+:\d+:\d+\)?$/m.test(program.stderr), {
      diagnosis: 'port-crash',
      message: `With ${shown(value)} the program dies with a stack trace. Whoever typed the wrong port should read one sentence instead.`,
      expected,
      actual,
      exchange: undefined,
    });
    t.check(program.exit.code === 1, {
      diagnosis: program.exit.code === 0 ? 'exit-code-zero' : 'wrong-exit-code',
      message: `With ${shown(value)} the program ends with ${program.exit.signal ? `the signal ${program.exit.signal}` : `exit code ${program.exit.code}`}. ${program.exit.code === 0 ? 'That says "all went well" to whoever started it.' : 'It must end with exit code 1.'}`,
      expected,
      actual,
      exchange: undefined,
    });
    t.check(/PORT/.test(program.stderr), {
      diagnosis: /PORT/.test(program.stdout) ? 'complaint-on-stdout' : 'no-complaint',
      message: /PORT/.test(program.stdout)
        ? `With ${shown(value)} the sentence went to standard output. Complaints belong on standard error: console.error.`
        : `With ${shown(value)} the program ends, but its standard error does not hold the word PORT, and whoever typed it looks elsewhere.`,
      expected,
      actual,
      exchange: undefined,
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Starts one more copy, and waits until it listens or has ended. */
async function startWith(t: Trial, PORT: string | undefined): Promise<Program> {
  const program = await t.start({ env: { PORT }, expectListening: false });
  await t.until(() => program.exit !== null || program.listeners().length > 0, 1500, program);
  return program;
}

/** The highest port there is. Whether it is free does not matter, as long as it is not refused. */
async function acceptsHighest(t: Trial): Promise<void> {
  const refused = async ({ exit, stderr }: Program): Promise<boolean> =>
    exit !== null && /PORT/.test(stderr) && !/EADDRINUSE/.test(stderr) && !(await portTaken(65535));
  let program = await startWith(t, '65535');
  // Perhaps it only said, in its own words, that somebody had the port a moment ago.
  if (await refused(program)) program = await startWith(t, '65535');
  t.check(!(await refused(program)), {
    diagnosis: 'right-port-refused',
    message:
      'With PORT=65535 the program refuses to start. 65535 is the highest port there is, and still a right one.',
    expected: 'a program that takes every whole number from 0 to 65535',
    actual: `exit code ${program.exit?.code}\nstandard error: ${brief(program.stderr.trim(), 200)}`,
    exchange: undefined,
  });
  await program.stop();
}

/** Without PORT it is 3000, which may well be taken. */
async function takes3000(t: Trial): Promise<void> {
  const program = await startWith(t, undefined);
  const [where] = program.listeners();
  const said = `${program.stdout}${program.stderr}`.trim();
  const wanted = /EADDRINUSE[^]*?:(\d+)$/m.exec(program.stderr)?.[1];
  // Who found 3000 taken, and says so, may have gone on to another port.
  const triedIt = /3000|EADDRINUSE/.test(said);
  const elsewhere = where && 'port' in where && where.port !== 3000 && !triedIt;
  const other = elsewhere ? String(where.port) : wanted;
  const facts = {
    diagnosis: 'wrong-default-port',
    expected: 'a program that asks for port 3000 when PORT is not set',
    exchange: undefined,
  };
  t.check(other === undefined || other === '3000', {
    ...facts,
    message: `Without PORT the program is to take port 3000, and it asked for ${other}.`,
    actual: `port ${other}`,
  });
  const refused = program.exit && !triedIt && !(await portTaken(3000));
  t.check(!refused, {
    ...facts,
    message:
      'Without PORT the program is to take port 3000, and it ended. What is not set is undefined, not an empty text.',
    actual: `exit code ${program.exit?.code}\nstandard error: ${brief(t.complaint(program), 200) || '(nothing)'}`,
  });
  await program.stop();
}

export default suite(
  '01-create-server',
  {
    async 'Answer every request'(t) {
      expectGreeting(await t.get('/'));
      expectGreeting(await t.get(`/${t.word()}/${t.word()}?q=${t.int(1, 99)}`));
      expectGreeting(await t.send({ method: 'DELETE', target: `/${t.word()}` }));
      expectGreeting(await t.post(`/${t.word()}`, 'some text'));
      const head = await t.head('/');
      head.expectStatus(200);
      // What browsers ask for by themselves, and a path that is no link.
      expectGreeting(await t.get('/favicon.ico'));
      expectGreeting(await t.get('//'));
      // Whoever waits for the body waits for good.
      expectGreeting(await t.post('/', ''));
    },

    async 'Refuse a wrong port'(t) {
      const all = await Promise.allSettled([
        // -0 is no less than 0 for whoever only compares numbers.
        ...['abc', '65536', '-0', '80 '].map((value) => refuses(t, value)),
        acceptsHighest(t),
        takes3000(t),
      ]);
      const refusal = all.find((one) => one.status === 'rejected');
      if (refusal) throw refusal.reason;
    },

    async 'Listen a second time'(t) {
      const { program } = t;
      const first = `/${t.word()}`;
      // Whoever decodes or resolves it prints something else, or dies.
      const second = `/${t.word()}%20x/../100%?n=${t.int(1, 99)}`;
      const before = program.stdout.length;
      const answers: [string, Answer][] = [
        [`GET ${first}`, await t.get(first)],
        [`PUT ${second}`, await t.send({ method: 'PUT', target: second, body: 'x' })],
      ];
      for (const [, answer] of answers) expectGreeting(answer);
      for (const [i, [line, { exchange }]] of answers.entries()) {
        const whole = (): boolean =>
          program.stdout.split(/\r?\n/).some((printed) => printed.trim() === line);
        if (await program.when(whole, 500)) continue;
        // A program that died of it has a better reason.
        await t.settle();
        const since = program.stdout.slice(before);
        const [, method = '', path = ''] = /^(\w+) (\/\w+)/.exec(line) ?? [];
        const partly =
          i > 0
            ? since.includes(path) || new RegExp(`^${method}\\b`, 'm').test(since)
            : since.trim() !== '';
        const onStderr = program.stderr.includes(line);
        t.fail({
          diagnosis: onStderr ? 'logged-on-stderr' : partly ? 'log-line-differs' : 'no-log-line',
          message: onStderr
            ? 'The line went to standard error. Print it on standard output: console.log.'
            : partly
              ? 'The program printed something, but not a line with just the method, a space and the target as it came.'
              : i > 0
                ? 'The program printed a line for the GET, but none for the PUT after it. Each request has its line, whatever its method; one connection may carry many of them.'
                : "The program printed no line for the request. server.on('request', …) adds a listener; the handler given to createServer is one too.",
          expected: onStderr ? `${line}\non standard output` : line,
          actual: onStderr ? `${line}\non standard error` : printed(since),
          exchange,
        });
      }
      const timesOf = (line: string): number =>
        program.stdout.split(/\r?\n/).filter((printed) => printed.trim() === line).length;
      // Lines that are printed after the answer count as well.
      await t.settle();
      const [earlier = 0, later = 0] = answers.map(([line]) => timesOf(line));
      for (const [line, { exchange }] of answers) {
        const times = timesOf(line);
        t.check(times === 1, {
          diagnosis: 'logged-more-than-once',
          message:
            later > earlier
              ? 'Each request was sent once, and the second was printed more often than the first. Is the listener added anew with every request? Add it once, outside the handler.'
              : `The request was sent once, and its line was printed ${times} times. Does the program print it in more than one place, or add the listener more than once? One line is enough.`,
          expected: `one line "${line}"`,
          actual: `${times} lines "${line}"`,
          exchange,
        });
      }
    },

    async 'Say when the port is open'(t) {
      const { program } = t;
      const line = (port: number): string => `Server listening on http://localhost:${port}`;
      const lines = (text: string): string[] =>
        text.split(/\r?\n/).map((printed) => printed.trim());
      const announced = (): number =>
        lines(program.stdout).filter((printed) => printed === line(program.port)).length;
      if (!(await program.when(() => announced() > 0, 500))) {
        const said = lines(program.stdout).filter((printed) =>
          /listening|localhost/i.test(printed),
        );
        const unended = said.find((printed) => printed.startsWith(line(program.port)));
        const near = unended ?? said.find((printed) => /listening/i.test(printed)) ?? said[0];
        t.fail({
          diagnosis: near ? 'announcement-differs' : 'no-announcement',
          message: unended
            ? 'The line is there, but more stands behind it on the same line. Does it end with a line end? console.log adds one; process.stdout.write does not.'
            : near
              ? 'The program announces itself, but not with the line that was asked for.'
              : 'The port is open, and the program did not say so on standard output.',
          expected: line(program.port),
          actual: near ?? printed(program.stdout),
          exchange: undefined,
        });
      }
      t.check(announced() === 1, {
        diagnosis: 'announced-more-than-once',
        message: 'The program printed its line more than once. The port opens once.',
        expected: `one line "${line(program.port)}"`,
        actual: `${announced()} such lines`,
        exchange: undefined,
      });

      const announcement = /^Server listening on http:\/\/localhost:(\d+)\s*$/m;
      const [chosen, second] = await Promise.all([
        t.start({ env: { PORT: '0' }, expectListening: false }),
        t.start({ env: { PORT: String(program.port) }, expectListening: false }),
      ]);
      await t.until(
        () =>
          chosen.exit !== null ||
          (chosen.listeners().length > 0 && announcement.test(chosen.stdout)),
        2000,
        chosen,
      );
      const [where] = chosen.listeners();
      const port = where && 'port' in where ? where.port : 0;
      const taken = /EADDRINUSE[^]*?:(\d+)$/m.exec(chosen.stderr)?.[1];
      const asked = taken ?? (port === 3000 ? '3000' : undefined);
      t.check(asked === undefined, {
        diagnosis: 'port-zero-replaced',
        message: `With PORT=0 the program asked for port ${asked}. 0 is a right value too: it lets the system choose. To || and if, 0 is as good as nothing.`,
        expected: 'a program that listens on a port that the system chose',
        actual: `port ${asked}`,
        exchange: undefined,
      });
      t.check(!chosen.exit, {
        diagnosis: 'right-port-refused',
        message:
          'With PORT=0 the program ended. 0 is a right value too: the system chooses a free port.',
        expected: 'a program that listens on a port that the system chose',
        actual: `exit code ${chosen.exit?.code}\nstandard error: ${brief(t.complaint(chosen), 200) || '(nothing)'}`,
        exchange: undefined,
      });
      const spoken = announcement.exec(chosen.stdout) ?? /localhost:(\d+)/.exec(chosen.stdout);
      const said = Number(spoken?.[1] ?? -1);
      t.check(/listening|localhost/i.test(chosen.stdout), {
        diagnosis: 'no-announcement',
        message:
          'A second copy was started with PORT=0, and no request was sent to it. Its port is open, and it did not say so. The line belongs to the opening of the port, whether anybody comes or not.',
        expected: line(port),
        actual: printed(chosen.stdout),
        exchange: undefined,
      });
      t.check(said === port, {
        diagnosis: said === 0 || said === -1 ? 'announced-port-zero' : 'announced-wrong-port',
        message:
          said === 3000 && port !== 3000
            ? 'PORT=0 lets the system choose the port, but the program names 3000, which is not the one that it has.'
            : 'PORT=0 lets the system choose the port, but the program does not say which one it got. server.address() knows.',
        expected: line(port),
        actual: brief(chosen.stdout.trim(), 200) || '(it printed nothing)',
        exchange: undefined,
      });

      // Said before it is true: a second copy must not say it of a port that another has.
      await second.when(() => second.exit !== null || second.listeners().length > 0, 2000);
      const claimed = Number(announcement.exec(second.stdout)?.[1] ?? NaN);
      // It may have found a port of its own, or share this one.
      const has = second.listeners().some((one) => 'port' in one && one.port === claimed);
      const untrue = second.stdout.includes('Server listening') && !has;
      // Where the first is gone meanwhile, the port was free.
      if (untrue) await t.settle();
      t.check(!untrue, {
        diagnosis: 'announced-too-early',
        message:
          'A second copy of your program was started on a port that was taken. It said that it listens, and then it failed. listen() only asks for the port; its callback runs when the port is open.',
        expected: 'no "Server listening" where the port could not be opened',
        actual: printed(second.stdout),
        exchange: undefined,
      });
    },
  },
  { keepAlive: true, copies: 8 },
);
