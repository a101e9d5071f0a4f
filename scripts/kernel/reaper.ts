/**
 * Ends every program that this process started, also when this process is killed and can't.
 * A few hundred kilobytes of `sh` wait on a pipe; when the pipe closes, what is still listed dies.
 */
import { spawn, type ChildProcess } from 'node:child_process';

const script = `
list=' '
while read -r verb group; do
  case $verb in
    add) list="$list$group " ;;
    del) case $list in *" $group "*) list="\${list%%" $group "*} \${list#*" $group "}" ;; esac ;;
  esac
done
for group in $list; do kill -s KILL -- "-$group" 2>/dev/null; done
`;

let reaper: ChildProcess | undefined;

function tell(line: string): void {
  if (process.platform === 'win32') return; // There the broken pipe ends the program: see witness.mjs.
  if (!reaper) {
    reaper = spawn('/bin/sh', ['-c', script], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: {},
    });
    reaper.on('error', () => {});
    reaper.stdin?.on('error', () => {});
    reaper.unref();
    (reaper.stdin as { unref?: () => void } | null)?.unref?.();
  }
  reaper.stdin?.write(line);
}

/** From now on the process group is ended when this process is. */
export const adopt = (group: number): void => tell(`add ${group}\n`);

/** The process group is gone; its number may be used again by others. */
export const release = (group: number): void => tell(`del ${group}\n`);

/**
 * Sends a signal; 0 only asks whether somebody is there.
 * @returns false when there is nobody to get it: a process may end at any moment
 */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Ends a process group at once: the program and all that it started and did not detach. */
export function killGroup(group: number): void {
  if (group < 2) return; // It never started.
  try {
    if (process.platform === 'win32') {
      spawn('taskkill', ['/pid', String(group), '/t', '/f'], { stdio: 'ignore' }).on(
        'error',
        () => {},
      );
    } else process.kill(-group, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

/** Ends a child and its process group, and waits until the child is gone. */
export async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  killGroup(child.pid);
  await gone;
}
