/** What the system knows of a process. Linux tells all of it; elsewhere a figure is `undefined`. */
import { closeSync, existsSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const room = Buffer.allocUnsafe(64 * 1024);

/** A file without a size, such as all of /proc: readFileSync would allocate anew for each, and thousands are read. */
const read = (path: string): string | undefined => {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    let text = '';
    for (;;) {
      const count = readSync(fd, room, 0, room.length, null);
      if (count === 0) return text;
      text += room.toString('latin1', 0, count);
    }
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
};

/** Whether this system tells. */
export const known = existsSync('/proc/self/status');

/** Resident memory in bytes. */
export function memory(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

const statFields = (path: string): string[] | undefined => {
  const stat = read(path);
  // The name, in parentheses, may hold spaces; the fields after it do not.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
};

/** When the process began, in the system's own units. */
export function began(pid: number): number | undefined {
  const fields = statFields(`/proc/${pid}/stat`);
  return fields && Number(fields[19]);
}

/** Processor time used so far in ms (user and system). */
export function cpuMs(pid: number): number | undefined {
  const fields = statFields(`/proc/${pid}/stat`);
  return fields && (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Whether more threads of this machine want a processor than it has. */
export function crowded(): boolean {
  const wanting = Number(/^\S+ \S+ \S+ (\d+)\//.exec(read('/proc/loadavg') ?? '')?.[1] ?? 0);
  return wanting > availableParallelism() + 1;
}

const threads = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  } catch {
    return [];
  }
};

/** How long the process's threads have wanted a processor and got none, added up, in ms, since they began. */
export function queuedMs(pid: number): number | undefined {
  let nanoseconds: number | undefined;
  for (const thread of threads(pid)) {
    const queued = read(`${thread}/schedstat`)?.split(' ')[1];
    if (queued !== undefined) nanoseconds = (nanoseconds ?? 0) + Number(queued);
  }
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

/** Whether one of its threads waits for the disk at this moment. */
export function waitsForDisk(pid: number): boolean {
  return threads(pid).some((thread) => statFields(`${thread}/stat`)?.[0] === 'D');
}

/** What the process has open: paths, `socket:[…]`, `pipe:[…]`. */
export function openFiles(pid: number): string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return undefined;
  }
}

export interface Listener {
  /** In the kernel's notation: `127.0.0.1`, `0.0.0.0`, `::`, `::1` or another. */
  address: string;
  port: number;
  inode: string;
}

function addressOf(hex: string): string {
  if (hex === '00000000') return '0.0.0.0';
  if (hex === '0100007F') return '127.0.0.1';
  if (/^0{32}$/.test(hex)) return '::';
  if (hex === '00000000000000000000000001000000') return '::1';
  return hex;
}

/** Every TCP socket that listens on this machine (in this network namespace). */
export function listeners(): Listener[] | undefined {
  const tables = [read('/proc/net/tcp'), read('/proc/net/tcp6')];
  if (tables[0] === undefined) return undefined;
  return tables.flatMap((table) =>
    (table ?? '')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A')
      .map((fields) => {
        const [hex = '', port = '0'] = (fields[1] ?? '').split(':');
        return { address: addressOf(hex), port: parseInt(port, 16), inode: fields[9] ?? '' };
      }),
  );
}

/** What some processes listen on. They are looked for only where anybody listens at all. */
export function listenersOf(pids: () => number[]): Listener[] | undefined {
  const all = listeners();
  if (!all || all.length === 0) return all;
  const own = new Set(pids().flatMap((pid) => openFiles(pid) ?? []));
  return all.filter((listener) => own.has(`socket:[${listener.inode}]`));
}

/**
 * Every process that carries the mark in its environment, or belongs to the process group.
 * @param since those that began before it can't: see `began`
 */
export function marked(mark: string, group: number, since = 0): number[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const fields = statFields(`/proc/${pid}/stat`);
    if (!fields) continue;
    if (fields[0] === 'Z' || fields[0] === 'X' || Number(fields[19]) < since) continue;
    if (Number(fields[2]) === group || read(`/proc/${pid}/environ`)?.includes(mark))
      found.push(pid);
  }
  return found;
}

export const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** Resident memory of a process and all below it, in bytes; undefined where the system doesn't tell. */
export function memoryBelow(pid: number): number | undefined {
  const own = memory(pid);
  if (own === undefined) return undefined;
  const children = read(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ') ?? [];
  return children
    .filter(Boolean)
    .reduce((sum, child) => sum + (memoryBelow(Number(child)) ?? 0), own);
}

/** The first process at or below `pid` that runs this executable. */
export function innermost(pid: number, executable: string): number | undefined {
  if (read(`/proc/${pid}/cmdline`)?.split('\0')[0] === executable) return pid;
  const children =
    read(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ').filter(Boolean) ?? [];
  for (const child of children) {
    const found = innermost(Number(child), executable);
    if (found !== undefined) return found;
  }
  return undefined;
}
