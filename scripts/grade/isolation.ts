/**
 * How strangers' programs are kept apart from the grader, in two tiers. Which one is in force is found out at the start and
 * stands in every report.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { needsWorker, stripper, withLoader } from './loading.ts';

export type Tier = 'namespaces' | 'process';

export interface Isolation {
  tier: Tier;
  /** What it keeps apart, in words for the report. */
  keeps: string[];
  /** What it does not. */
  lacks: string[];
}

const quiet = { stdio: 'ignore', timeout: 10_000 } as const;
const works = (command: string, args: string[]): boolean =>
  spawnSync(command, args, quiet).status === 0;

/** The words that put a worker into user, network, PID and mount namespaces of its own, with loopback up. */
export const workerWords = [
  'unshare',
  '--user',
  '--map-root-user',
  '--net',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--ipc',
  '--uts',
  '/bin/sh',
  '-c',
  'ip link set lo up && exec "$@"',
  'sh',
];

/**
 * A program's /proc made read only, in shell: through it a program could change the kernel, and a later one would feel it or,
 * where the grader was started as root, the whole machine.
 */
const guardProc = 'mount -o remount,bind,ro,nosuid,nodev,noexec /proc || exit 126';

/** Finds out which tier this machine can hold. */
export function findIsolation(wanted?: Tier): Isolation {
  const able =
    process.platform === 'linux' &&
    wanted !== 'process' &&
    works(workerWords[0] ?? '', [
      ...workerWords.slice(1),
      '/bin/sh',
      '-c',
      `${guardProc}; mount -t tmpfs tmpfs /mnt && setpriv --bounding-set=-all --no-new-privs true && prlimit --nofile=256 true`,
    ]);
  if (able) {
    return {
      tier: 'namespaces',
      keeps: [
        'processes: a PID namespace for each program, with a /proc of its own, whose settings are read only; nothing in it outlives its run',
        'files: a root of its own that holds the submission and what Node needs, read only; no solutions, no tests, no other submission',
        'network: loopback only, apart from the machine, a new one for each submission',
        'rights: no capabilities, none to be had',
        'limits: memory (by watching), output, open files, file sizes, time',
      ],
      lacks: [
        'a fault of the Linux kernel itself',
        ...(process.getuid?.() === 0
          ? ['the number of processes (started as root, the limit does not bind)']
          : []),
      ],
    };
  }
  return processTier(process.platform);
}

/** The second tier, as far as it goes on a system: only Linux tells how much memory a program has. */
export function processTier(platform: NodeJS.Platform): Isolation {
  const tellsMemory = platform === 'linux';
  return {
    tier: 'process',
    keeps: [
      'processes: a process group of its own, ended after each run',
      "files: Node's permission model, which reads the submission only",
      'environment: an allow-list',
      `limits: ${tellsMemory ? 'memory, ' : ''}output and time, by watching`,
    ],
    lacks: [
      'network',
      'signals to other processes of the same user',
      ...(tellsMemory ? [] : ["memory, but for that of Node's own heap"]),
      'whatever gets round the permission model, which Node itself calls a seat belt and no sandbox',
      ...(needsWorker
        ? ['workers of this old Node, which the loader needs, but by taking the names away']
        : []),
    ],
  };
}

/** Limits that the system holds by itself, in a sandbox. */
const limits = [
  'prlimit',
  '--core=0',
  '--nofile=1024',
  '--fsize=16777216',
  '--nproc=512',
  '--cpu=120',
];

/** Of `/dev` there is no more in the sandbox; read only, for their own permissions could be changed through it. */
const devices = ['null', 'zero', 'urandom', 'random'];

/** What Node and the sandbox's own commands need of the system. */
const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/ld.so.cache'];

/**
 * Builds the root that a submission's programs see, below `root`. Run inside the worker's namespaces.
 * @param hidden folders that are empty in it where they lie in one that the system needs
 */
export function buildRoot(
  root: string,
  stage: string,
  hidden: string[],
  folders = systemFolders,
): void {
  const node = realpathSync(process.execPath);
  const there = (paths: string[]): string[] => paths.filter((path) => existsSync(path));
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  const needed = there(folders);
  const inside = needed.map((path) => `${realpathSync(path)}/`);
  const covered = there(hidden).filter((path) => inside.some((folder) => path.startsWith(folder)));
  const shell = (script: string, ...args: string[]): void =>
    void execFileSync('/bin/sh', ['-c', `set -e\nroot=$1; shift\n${script}`, 'sh', root, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });

  mkdirSync(root, { recursive: true });
  shell(`
umount -R -l "$root" 2>/dev/null || :
mount -t tmpfs -o size=8m,mode=755 tmpfs "$root"
mkdir "$root/proc" "$root/tmp" "$root/dev"
mount -t tmpfs -o size=32m,mode=1777 tmpfs "$root/tmp"`);
  for (const device of devices) writeFileSync(join(root, 'dev', device), '');
  for (const path of needed) {
    const place = join(root, path);
    mkdirSync(dirname(place), { recursive: true });
    if (isLink(path)) symlinkSync(readlinkSync(path), place);
    else if (statSync(path).isDirectory()) mkdirSync(place, { recursive: true });
    else writeFileSync(place, '');
  }
  // Each program that is started takes milliseconds, and this is done for every submission: mount binds and restricts in one.
  shell(
    `
restrict() {
  mount -o "bind,ro,nosuid,$2" "$1" "$root$1" 2>/dev/null && return
  # An ordinary user may not take away what the system's own mount allows.
  mountpoint -q "$root$1" || mount --bind "$1" "$root$1"
  mount -o remount,bind,ro,nosuid "$root$1" 2>/dev/null || mount -o remount,bind,ro "$root$1"
}
for device in ${devices.join(' ')}; do restrict "/dev/$device" noexec || :; done
verb=need
for path in "$@"; do
  case "$path" in
    --hide) verb=hide; continue;;
    --show) verb=show; continue;;
  esac
  case "$verb" in
    hide)
      [ ! -d "$root$path" ] || mount -t tmpfs -o size=1m,mode=755 tmpfs "$root$path"
      continue;;
    show)
      case "$path" in /usr/*|/bin/*|/lib/*) [ ! -e "$root$path" ] || continue;; esac
      if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root\${path%/*}"; : > "$root$path"; fi;;
  esac
  restrict "$path" nodev
done
verb=
for path in "$@"; do
  case "$path" in --hide) verb=hide; continue;; --show) break;; esac
  [ -z "$verb" ] || ! mountpoint -q "$root$path" || mount -o remount,bind,ro "$root$path"
done
mount -o remount,bind,ro "$root"`,
    ...needed.filter((path) => !isLink(path)),
    '--hide',
    ...covered,
    '--show',
    ...there([node, stage, stripper]),
  );
}

/** The words around Node's own that keep a program inside `root`. A small shell is process 1, so that signals mean what they mean outside. */
export function inRoot(root: string, stage: string): (node: string[]) => string[] {
  return ([node = '', ...words]) => [
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--ipc',
    '--uts',
    `--root=${root}`,
    '--mount-proc',
    '/bin/sh',
    '-c',
    `${guardProc}; cd "$1" && shift && "$@" & wait $!`,
    'sh',
    stage,
    ...limits,
    'setpriv',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--no-new-privs',
    node,
    ...withLoader(stage, words),
  ];
}

/** Node's permission model around a program that may read its own folder and nothing else. */
export function withPermissions(stage: string): (node: string[]) => string[] {
  const major = Number(process.versions.node.split('.')[0]);
  const flag = major < 23 ? '--experimental-permission' : '--permission';
  const readable = [stage, stripper, dirname(realpathSync(process.execPath))];
  return ([command = '', ...args]) => [
    command,
    flag,
    ...readable.map(
      (path) =>
        `--allow-fs-read=${existsSync(path) && !/\.\w+$/.test(path) ? join(path, '*') : path}`,
    ),
    ...(needsWorker ? ['--allow-worker', '--disable-warning=SecurityWarning'] : []),
    ...(major >= 25 ? ['--allow-net'] : []),
    ...(major >= 24 ? ['--disable-sigusr1'] : []),
    ...withLoader(stage, args),
  ];
}
