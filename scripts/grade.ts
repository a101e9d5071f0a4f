/** `npm run grade DIR`: a folder of submissions, marks that can be trusted. */
import { gradeCommand } from './grade/command.ts';
import { exitWith } from './show/exit.ts';

// A stranger's program may send it: Node would open its inspector, and whoever speaks to that runs code here.
process.on('SIGUSR1', () => {});

await exitWith(() => gradeCommand(process.argv.slice(2)));
