/** The proof of the proof: each fault that `npm run verify` looks for is put in, and found. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { allLessons, commandWords, projectRoot, type Lesson } from '../scripts/kernel/course.ts';
import { stubFrom } from '../scripts/kernel/stub.ts';
import { isUnfinished, usesOf } from '../scripts/verify/blocks.ts';
import { isExcerpt, syntaxError, typeErrors, uncheckedTypes } from '../scripts/verify/code.ts';
import { transcript } from '../scripts/verify/golden.ts';
import { checkHeader } from '../scripts/verify/headers.ts';
import { checkLinks } from '../scripts/verify/links.ts';
import { anchors, parseMarkdown } from '../scripts/verify/markdown.ts';
import { mermaidFaults } from '../scripts/verify/mermaid.ts';
import { curlrc, withDocumentedPort, withRealPort } from '../scripts/verify/port.ts';
import { describe as inWords, type Problem } from '../scripts/verify/problem.ts';
import { checkBlocks } from '../scripts/verify/runblocks.ts';
import { machineNames, missingFiles, strayFiles, unequalFiles } from '../scripts/verify/stray.ts';
import {
  checkCount,
  checkHints,
  checkManifest,
  checkReadme,
  checkStubs,
  checkSuite,
  checkTables,
  proseWords,
} from '../scripts/verify/structure.ts';
import { common, difference, mergeOutput } from '../scripts/verify/wildcards.ts';

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'verify', name), 'utf8').replaceAll('\r\n', '\n');
const windows = process.platform === 'win32';

/** A fixture says what is to be found in it: `<!-- finds: … -->`, at a line between this comment and the next. */
function findsWhatItSays(text: string, problems: Problem[]): void {
  const lines = text.split('\n');
  const places = lines.flatMap((content, index) => {
    const [, wanted] = /^<!-- finds: (.*) -->$/.exec(content) ?? [];
    return wanted === undefined ? [] : [{ line: index + 1, wanted }];
  });
  const unsaid = problems.filter(({ line, problem }) => {
    const place = places.findLast((candidate) => candidate.line < line);
    return !place || !isSaid(problem, place.wanted);
  });
  assert.deepEqual(unsaid.map(inWords), [], 'found, and the fixture does not say so');
  const unfound = places.filter(({ line, wanted }, index) => {
    const end = places[index + 1]?.line ?? Infinity;
    return !problems.some(
      (problem) => problem.line > line && problem.line <= end && isSaid(problem.problem, wanted),
    );
  });
  assert.deepEqual(unfound, [], 'not found');
}

/** `…` in what a fixture says is any text. */
const isSaid = (problem: string, wanted: string): boolean => {
  let from = 0;
  return wanted.split('…').every((part) => {
    const at = problem.indexOf(part, from);
    from = at + part.length;
    return at >= 0;
  });
};

/** Exactly one problem, whose text holds this one. */
function findsOne(problems: Omit<Problem, 'file'>[], wanted: string): void {
  const [problem] = problems;
  assert.equal(problems.length, 1, `one problem, not ${JSON.stringify(problems)}`);
  assert.ok(problem?.problem.includes(wanted), `"${problem?.problem}" holds "${wanted}"`);
}

describe('Markdown', () => {
  test('Blocks, headings and text keep their lines', () => {
    const { blocks, headings, text } = parseMarkdown(
      '# A\n\n```ts\n# no\n```\n## B ##\n<!-- ## no\n-->\n~~~~\n```\n~~~~\n',
    );
    assert.deepEqual(
      blocks.map(({ info, line, lines }) => [info, line, lines]),
      [
        ['ts', 3, ['# no']],
        ['', 9, ['```']],
      ],
    );
    assert.deepEqual(
      headings.map(({ text: title, line }) => [title, line]),
      [
        ['A', 1],
        ['B', 6],
      ],
    );
    assert.deepEqual(
      text.filter((line) => line.text !== '').map(({ line }) => line),
      [1, 6],
    );
  });

  test('Anchors are those that GitHub makes', () => {
    const made = anchors(
      parseMarkdown('# Don\'t `end()` — twice!\n## A_b [c](d)\n## Same\n## Same\n<a id="own"></a>'),
    );
    assert.deepEqual([...made], ['dont-end--twice', 'a_b-c', 'same', 'same-1', 'own']);
  });

  test('Words of prose leave out code, headings and folded answers', () => {
    const source =
      '# No no\n\nOne `two` [three](no.md) — four\n\n```text\nno\n```\n<details><summary>Five?</summary>\n\nno\n</details>\n- six\n';
    assert.equal(proseWords(parseMarkdown(source).text), 6);
  });
});

describe('Output with wildcards', () => {
  const same: [shown: string[], real: string[]][] = [
    [
      ['a', 'b'],
      ['a', 'b', ''],
    ],
    [['a  '], ['a']],
    [['Date: …'], ['Date: Mon, 23 Nov 2026 06:00:00 GMT']],
    [['a … c … e'], ['a b c d e']],
    [['…'], []],
    [
      ['a', '…', 'z'],
      ['a', 'z'],
    ],
    [
      ['a', '…', 'z'],
      ['a', 'b', 'z', 'c', 'z'],
    ],
    [
      ['…', 'b', '…'],
      ['a', 'b', 'b', 'c'],
    ],
  ];
  for (const [shown, real] of same) {
    test(`${JSON.stringify(shown)} stands for ${JSON.stringify(real)}`, () => {
      assert.equal(difference(shown, real), null);
      assert.deepEqual(mergeOutput(shown, real), shown);
    });
  }

  const different: [shown: string[], real: string[], found: object][] = [
    [['a'], ['b'], { shown: 'a', real: 'b' }],
    [['a'], ['a', 'b'], { real: 'b' }],
    [['a', 'b'], ['a'], { shown: 'b' }],
    [['aa…aa'], ['aaa'], { shown: 'aa…aa', real: 'aaa' }],
    [['a', '…', 'z'], ['a', 'b'], { shown: 'z', real: 'b' }],
    [['a', '', 'b'], ['a', 'b'], { shown: '', real: 'b' }],
  ];
  for (const [shown, real, found] of different) {
    test(`${JSON.stringify(shown)} differs from ${JSON.stringify(real)}`, () => {
      assert.notEqual(difference(shown, real), null);
      assert.equal(difference(shown, real)?.shown, (found as { shown?: string }).shown);
    });
  }

  test('New output keeps the wildcards that still hold', () => {
    const shown = [
      'HTTP/1.1 200 OK',
      'Date: …',
      'Content-Length: 5',
      '',
      'hello',
      '…',
      'end in … ms',
    ];
    const real = [
      'HTTP/1.1 404 Not Found',
      'Date: Mon',
      'Content-Length: 5',
      '',
      'hello',
      'x',
      'y',
      'end in 7 ms',
    ];
    assert.deepEqual(mergeOutput(shown, real), [
      'HTTP/1.1 404 Not Found',
      'Date: …',
      'Content-Length: 5',
      '',
      'hello',
      '…',
      'end in … ms',
    ]);
  });

  test('What two runs have in common stands for both', () => {
    const runs = [
      ['a', 'b', 'c', 'd'],
      ['a', 'x', 'y', 'c', 'd', 'e'],
      ['b', 'c', 'd'],
    ];
    for (const one of runs) {
      for (const other of runs) {
        assert.equal(difference(common(one, other), one), null);
        assert.equal(difference(common(one, other), other), null);
      }
    }
    assert.deepEqual(common(['a', 'b', 'c', 'd'], ['a', 'x', 'y', 'c', 'd', 'e']), [
      'a',
      '…',
      'c',
      'd',
      '…',
    ]);
  });

  test('New output has a wildcard where it surely differs', () => {
    assert.deepEqual(
      mergeOutput(
        [],
        [
          'Date: Mon, 23 Nov 2026 06:00:00 GMT',
          'id: 0b9b1d5e-7c1e-4f6e-9d53-0a4cf1d2a3b4',
          'Node.js v20.20.2',
        ],
      ),
      ['Date: …', 'id: …', 'Node.js v…'],
    );
  });
});

describe('Blocks', { concurrency: 3 }, () => {
  test('A block that does not say how it is checked is found', () => {
    const text = fixture('blocks.md');
    const { uses, problems } = usesOf(parseMarkdown(text), 'blocks.md');
    findsWhatItSays(text, problems);
    assert.deepEqual(
      uses.slice(0, 7).map(({ kind }) => kind),
      ['text', 'json', 'fragment', 'program', 'console', 'console', 'text'],
    );
  });

  const unfinished = [
    "echo '",
    'echo "a\nb',
    'curl \\',
    'cat <<END\nx',
    "cat <<'END'\n END",
    'cat <<-END\n\tx',
    "echo 'it''s",
  ];
  const finished = [
    'echo',
    "echo 'a\nb'",
    'curl \\\n x',
    'cat <<END\nx\nEND',
    'cat <<-END\n\tEND',
    "# don't",
    "echo \\'",
    'cat <<<word',
    'echo "\\""',
    "echo a#'b'",
  ];
  for (const command of unfinished)
    test(`${JSON.stringify(command)} wants more lines`, () => assert.ok(isUnfinished(command)));
  for (const command of finished)
    test(`${JSON.stringify(command)} is whole`, () => assert.ok(!isUnfinished(command)));

  test('Port 3000 is the real one wherever it is a port', () => {
    for (const command of [
      'nc localhost 3000',
      'node x.js http://127.0.0.1:3000/a',
      'PORT=3000 node x.js',
      'cat </dev/tcp/127.0.0.1/3000',
      'kill $(lsof -ti :3000)',
    ]) {
      assert.equal(withRealPort(command, 4567), command.replace('3000', '4567'));
    }
    for (const command of [
      'curl localhost:3000/a',
      'sleep 3000',
      'echo 13000',
      'node -e "setTimeout(f, 3000)"',
    ]) {
      assert.equal(withRealPort(command, 4567), command);
    }
    assert.match(curlrc(4567), /connect-to = "localhost:3000:localhost:4567"/);
    assert.equal(withDocumentedPort('port 4567, not 14567', 4567), 'port 3000, not 14567');
  });

  test('What is run is compared', { skip: windows && 'there is no bash' }, async () => {
    const text = fixture('run.md');
    const { problems, differences } = await checkBlocks({
      file: 'tests/verify/run.md',
      text,
      lesson: null,
    });
    findsWhatItSays(text, [...problems, ...differences]);
  });

  test(
    'A command that does not end is ended',
    { skip: windows && 'there is no bash' },
    async () => {
      const text = '```console\n$ echo before\nbefore\n$ sleep 60\n$ echo after\nafter\n```\n';
      const { problems, differences } = await checkBlocks(
        { file: 'README.md', text, lesson: null },
        { commandMs: 2000 },
      );
      findsOne([...problems, ...differences], '"sleep 60" did not end within 2 s');
      assert.equal(problems[0]?.line, 4);
    },
  );

  test(
    'The solution and the stub of a lesson are served',
    { skip: windows && 'there is no bash' },
    async () => {
      const [lesson] = allLessons();
      assert.ok(lesson);
      const block = (server: string, output: string): string =>
        `\`\`\`console server=${server}\n$ curl localhost:3000\n${output}\n\`\`\`\n`;
      const text =
        block('stub', `TODO(step 1): ${lesson.steps[0]?.title}`) +
        block('solution', 'Hello, HTTP!') +
        block('solution', 'Good bye');
      const { problems, differences, rewritten } = await checkBlocks({
        file: `lessons/${lesson.name}/README.md`,
        text,
        lesson,
      });
      findsOne([...problems, ...differences], 'where the README shows "Good bye"');
      assert.equal(rewritten, text.replace('Good bye', 'Hello, HTTP!'));
    },
  );

  test(
    'Nothing is left running, and nothing in the folder',
    { skip: process.platform !== 'linux' && 'only Linux tells' },
    async () => {
      const text =
        '```console\n$ (trap "" TERM; exec -a stubborn-sleeper sleep 4711) & setsid sleep 4712 & touch left-over lessons/left-over; npm run lesson >/dev/null\n```\n';
      const { problems, differences } = await checkBlocks({
        file: 'README.md',
        text,
        lesson: null,
      });
      assert.deepEqual([...problems, ...differences], []);
      const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
      assert.doesNotMatch(stdout, /^(?:stubborn-sleeper|sleep) 471[12]$/m);
      assert.throws(() => readFileSync(join(projectRoot, 'left-over')));
    },
  );
});

describe('TypeScript in READMEs', () => {
  test('A program that does not compile is found', () => {
    const program = (text: string) => ({
      readme: 'README.md',
      line: 10,
      path: 'lessons/leak.ts',
      text,
    });
    assert.deepEqual(
      typeErrors([
        program(
          "import http from 'node:http';\n\nhttp.createServer().listen(process.env.PORT ?? 3000);\n",
        ),
      ]),
      [],
    );
    const problems = typeErrors([
      program("import http from 'node:http';\nhttp.createServer((req) => new URL(req.url));\n"),
    ]);
    findsOne(problems, 'does not compile');
    assert.equal(problems[0]?.line, 12);
  });

  test('A fragment parses as part of anything', () => {
    for (const code of [
      'return;',
      'await f();',
      'get(): void {}',
      'case 1:\n  break;',
      "'a': 1,",
      'if (x) y();',
      'import x from "y";',
    ]) {
      assert.equal(syntaxError(code), null, code);
    }
    assert.equal(syntaxError('let x = 1;\nlet = = 2;')?.line, 2);
  });

  test('An excerpt stands in the source, line for line', () => {
    const source = 'a() {\n  if (b) {\n    c();\n  }\n\n  d();\n}\n';
    for (const lines of [
      ['if (b) {', '  c();', '}'],
      ['  d();', '}'],
      ['a() {', '  // …', '  d();'],
      ['}', '', 'd();'],
    ]) {
      assert.ok(isExcerpt(lines, source), lines.join('|'));
    }
    for (const lines of [['if (b) {', 'c();'], ['if (b) {', '}'], ['d();', '…', 'c();'], ['c()']]) {
      assert.ok(!isExcerpt(lines, source), lines.join('|'));
    }
  });

  test('Ways round the types are found', () => {
    for (const code of [
      'let x: any;',
      'f(x as any);',
      'x!.y;',
      'let x!: string;',
      'class C { x!: string }',
      '// @ts-ignore\nf();',
      'f<any>();',
    ]) {
      assert.equal(uncheckedTypes('x.ts', code).length, 1, code);
    }
    assert.deepEqual(
      uncheckedTypes('x.ts', "// any!\nif (!x && a !== b) f('any', x as unknown as string);"),
      [],
    );
  });
});

describe('Mermaid', () => {
  const right = [
    'sequenceDiagram\n  participant C as Client\n  C->>+S: GET / HTTP/1.1\n  Note over C,S: a note\n  loop each\n    S-->>-C: 200 OK\n  end',
    'flowchart LR\n  a["x (y)"] -->|yes| b{z?}\n  b -- no --> c((d)) & e\n  subgraph s [S]\n    f -.-> g\n  end',
    'stateDiagram-v2\n  [*] --> A\n  state A {\n    B --> C: text\n  }',
    '%% comment\ngraph TD\n  a --> b',
  ];
  for (const diagram of right)
    test(`Right: ${diagram.split('\n')[0]}`, () =>
      assert.deepEqual(mermaidFaults(diagram.split('\n')), []));

  const wrong: [diagram: string, found: string][] = [
    ['', 'empty'],
    ['flowchart LR', 'empty'],
    ['diagram\n  a --> b', 'no kind'],
    ['flowchart XY\n  a --> b', 'goes TB'],
    ['sequenceDiagram LR\n  a->>b: c', 'nothing follows'],
    ['sequenceDiagram\n  a=>b: c', 'no message'],
    ['sequenceDiagram\n  a->>b', 'no message'],
    ['sequenceDiagram\n  a->>b: c; d', 'semicolon'],
    ['sequenceDiagram\n  loop x\n  a->>b: c', 'never closed'],
    ['sequenceDiagram\n  a->>b: c\n  end', 'ends nothing'],
    ['sequenceDiagram\n  else\n  a->>b: c', 'no frame'],
    ['sequenceDiagram\n  a->>end: c', '"end"'],
    ['flowchart LR\n  a -> b', 'no chain'],
    ['flowchart LR\n  a[x (y)] --> b', 'no chain'],
    ['flowchart LR\n  a["x] --> b', 'no chain'],
    ['flowchart LR\n  a[/users] --> b', 'no chain'],
    ['flowchart LR\n  a -->|x b', 'no chain'],
    ['flowchart LR\n  a --> end', '"end"'],
    ['flowchart LR\n  subgraph x\n  a --> b', 'never closed'],
    ['stateDiagram-v2\n  A -> B', 'arrow'],
    ['stateDiagram-v2\n  state A {\n  B --> C', 'never closed'],
  ];
  for (const [diagram, found] of wrong)
    test(`Wrong: ${JSON.stringify(diagram)}`, () =>
      findsOne(mermaidFaults(diagram.split('\n')), found));
});

describe('Links', () => {
  test('What is not there is found', () => {
    const text = fixture('links.md');
    findsWhatItSays(text, checkLinks('tests/verify/links.md', text, projectRoot));
  });
});

describe('Structure', () => {
  const steps = ['One', 'Two', 'Three', 'Four `end`'].map((title) => ({
    title,
    points: 1,
    asks: `Do ${title}.`,
  }));
  const lesson: Lesson = {
    name: '02-echo',
    number: 2,
    title: 'Echo what came',
    about: 'Say what came.',
    edits: ['server.ts'],
    needs: ['01-first'],
    learned: 'You can say what came.',
    steps,
  };
  const readme = fixture('lesson.md').replace('FILLER', 'word '.repeat(300));
  const hints = fixture('hints.md');
  const stub = steps
    .map(
      ({ title }, index) =>
        `// TODO(step ${index + 1}): ${title}\nanswer(501, 'TODO(step ${index + 1}): ${title}\\n');\n`,
    )
    .join('');

  test('A right lesson has no problem', () => {
    assert.deepEqual(checkManifest(lesson, ['01-first', '02-echo']), []);
    assert.deepEqual(checkReadme(lesson, readme), []);
    assert.deepEqual(checkHints(lesson, hints), []);
    assert.deepEqual(checkStubs(lesson, [{ file: 'server.ts', text: stub }]), []);
    assert.deepEqual(
      checkSuite(
        lesson,
        steps.map(({ title }) => title),
      ),
      [],
    );
  });

  test('A region that is not written as one is no comment', () => {
    for (const line of ['// #region step 1: One', '  //  #endregion'])
      assert.throws(() => stubFrom(`a();\n${line}\n`, 'x.ts'), /^Error: x\.ts:2: /);
  });

  const inManifest: [change: Partial<Lesson>, found: string][] = [
    [{ wait: 'for nobody' } as Partial<Lesson>, 'no key "wait"'],
    [
      { steps: steps.map((step) => (step.title === 'One' ? { ...step, ask: 'x' } : step)) },
      'Step 1: there is no key "ask"',
    ],
    [{ title: '' }, '"title" is missing'],
    [{ edits: [] }, '"edits" names no file'],
    [{ needs: ['07-none'] }, 'no such lesson'],
    [{ needs: ['02-echo'] }, 'does not come before'],
    [{ steps: steps.slice(1) }, 'this one has 3'],
    [
      { steps: [...steps, ...steps].map((step, index) => ({ ...step, title: `${index}` })) },
      'this one has 8',
    ],
    [
      { steps: steps.map((step) => ({ ...step, points: step.title === 'One' ? 0.5 : 1 })) },
      'points are whole',
    ],
    [
      { steps: steps.map((step) => ({ ...step, asks: step.title === 'One' ? '' : 'x' })) },
      'does not say what it asks',
    ],
    [
      { steps: [...steps, { title: 'One', points: 1, asks: 'x' }] },
      'Two steps have the title "One"',
    ],
  ];
  for (const [change, found] of inManifest) {
    test(`Manifest: ${found}`, () =>
      findsOne(checkManifest({ ...lesson, ...change }, ['01-first', '02-echo']), found));
  }

  const inReadme: [from: string | RegExp, to: string, found: string][] = [
    ['# Echo what came', '# Echo', 'The title is "Echo what came"'],
    ['# Echo what came', '', 'begins with its title'],
    ['# Echo what came', '# Echo what came\n\n# Again', 'There is one title'],
    [
      'At the end you have a server that says what it was asked, and that no request can stop.',
      '',
      'what the reader will have',
    ],
    ['## Common slips\n\n- No end.\n', '', '"## Common slips" is missing'],
    ['- No end.', '', '"## Common slips" is empty'],
    [/```console server=stub[^]*?```/, '', '"## See the gap" has a console block'],
    [/```console server=solution[^]*?```/, 'Try.', '"## Try it by hand" has a console block'],
    [
      '## In the wild',
      '## Elsewhere\n\nText.\n\n## In the wild',
      "is not one of a lesson's sections",
    ],
    [
      /(## Common[^]*?)(## In the wild[^]*?)(?=## Check)/,
      '$2$1',
      '"## Common slips" comes before "## In the wild"',
    ],
    [
      '## Left out on purpose',
      '## See the gap\n\nText.\n\n## Left out on purpose',
      'a second section',
    ],
    ['### Step 2: Two', '### Step 2: Zwei', 'is "Step 2: Two" in the manifest'],
    ['### Step 4: Four `end`\n\nAnswer 500.\n', '', '"Step 4: Four `end`" is missing'],
    ['## Try it', '### Step 5: Five\n\nText.\n\n## Try it', 'is no step of the manifest'],
    ['Answer 404.', '', 'This step says nothing'],
    ['- No end.', '- No end.\n\n### Step 9: Nine\n\nText.', 'stands outside "## Steps"'],
    [/```mermaid[^]*?```/, '', 'has a Mermaid diagram'],
    [/```text[^]*?```/, '', 'the same content stands as text'],
    [/(```mermaid[^]*?```)([^]*?)(?=## Try)/, '$2$1\n\n', 'stands in "## The idea"'],
    ['## Steps', '```mermaid\ngraph TD\na --> b\n```\n\n## Steps', 'has one diagram'],
    [
      /<details>\n[^]*?<\/details>/,
      '',
      '3 to 5 questions, each with its answer in a <details>; here 2',
    ],
    ['<summary>How?</summary>', '', 'has no <summary>'],
    ['</summary>Now.', '</summary>', 'holds no answer'],
    ['Now.</details>', 'Now.', 'never closed'],
    ['Now.</details>', 'Now.</details></details>', 'closes nothing'],
    [/(word )+/, '', 'at least 300 words'],
    ['word ', 'word '.repeat(600), 'at most 700 words'],
    ['the router lesson', 'lesson 5', 'called by its name'],
  ];
  for (const [from, to, found] of inReadme) {
    test(`README: ${found}`, () => {
      const changed = readme.replace(from, to);
      assert.notEqual(changed, readme);
      const problems = checkReadme(lesson, changed);
      // A missing diagram leaves nothing to compare; a moved one is missing its text as well.
      assert.ok(
        problems.some(({ problem }) => problem.includes(found)),
        JSON.stringify(problems),
      );
    });
  }
  test('README: a little too long is a warning', () => {
    const problems = checkReadme(lesson, readme.replace('word ', 'word '.repeat(450)));
    findsOne(problems, 'at most 700 words');
    assert.equal(problems[0]?.warning, true);
  });

  const inHints: [from: string, to: string, found: string][] = [
    ['# Hints: Echo', '# Echo', 'The title is "Hints: Echo what came"'],
    ['## Step 2: Two', '## Step 2: Zwei', 'is "Step 2: Two" in the manifest'],
    ['3. `res.statusCode = 200;`', '', 'here there are 2'],
    ['3. `res.statusCode = 200;`', '3. Almost.\n4. All.', 'here there are 4'],
  ];
  for (const [from, to, found] of inHints)
    test(`Hints: ${found}`, () => findsOne(checkHints(lesson, hints.replace(from, to)), found));

  const inStub: [from: string, to: string, found: string][] = [
    ['// TODO(step 2): Two', '', 'here there are 0'],
    ['// TODO(step 2): Two', '// TODO(step 2): Two\n// TODO(step 2): Two', 'here there are 2'],
    ['// TODO(step 2): Two', '// TODO(step 2): Zwei', 'has the title "Zwei"'],
    ["'TODO(step 2): Two", "'TODO(step 2): Zwei", 'has the title "Zwei"'],
    ["'TODO(step 2): Two", "'TODO(step 9): Two", 'there is no step 9'],
  ];
  for (const [from, to, found] of inStub) {
    test(`Stub: ${found}`, () =>
      findsOne(checkStubs(lesson, [{ file: 'server.ts', text: stub.replace(from, to) }]), found));
  }

  test('Too few programs', () => {
    assert.deepEqual(checkCount(lesson, 'wrong', 8), []);
    findsOne(checkCount(lesson, 'wrong', 7), 'at least 8 wrong programs; this one has 7');
    findsOne(checkCount(lesson, 'valid', 2), 'at least 3 right programs');
  });

  test('Tables without the lesson, or with something else about it', () => {
    const tables: Record<string, string> = {
      'README.md': '# A\n\n| 2 | [Echo what came](lessons/02-echo/README.md) | Say what came. |\n',
      'lessons/README.md': '| 2 | [Echo what came](02-echo/README.md) | say what came |\n',
      'solutions/README.md': `| Echo what came | an hour | ${steps.length} | ${steps.length} | router |\n`,
    };
    const read = (file: string): string | undefined => tables[file];
    assert.deepEqual(checkTables(lesson, read), []);
    assert.deepEqual(
      checkTables(lesson, () => undefined),
      [],
    );
    for (const file of Object.keys(tables)) {
      findsOne(
        checkTables(lesson, (name) => (name === file ? '' : read(name))),
        'The table of lessons has no row "| ',
      );
    }
    findsOne(checkTables({ ...lesson, about: 'Say it.' }, read), '| Say it. |"');
  });

  test('Suite: other titles', () =>
    findsOne(checkSuite(lesson, ['One', 'Three']), 'The suite\'s steps are "One", "Three"'));
});

describe('Stray files', () => {
  const right = [
    'lessons/README.md',
    'lessons/02-echo/README.md',
    'lessons/02-echo/lesson.json',
    'lessons/02-echo/hints.md',
    'lessons/02-echo/server.ts',
    'lessons/02-echo/public/.hidden',
    'solutions/README.md',
    'solutions/02-echo/NOTES.md',
    'solutions/02-echo/server.ts',
    'solutions/02-echo/public/.hidden',
    'tests/02-echo.test.ts',
    'tests/kernel.test.ts',
    'tests/kernel/fixture.txt',
    'tests/loop/loop.test.ts',
    'tests/golden/loop/first.txt',
    'tests/wrong/02-echo/no-end.ts',
    'tests/valid/02-echo/two-files/server.ts',
    'tests/golden/02-echo/no-end.txt',
    'scripts/anything.ts',
  ];
  const read = (path: string): Buffer => Buffer.from(path.endsWith('.hidden') ? 'same' : path);

  test('A right tree has no problem', () => {
    assert.deepEqual(strayFiles(right, ['02-echo']), []);
    assert.deepEqual(missingFiles('02-echo', ['server.ts'], new Set(right)), []);
    assert.deepEqual(unequalFiles('02-echo', ['server.ts'], right, read), []);
  });

  for (const path of [
    'lessons/notes.txt',
    'lessons/02-echo/notes.md',
    'lessons/02-echo/server.js',
    'lessons/03-other/README.md',
    'lessons/02-echo/.DS_Store',
    'solutions/02-echo/README.md',
    'solutions/02-echo/server.ts.orig',
    'tests/03-other.test.ts',
    'tests/scratch.ts',
    'tests/scratch/x.ts',
    'tests/wrong/no-end.ts',
    'tests/golden/other/x.txt',
    'tests/wrong/03-other/no-end.ts',
    'tests/wrong/02-echo/No_End.ts',
    'scripts/x.ts~',
  ]) {
    test(`Stray: ${path}`, () => assert.equal(strayFiles([...right, path], ['02-echo']).length, 1));
  }

  test('A file that every lesson has is missed', () => {
    const problems = missingFiles(
      '02-echo',
      ['server.ts'],
      new Set(right.filter((path) => !path.endsWith('hints.md'))),
    );
    assert.deepEqual(
      problems.map(({ file }) => file),
      ['lessons/02-echo/hints.md'],
    );
    const withoutStub = new Set(right.filter((path) => path !== 'lessons/02-echo/server.ts'));
    findsOne(
      missingFiles('02-echo', ['server.ts'], withoutStub),
      '"npm run verify 2 -- --write" makes it from the solution',
    );
  });

  test('A finished file that differs is found', () => {
    findsOne(unequalFiles('02-echo', [], right, read), 'differs from solutions/02-echo/server.ts');
    findsOne(
      unequalFiles('02-echo', ['server.ts'], [...right, 'lessons/02-echo/x.ts'], read),
      'belongs in solutions/02-echo/x.ts',
    );
    findsOne(
      unequalFiles('02-echo', ['server.ts'], [...right, 'solutions/02-echo/x.ts'], read),
      'The learner does not have this file',
    );
  });

  test('A place of one machine is found', () => {
    const places = ['root/x', 'tmp/abc', 'work/main', 'home/me/x', 'Users/me/x'].map(
      (path) => `/${path}`,
    );
    places.push(
      ['C:', 'Users', 'me'].join('\\'),
      `file://${places[1]}`,
      'https://registry.' + 'npmjs.org/x',
    );
    for (const place of places) assert.equal(machineNames('x.md', `cd ${place}`).length, 1, place);
    for (const text of [
      'GET /work',
      ['a', 'tmp', 'b'].join('/'),
      '/users/42/x',
      '../../etc/passwd',
      '/root',
      '…/home/…',
    ]) {
      assert.deepEqual(machineNames('x.md', text), [], text);
    }
  });
});

describe('Headers of programs', () => {
  const wrong =
    '// Wrong: the else branch never ends. (Y-01)\n// It goes on.\n// Fails: step 2, no-answer | response-never-ended\n// Only: node >= 24\n\nimport x;\n';
  const valid = '// Right: everything in one class.\nimport x;\n';

  test('Right headers have no problem', () => {
    assert.deepEqual(checkHeader('x.ts', wrong, 'wrong', 4), []);
    assert.deepEqual(checkHeader('x.ts', wrong.replace('step 2', 'program'), 'wrong', 4), []);
    assert.deepEqual(
      checkHeader('x.ts', wrong.replace('node >= 24', 'linux | darwin'), 'wrong', 4),
      [],
    );
    assert.deepEqual(checkHeader('x.ts', valid, 'valid', 4), []);
  });

  const faults: [kind: 'wrong' | 'valid', from: string, to: string, found: string][] = [
    ['wrong', '// Wrong:', '// Bad:', 'The first line says what is wrong'],
    ['wrong', '// Wrong:', '\n// Wrong:', 'The first line says what is wrong'],
    ['wrong', '// Fails: step 2, no-answer | response-never-ended\n', '', 'where it must fail'],
    ['wrong', '// Fails:', '// Fails: step 1, x\n// Fails:', 'There is one "// Fails:" line'],
    ['wrong', 'step 2', 'step two', 'it reads "// Fails: step 2, no-answer"'],
    ['wrong', 'no-answer |', 'No answer |', 'it reads "// Fails: step 2, no-answer"'],
    ['wrong', 'step 2', 'step 5', 'There is no step 5'],
    ['wrong', 'node >= 24', 'node 24', 'it reads "// Only: node >= 24"'],
    ['valid', '// Right:', '// Good:', 'The first line says what is unusual'],
    ['valid', 'class.\n', 'class.\n// Fails: step 1, no-answer\n', 'A right program does not fail'],
  ];
  for (const [kind, from, to, found] of faults) {
    test(`${kind}: ${JSON.stringify(to || from)}`, () => {
      const problems = checkHeader(
        'x.ts',
        (kind === 'wrong' ? wrong : valid).replace(from, to),
        kind,
        4,
      );
      assert.ok(
        problems.some(({ problem }) => problem.includes(found)),
        JSON.stringify(problems),
      );
    });
  }
});

describe('Golden transcripts', () => {
  const [lesson] = allLessons();
  const exchange = {
    request: 'GET /a HTTP/1.1\nHost: 127.0.0.1:40123\n',
    response: 'HTTP/1.1 200 OK\nDate: Mon, 23 Nov 2026 06:00:00 GMT\n',
    curl: 'curl -i http://localhost:3000/a',
    before: [],
    timeline: [{ atMs: 12.3, from: 'client' as const, what: 'GET /a' }],
  };
  const step = {
    step: 1,
    title: 'One',
    status: 'fail' as const,
    diagnosis: 'no-answer',
    message: 'Nothing came within 1.0 s.',
    expected: 'a',
    actual: 'b',
    exchange,
  };
  const result = {
    schema: 'workbook/result/v1' as const,
    lesson: '',
    target: '',
    node: '',
    seed: 1,
    status: 'fail' as const,
    durationMs: 1,
    diagnosis: null,
    message: null,
    steps: [step],
  };

  test('What differs from run to run is a wildcard', () => {
    assert.ok(lesson);
    const text = transcript(lesson, result).join('\n');
    for (const line of [
      'Nothing came within … s.',
      'Host: 127.0.0.1:…',
      'Date: …',
      '… ms',
      'http://localhost:3000/a',
      'expected',
    ]) {
      assert.ok(text.includes(line), `${line} in\n${text}`);
    }
    assert.ok(transcript(lesson, result).every((line) => line.length <= 80));
  });

  test('With colour it says the same', () => {
    assert.ok(lesson);
    const coloured = transcript(lesson, result, true).join('\n');
    assert.notEqual(stripVTControlCharacters(coloured), coloured);
    assert.equal(stripVTControlCharacters(coloured), transcript(lesson, result).join('\n'));
  });
});

describe('npm run verify', { concurrency: true }, () => {
  const verify = async (
    ...args: string[]
  ): Promise<{ status: number | null; stdout: string; stderr: string }> => {
    const [node, ...words] = commandWords('verify');
    const child = spawn(node, [...words, ...args], { timeout: 60_000 });
    const [[status], stdout, stderr] = await Promise.all([
      once(child, 'close') as Promise<[number | null]>,
      readAll(child.stdout),
      readAll(child.stderr),
    ]);
    return { status, stdout, stderr };
  };

  test('It explains itself', async () => {
    const { status, stdout } = await verify('--help');
    assert.equal(status, 0);
    assert.match(stdout, /--only/);
  });

  for (const args of [
    ['99'],
    ['--nonsense'],
    ['--only', 'nonsense'],
    ['--seed', 'x'],
    ['--golden', '--seed', '2'],
  ]) {
    test(`Used wrongly: ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await verify(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.equal(stderr.trim().split('\n').length, 1);
    });
  }

  test('One lesson, one check', async () => {
    const { status, stdout } = await verify('1', '--only', 'links');
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^links\n[^]*0 problems/);
  });
});
