/**
 * The grading against those who would cheat it: every attack of `tests/attacks/`, in each tier that this machine has. Those that
 * every tier stops in the same way are tried in one; WORKBOOK_ATTACKS=all tries all of them in each.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import Papa from 'papaparse';
import { findIsolation, type Tier } from '../scripts/grade/isolation.ts';
import type { GradeResults } from '../scripts/grade/results.ts';
import { projectRoot } from '../scripts/kernel/course.ts';
import { Program } from '../scripts/kernel/program.ts';
import { startListening } from '../scripts/kernel/starting.ts';
import {
  processesWith,
  resultsOf,
  scratch,
  startGrading,
  textsBelow,
  type Graded,
} from './grade/run.ts';

interface Attack {
  /** Its number in the list of ways to cheat. */
  attack: number;
  about: string;
  outcome: 'graded' | 'tampered';
  maxPoints: number;
  /** The tiers that claim to stop it. */
  tiers: Tier[];
  /** Whether what stops it is the same in every tier: the intake, the exchanges, a limit of time. */
  alike?: boolean;
  /** Whether its program comes to answer, so that what it found stands in the results. */
  runs?: boolean;
}

const attacksDir = join(projectRoot, 'tests/attacks');
const attacks = readdirSync(attacksDir)
  .sort()
  .map((name) => ({
    name,
    ...(JSON.parse(readFileSync(join(attacksDir, name, 'attack.json'), 'utf8')) as Attack),
  }));
const lesson = '03-request-anatomy';
const solution = join(projectRoot, 'solutions', lesson, 'server.ts');
const windows = process.platform === 'win32';
const everywhere = process.env['WORKBOOK_ATTACKS'] === 'all';
/** Dangerous to a spreadsheet, a page, a terminal, a CI log and a file's path, as far as the system allows such a name. */
const poisonedName = windows
  ? '=1+cmd!A0,quote'
  : '=1+cmd|calc!A0 <img src=x onerror=alert(1)> "q",\u001b[31m\n::error::name';

/** Lays out the attacks that a tier claims to stop, and neighbours who did nothing. */
function layOut(dir: string, tier: Tier, told: Record<string, string>): Map<string, Attack> {
  const expected = new Map<string, Attack>();
  const fill = (text: string): string =>
    text.replace(
      /\{\{(\w+)\}\}/g,
      (whole, key: string) => told[key]?.replaceAll('\\', '/') ?? whole,
    );
  for (const { name, ...attack } of attacks) {
    if (!attack.tiers.includes(tier)) continue;
    if (attack.alike && tier !== 'process' && !everywhere) continue;
    const from = join(attacksDir, name);
    if (attack.attack === 10) {
      for (const variant of windows
        ? ['folder']
        : ['symlink', 'fifo', 'folder', 'hardlink', 'behind-a-link']) {
        const inside = join(dir, `10-${variant}`, 'lessons', lesson);
        mkdirSync(variant === 'behind-a-link' ? join(inside, '..') : inside, { recursive: true });
        const file = join(inside, 'server.ts');
        if (variant === 'symlink') symlinkSync(solution, file);
        else if (variant === 'fifo') execFileSync('mkfifo', [file]);
        else if (variant === 'folder') mkdirSync(file);
        else if (variant === 'behind-a-link')
          symlinkSync(join(projectRoot, 'solutions', lesson), inside);
        else {
          // Of a file beside it: the solution's own may lie on another disk.
          copyFileSync(solution, `${dir}-linked.ts`);
          linkSync(`${dir}-linked.ts`, file);
        }
        expected.set(`10-${variant}`, attack);
      }
      continue;
    }
    const folder = attack.attack === 18 ? poisonedName : name;
    const to = join(dir, folder);
    cpSync(from, to, { recursive: true });
    rmSync(join(to, 'attack.json'));
    for (const { file, text } of textsBelow(to)) writeFileSync(file, fill(text));
    if (attack.attack === 11) {
      // Names that version control and packers would take for their own.
      renameSync(join(to, 'npmrc'), join(to, '.npmrc'));
      renameSync(join(to, 'env'), join(to, '.env'));
      for (const inside of [to, join(to, 'lessons'), join(to, 'lessons', lesson)])
        cpSync(join(from, 'vendor'), join(inside, 'node_modules'), { recursive: true });
    }
    expected.set(folder, attack);
  }
  return expected;
}

/** A right server elsewhere on the machine, and how many came to it. */
async function rightServer(): Promise<{
  port: number;
  visits: () => number;
  close: () => Promise<void>;
}> {
  const program: Program = await startListening(
    { file: solution, cwd: projectRoot, trusted: true },
    projectRoot,
  );
  let visits = 0;
  const server = net.createServer((near) => {
    visits++;
    const far = net.connect({ port: program.port, host: '127.0.0.1' });
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    visits: () => visits,
    close: async () => {
      server.close();
      await program.stop();
    },
  };
}

const able: Tier[] =
  findIsolation().tier === 'namespaces' ? ['namespaces', 'process'] : ['process'];

for (const tier of able) {
  describe(`attacks on the tier "${tier}"`, async () => {
    const dir = join(scratch('attacks'), 'class');
    const canary = `CANARY-${randomBytes(8).toString('hex')}`;
    const mark = randomBytes(8).toString('hex').replace(/\D/g, '7');
    const canaryFile = `${dir}-secret.txt`;
    const elsewhere = await rightServer();
    after(() => elsewhere.close());

    writeFileSync(canaryFile, `${canary}\n`);
    for (const neighbour of ['00-neighbour', 'zz-neighbour']) {
      mkdirSync(join(dir, neighbour, lesson), { recursive: true });
      writeFileSync(
        join(dir, neighbour, lesson, 'server.ts'),
        `// ${canary}\n${readFileSync(solution, 'utf8')}`,
      );
    }
    writeFileSync(
      join(dir, 'roster.csv'),
      'folder,name,id,email\n00-neighbour,"=cmd|calc!A0 <script>alert(1)</script>",+1+1,@SUM(1)\n',
    );

    const args = [
      '--lesson',
      '3',
      '--seed',
      '11',
      '--isolation',
      tier,
      ...(tier === 'process' ? ['--trust'] : []),
    ];
    const expected = layOut(dir, tier, {
      PROJECT: projectRoot,
      SUBMISSIONS: dir,
      CANARY: canaryFile,
      OTHER: join(dir, '00-neighbour', lesson, 'server.ts'),
      PORT: String(elsewhere.port),
      MARK: mark,
    });
    const run = startGrading(dir, args, { WORKBOOK_SECRET: canary, GRADER_TOKEN: canary });
    // Known only now, and written in time: no submission is read before Node has started and the reference was graded.
    for (const name of ['06-inspector-by-signal', '08-proc']) {
      const file = join(dir, name, 'lessons', lesson, 'server.ts');
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('{{GRADER}}', String(run.pid)));
    }
    const graded: Graded = await run.done;
    const results: GradeResults | undefined = existsSync(join(graded.out, 'results.json'))
      ? resultsOf(graded)
      : undefined;

    test('everybody is graded', () => {
      assert.equal(graded.status, 0, graded.stderr);
      assert.equal(results?.isolation.tier, tier);
      assert.equal(results?.submissions.length, expected.size + 2);
    });

    for (const [name, attack] of expected) {
      test(`${attack.attack}: ${attack.about} (${JSON.stringify(name).slice(1, 30)})`, () => {
        const found = results?.submissions.find((one) => one.name === name);
        assert.ok(found, 'it is not among the results');
        assert.equal(found.outcome, attack.outcome, found.reason ?? '');
        assert.ok(
          found.points !== null && found.points <= attack.maxPoints,
          `it got ${found.points} points: ${JSON.stringify(found.lessons[0]?.steps.filter(({ status }) => status === 'pass'))}`,
        );
        const text = JSON.stringify(found.lessons);
        assert.doesNotMatch(text, /LOOT: .{0,200}/, /LOOT: .{0,200}/.exec(text)?.[0]);
        if (attack.runs)
          assert.match(
            text,
            /attack.{1,5}(ran|:)/,
            `its program never came to answer: ${text.slice(0, 600)}`,
          );
      });
    }

    test('neighbours get what they earned', () => {
      for (const name of ['00-neighbour', 'zz-neighbour']) {
        const found = results?.submissions.find((one) => one.name === name);
        assert.deepEqual(
          [found?.outcome, found?.points],
          ['graded', found?.maxPoints],
          found?.reason ??
            JSON.stringify(found?.lessons[0]?.steps.filter(({ status }) => status !== 'pass')),
        );
      }
    });

    test('no secret was read, and none stands in a report', () => {
      assert.equal(readFileSync(canaryFile, 'utf8'), `${canary}\n`);
      assert.ok(!existsSync(`${canaryFile}.written`), 'a file was written outside');
      for (const { file, text } of textsBelow(graded.out))
        assert.ok(!text.includes(canary), `${file} holds a secret`);
      if (tier === 'namespaces')
        assert.equal(elsewhere.visits(), 0, 'somebody came out of the network namespace');
    });

    test('nothing outlives its run', () => {
      for (const word of [mark, `${dir}-tmp`]) assert.deepEqual(processesWith(word), []);
      assert.deepEqual(readdirSync(`${dir}-tmp`), [], 'temporary files are left');
    });

    test('no report is harmed', () => checkReports(graded, results));
  });
}

/** The exports, each by its own rules. */
function checkReports({ out, stdout, stderr }: Graded, results: GradeResults | undefined): void {
  const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });
  const schemas = join(projectRoot, 'tests/grade/schemas');
  const validators = new Map(
    readdirSync(schemas).map((file) => [
      file.replace('.json', ''),
      ajv.compile(JSON.parse(readFileSync(join(schemas, file), 'utf8')) as object),
    ]),
  );
  const seen = new Map<string, number>();
  const control =
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff\u202a-\u202e\u2066-\u2069]/;
  for (const { file, text } of textsBelow(out)) {
    const path = file.slice(out.length + 1).replaceAll('\\', '/');
    if (path.startsWith('.kept/')) continue;
    assert.doesNotMatch(text, control, `${path} holds a control character`);
    assert.doesNotMatch(text, /^\s*::/m, `${path} holds a workflow command`);
    if (path.endsWith('.json')) {
      const kind = path.split('/')[0]?.replace('.json', '') ?? '';
      const valid = validators.get(kind);
      assert.ok(valid, `no schema for ${path}`);
      const data: unknown = JSON.parse(text);
      assert.ok(valid(data), `${path}: ${ajv.errorsText(valid.errors?.slice(0, 3))}`);
      // results.json names folders by their true names, as escapes; what platforms get is clean.
      if (kind !== 'results')
        for (const line of stringsOf(data))
          assert.doesNotMatch(line, control, `${path} holds a control character`);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    } else if (path.endsWith('.csv')) {
      const { data, errors } = Papa.parse<string[]>(text, { skipEmptyLines: true });
      assert.deepEqual(errors, [], path);
      for (const row of data) {
        assert.equal(row.length, data[0]?.length, `${path}: ${row.join()}`);
        for (const cell of row)
          assert.doesNotMatch(cell, /^[=+\-@\t\r|%]/, `${path} holds a formula`);
      }
      assert.equal(
        data.length,
        (results?.submissions.length ?? 0) + (path === 'canvas.csv' ? 2 : 1),
        path,
      );
    } else if (path.endsWith('.xml')) {
      assert.equal(XMLValidator.validate(text), true, path);
      const { testsuites } = new XMLParser({
        ignoreAttributes: false,
        isArray: (name) => ['testsuite', 'testcase'].includes(name),
      }).parse(text) as { testsuites: { '@_tests': string; testsuite: { testcase: unknown[] }[] } };
      assert.equal(testsuites.testsuite.length, results?.submissions.length);
      assert.equal(
        testsuites.testsuite.reduce((sum, suite) => sum + suite.testcase.length, 0),
        Number(testsuites['@_tests']),
      );
      assert.doesNotMatch(text, /name="forged"/);
    } else if (path.endsWith('.html')) {
      assert.doesNotMatch(text, /<(script|img|iframe|object|link|svg)\b/i, path);
      assert.equal(text.match(/<\/body>/g)?.length, 1);
      assert.equal(text.match(/<\/section>/g)?.length, results?.submissions.length);
      assert.doesNotMatch(text, /(src|href)="?(?!#)[a-z]+:/i);
    } else assert.fail(`an unknown report: ${path}`);
  }
  for (const kind of ['gradescope', 'exercism', 'prairielearn', 'classroom'])
    assert.equal(seen.get(kind), results?.submissions.length, kind);
  for (const text of [stdout, stderr]) {
    assert.doesNotMatch(text, control);
    assert.doesNotMatch(text, /^\s*::/m, 'a workflow command reached the log');
  }
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value && typeof value === 'object')
    return [...Object.keys(value), ...Object.values(value).flatMap(stringsOf)];
  return [];
}
