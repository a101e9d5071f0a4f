/** What stands in the reports, and what is kept between runs, from results that were made up. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Papa from 'papaparse';
import { beginIn, readRun, resultsIn, type RunFile } from '../../scripts/grade/earlier.ts';
import { processTier } from '../../scripts/grade/isolation.ts';
import { reports, writeReports } from '../../scripts/grade/reports/write.ts';
import { cell } from '../../scripts/grade/reports/text.ts';
import {
  maxPoints,
  missing,
  type GradedSubmission,
  type GradeResults,
} from '../../scripts/grade/results.ts';
import { findLesson } from '../../scripts/kernel/course.ts';
import { scratch } from './run.ts';

const anatomy = findLesson('03-request-anatomy');

const submission = (name: string, more: Partial<GradedSubmission> = {}): GradedSubmission => ({
  name,
  outcome: 'graded',
  reason: null,
  points: 0,
  maxPoints: maxPoints(anatomy),
  files: {},
  lessons: [missing(anatomy, 1, 'No file of this lesson was handed in.')],
  ...more,
});

const results = (...submissions: GradedSubmission[]): GradeResults => ({
  schema: 'workbook/grade/v1',
  node: process.version,
  platform: 'here',
  seed: 1,
  isolation: processTier('linux'),
  withReference: false,
  manifestHash: '0'.repeat(64),
  startedAt: new Date(0).toISOString(),
  durationMs: 1,
  lessons: [
    {
      lesson: anatomy.name,
      title: anatomy.title,
      maxPoints: maxPoints(anatomy),
      steps: anatomy.steps.map(({ title, points }) => ({ title, points })),
    },
  ],
  submissions,
});

test('no spreadsheet takes a cell, or a part of it, for a formula', () => {
  for (const text of ['=1', '+1', '-1', '@A', '\t=1', '\r=1', '\n=1', '|x', '%x', '＝1', '＠A'])
    assert.match(cell(text), /^'/, JSON.stringify(text));
  // Where the semicolon separates, a cell begins behind it.
  assert.equal(cell('text/html;=1+1'), "text/html;'=1+1");
  assert.equal(cell('a;"=1+1"'), 'a;"\'=1+1"');
  assert.equal(cell('text/html; charset=utf-8'), 'text/html; charset=utf-8');
});

test('names that begin alike, and longer than a line, lead to different students', () => {
  const alike = 'a very long name that many people share_assignsubmission_file_'.repeat(3);
  const html = reports(results(submission(`${alike}1`), submission(`${alike}2`))).get('class.html');
  const anchors = [...(html ?? '').matchAll(/<h3 id="([^"]+)"/g)].map(([, id]) => id);
  const links = [...(html ?? '').matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(anchors).size, 2);
  assert.deepEqual(links, anchors);
});

test('what is folded on the screen is printed', () => {
  const html = reports(results(submission('ada'))).get('class.html') ?? '';
  const print = /@media print \{[^]*?\n@media screen/.exec(html)?.[0] ?? '';
  assert.match(print, /details::details-content \{ content-visibility: visible/);
  assert.match(html, /print-color-adjust: exact/);
  assert.doesNotMatch(
    html,
    /@media \(prefers-color-scheme: dark\)/,
    'light letters on white paper',
  );
});

test('the grader’s own failure is no number anywhere', () => {
  const files = reports(
    results(submission('ada', { outcome: 'grader-error', reason: 'x', points: null, lessons: [] })),
  );
  assert.match(files.get('results.json') ?? '', /"points": null/);
  for (const name of ['grades.csv', 'canvas.csv', 'moodle.csv']) {
    const rows = Papa.parse<string[]>(files.get(name) ?? '', { skipEmptyLines: true }).data;
    const row = rows.find((one) => one.includes('ada')) ?? [];
    assert.ok(row.length > 0 && !row.includes('0'), `${name}: ${row.join()}`);
  }
  assert.deepEqual(
    [...files.keys()].filter((name) => name.includes('ada')),
    [],
  );
});

test('of people who are gone no report stays, and what else lies there does', () => {
  const out = join(scratch('gone'), 'out');
  const below = (): string[] =>
    readdirSync(out, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.includes('/'));
  writeReports(results(submission('ada'), submission('bob')), out);
  assert.equal(below().filter((path) => path.includes('002-bob')).length, 7);
  writeFileSync(join(out, 'exercism/001-ada/notes.txt'), 'mine');
  assert.equal(writeReports(results(submission('carol')), out).size, 0);
  assert.deepEqual(below().sort(), [
    'classroom/001-carol.json',
    'exercism/001-ada',
    'exercism/001-ada/notes.txt',
    'exercism/001-carol',
    'exercism/001-carol/results.json',
    'gradescope/001-carol',
    'gradescope/001-carol/results.json',
    'prairielearn/001-carol',
    'prairielearn/001-carol/results.json',
  ]);
});

test('nothing of a run that is over counts for the next, whatever its file says', () => {
  const keep = join(scratch('kept'), 'out/.kept');
  const run: RunFile = {
    schema: 'workbook/grade-run/v1',
    seed: 1,
    manifestHash: '',
    referenceHash: '',
    withReference: false,
    tier: 'process',
    node: process.version,
    lessons: [],
  };
  mkdirSync(keep, { recursive: true });
  writeFileSync(join(keep, 'run.json'), '{ "schema": "work');
  writeFileSync(join(keep, 'somebody.json'), '{}');
  writeFileSync(join(keep, 'notes.txt'), 'mine');
  beginIn(keep, run, true);
  assert.deepEqual(readdirSync(keep).sort(), ['notes.txt', 'run.json']);
  assert.deepEqual(readRun(join(keep, 'run.json')), run);
  writeFileSync(join(keep, 'somebody.json'), '{}');
  beginIn(keep, run, false);
  assert.ok(existsSync(join(keep, 'somebody.json')));
  const ours = '"schema": "workbook/grade/v1"';
  for (const text of ['null', '[]', `{ ${ours} }`, `{ ${ours}, "submissions": [null] }`, '{'])
    assert.equal(
      (writeFileSync(join(keep, 'other'), text), resultsIn(join(keep, 'other'))),
      undefined,
    );
});
