/** `npm run lesson`: the one command that a learner needs. */
import { parseArgs } from 'node:util';
import { UsageError } from './kernel/failure.ts';
import { exitWith } from './show/exit.ts';

const usage = `npm run lesson                  go on where you are
npm run lesson 5                check lesson 5, and again on every save; also "router" or "05-router"
npm run lesson list             every lesson and step, done or not
npm run lesson hint 5           the next hint for the step that fails; again for the one after
npm run lesson solution 5       the reference beside your file, as a diff
npm run lesson reset 5          the stub again; your file is kept aside
npm run lesson serve 5          your server on port 3000, restarted on save

Flags come after "--", as in "npm run lesson 5 -- --once":
  --once          check once and exit (so it is without a terminal)
  --json          the verdict as one JSON object
  --target DIR    check another folder shaped like lessons/, such as solutions
  --seed N        the same values as in an earlier run
  --yes           answer yes where a command asks
  --poll          look for saves by polling, where watching does not work
  --help          this text

Exit status: 0 all steps pass; 1 a step fails; 2 the command was used wrongly, or something outside your code failed.`;

const options = {
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  target: { type: 'string' },
  seed: { type: 'string' },
  yes: { type: 'boolean' },
  poll: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parse(): ReturnType<
  typeof parseArgs<{ options: typeof options; allowPositionals: true }>
> {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(
      `${why.replace(/\.$/, '')}. "npm run lesson -- --help" shows what there is.`,
    );
  }
}

/** A seed as it was given. @throws UsageError unless it is a whole number */
function seedOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new UsageError(`--seed takes a whole number, not "${text}".`);
  return Number(text);
}

await exitWith(async () => {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [first = '', second, third] = positionals;
  const commands = ['list', 'hint', 'solution', 'reset', 'serve'];
  const known = commands.includes(first);
  const extra = known ? third : second;
  if (extra !== undefined)
    throw new UsageError(
      `"${extra}" is one word too many. "npm run lesson -- --help" shows what there is.`,
    );
  const flags = { ...values, seed: seedOf(values.seed) };
  switch (first) {
    case 'list':
      return (await import('./lesson/list.ts')).list(flags);
    case 'hint':
      return (await import('./lesson/hint.ts')).hint(second, flags);
    case 'solution':
      return (await import('./lesson/solution.ts')).solution(second, flags);
    case 'reset':
      return (await import('./lesson/reset.ts')).reset(second, flags);
    case 'serve':
      return (await import('./lesson/serve.ts')).serve(second, flags);
    default:
      return (await import('./lesson/check.ts')).check(first || undefined, flags);
  }
});
