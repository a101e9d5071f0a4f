/** `class.html`: one page with nothing from elsewhere, to read and to print. */
import { createHash } from 'node:crypto';
import type { ExchangeResult } from '../../kernel/result.ts';
import type { GradedSubmission, GradeResults } from '../results.ts';
import { clean, nameOf } from './text.ts';

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const h = (text: string): string =>
  clean(text).replace(/[&<>"']/g, (letter) => escapes[letter] ?? letter);

export const exchangeLines = (exchange: ExchangeResult): string =>
  clean(`${exchange.request}\n\n${exchange.response}`);

const style = `
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c1c1c; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; font-size: .85rem; } th, td { border: 1px solid #c9c9c9; padding: .25rem .5rem; text-align: right; }
th:first-child, td:first-child, .text { text-align: left; } thead th { vertical-align: bottom; background: #f3f3f3; }
.full { background: #d9f0df; } .part { background: #fdf3d1; } .none { background: #f9dcdc; } .other { background: #e4e4e4; }
.bar { background: #e4e4e4; width: 16rem; height: .9rem; display: inline-block; vertical-align: middle; } .bar i { background: #2f7d4f; height: 100%; display: block; }
pre { background: #f6f6f6; padding: .6rem; overflow-x: auto; font-size: .8rem; } .grid { overflow-x: auto; }
details { margin: .4rem 0; } dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem; } dt { font-weight: 600; } dd { margin: 0; }
.bar i, .full, .part, .none, .other, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
@media print { body { margin: 0; max-width: none; font-size: 12px; } .grid { overflow: visible; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
details::details-content { content-visibility: visible; block-size: auto; } details > summary { list-style: none; } h2, h3, tr { break-after: auto; break-inside: avoid; } h2, h3 { break-after: avoid; } }
@media screen and (prefers-color-scheme: dark) { body { background: #161616; color: #e8e8e8; } thead th, pre, .bar { background: #2a2a2a; } .full { background: #1f4a2f; } .part { background: #54471a; } .none { background: #5a2626; } .other { background: #333; } }
`;

function grid(results: GradeResults): string {
  const head = results.lessons
    .map(({ lesson, maxPoints }) => `<th scope="col">${h(lesson)}<br>of ${maxPoints}</th>`)
    .join('');
  const body = results.submissions
    .map((submission) => {
      const cells = results.lessons.map(({ lesson }) => {
        const found = submission.lessons.find((one) => one.lesson === lesson);
        if (submission.outcome !== 'graded' || !found) return '<td class="other">–</td>';
        const kind = found.points === found.maxPoints ? 'full' : found.points > 0 ? 'part' : 'none';
        return `<td class="${kind}">${found.points}${found.verdict === 'missing' ? ' (missing)' : found.verdict === 'program-failed' ? ' !' : ''}</td>`;
      });
      const total =
        submission.outcome === 'graded' ? `${submission.points}` : h(submission.outcome);
      return `<tr><td><a href="#${anchor(submission)}">${h(nameOf(submission))}</a></td>${cells.join('')}<td>${total}</td></tr>`;
    })
    .join('\n');
  return `<div class="grid"><table><thead><tr><th scope="col">Submission</th>${head}<th scope="col">Points</th></tr></thead><tbody>\n${body}\n</tbody></table></div>
<p>"!" means that a program crashed, hung or took too much. "–" means that there is no mark.</p>`;
}

/** Where a student's part begins: names can be long, and begin alike. */
const anchor = (submission: GradedSubmission): string =>
  `s-${createHash('sha256').update(submission.name).digest('hex').slice(0, 32)}`;

function passRates(results: GradeResults): string {
  const counted = results.submissions.filter((submission) => submission.outcome === 'graded');
  const rows = results.lessons.flatMap(({ lesson, steps }) =>
    steps.map(({ title }, index) => {
      const passed = counted.filter(
        (submission) =>
          submission.lessons.find((one) => one.lesson === lesson)?.steps[index]?.status === 'pass',
      ).length;
      const share = counted.length > 0 ? Math.round((100 * passed) / counted.length) : 0;
      return `<tr><td>${h(lesson)} step ${index + 1}: ${h(title)}</td><td>${passed} of ${counted.length}</td><td class="text"><span class="bar" role="img" aria-label="${share} %"><i style="width:${share}%"></i></span> ${share} %</td></tr>`;
    }),
  );
  return `<table><thead><tr><th scope="col">Step</th><th scope="col">Passed</th><th scope="col" class="text">Share</th></tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

function commonDiagnoses(results: GradeResults): string {
  const counts = new Map<string, { count: number; message: string }>();
  for (const { lesson, diagnosis, message, steps } of results.submissions.flatMap(
    (submission) => submission.lessons,
  )) {
    for (const one of [{ diagnosis, message: message ?? '' }, ...steps]) {
      if (!one.diagnosis || one.diagnosis === 'missing') continue;
      const key = `${lesson}: ${one.diagnosis}`;
      counts.set(key, { count: (counts.get(key)?.count ?? 0) + 1, message: one.message });
    }
  }
  const rows = [...counts]
    .sort((a, b) => b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1))
    .slice(0, 15);
  if (rows.length === 0) return '<p>None.</p>';
  return `<table><thead><tr><th scope="col">Diagnosis</th><th scope="col">How often</th><th scope="col" class="text">For example</th></tr></thead><tbody>\n${rows
    .map(
      ([id, { count, message }]) =>
        `<tr><td>${h(id)}</td><td>${count}</td><td class="text">${h(message)}</td></tr>`,
    )
    .join('\n')}\n</tbody></table>`;
}

function student(submission: GradedSubmission): string {
  const title = `<h3 id="${anchor(submission)}">${h(nameOf(submission))}</h3>`;
  if (submission.outcome !== 'graded')
    return `<section class="student">${title}<p>${h(submission.outcome)}: ${h(submission.reason ?? '')}</p></section>`;
  const lessons = submission.lessons.map((lesson) => {
    const failing = lesson.steps.filter((step) => step.status === 'fail');
    const notes = [
      ...(lesson.message ? [`<p>${h(lesson.message)}</p>`] : []),
      ...failing.map(
        (step) =>
          `<p><b>Step ${step.step}, ${h(step.title)}</b> (${h(step.diagnosis ?? '')}): ${h(step.message)}</p>${step.exchange ? `<pre>${h(exchangeLines(step.exchange))}</pre>` : ''}`,
      ),
      ...(lesson.tries.length > 1
        ? [
            `<p>Tried twice, for a wait ran out: ${lesson.tries.map(({ points, diagnosis }) => `${points} points (${h(diagnosis ?? 'pass')})`).join(', then ')}.</p>`,
          ]
        : []),
    ];
    const summary = `${h(lesson.lesson)}: ${lesson.points} of ${lesson.maxPoints}`;
    return notes.length > 0
      ? `<details><summary>${summary}</summary>${notes.join('\n')}</details>`
      : `<p>${summary}</p>`;
  });
  return `<section class="student">${title}<p>${submission.points} of ${submission.maxPoints} points</p>\n${lessons.join('\n')}</section>`;
}

export function classHtml(results: GradeResults): string {
  const { isolation } = results;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Grades</title><style>${style}</style></head><body>
<h1>Grades of ${results.submissions.length} submissions</h1>
<dl><dt>Isolation</dt><dd>${h(isolation.tier)}: ${h(isolation.keeps.join('; '))}.${isolation.lacks.length > 0 ? ` Not kept apart: ${h(isolation.lacks.join('; '))}.` : ''}</dd>
<dt>Seed</dt><dd>${results.seed}</dd><dt>Node</dt><dd>${h(results.node)} on ${h(results.platform)}</dd><dt>Manifest</dt><dd>${h(results.manifestHash.slice(0, 16))}</dd></dl>
<h2>The class</h2>
${grid(results)}
<h2>How many pass each step</h2>
${passRates(results)}
<h2>The commonest diagnoses</h2>
${commonDiagnoses(results)}
<h2>Each student</h2>
${results.submissions.map(student).join('\n')}
</body></html>
`;
}
