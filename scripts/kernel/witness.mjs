// Loaded into the learner's process before their program, where the program is the learner's own.
// It holds the program at a gate until the kernel says go, and tells the kernel over file descriptor 3
// what happens inside: what listens, whether anything is still to be done, how the process ends. The kernel's
// own words come over file descriptor 4: said to a process that has just died, they must not lose its last ones.
// It changes nothing that a program can see but PORT and the environment that the kernel sends, the folder it runs in, and
// process.execArgv, which holds this file no more.
import { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import module from 'node:module';
import net from 'node:net';
import v8 from 'node:v8';
import { isMainThread } from 'node:worker_threads';

const toKernel = 3;
const fromKernel = 4;

/** @param {Record<string, unknown>} message */
const tell = (message) => {
  try {
    fs.writeSync(toKernel, JSON.stringify(message) + '\n');
  } catch {
    // The kernel is gone, or its pipe is full: there is nobody to tell.
  }
};

/** Pending work after which something may still go wrong; sockets and servers merely wait for the client. */
const work = () =>
  process
    .getActiveResourcesInfo()
    .filter(
      (name) =>
        !/Server|Socket|Pipe|TTY|HTTP|Shutdown|WriteWrap|ConnectWrap|FSEvent|Signal|MessagePort|FileHandle/.test(
          name,
        ),
    ).length;

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...args) {
  this.prependOnceListener('listening', () => tell({ listening: this.address() }));
  return Reflect.apply(listen, this, args);
};

const { spawn } = ChildProcess.prototype;
ChildProcess.prototype.spawn = function (...args) {
  const result = Reflect.apply(spawn, this, args);
  if (this.pid) tell({ child: this.pid });
  return result;
};

// A process that the program forks is none of the kernel's, and would wait at this gate for good.
const own = process.execArgv.findIndex((word) => word.endsWith('/witness.mjs'));
if (own > 0) process.execArgv.splice(own - 1, 2);

// So would a thread of the program's: it takes the options over, and only tells what it listens on.
if (isMainThread) await gate();

async function gate() {
  process.on('uncaughtExceptionMonitor', (_error, origin) => tell({ dying: origin }));
  process.once('beforeExit', () => tell({ drained: true }));

  /** The untouched listen: the kernel must not take this port for the learner's. @param {net.Server} server */
  const listenUnseen = (server) => Reflect.apply(listen, server, [0, '127.0.0.1']);
  const over = new AbortController();
  let rehearsing = Promise.resolve();

  const line = new net.Socket({ fd: fromKernel, readable: true, writable: false });
  line.on('error', () => {});
  // When the kernel dies, however it dies, so does the program.
  line.on('close', () => process.kill(process.pid, 'SIGKILL'));

  // Load the type stripper now, not while the learner waits.
  if (process.features.typescript) module.stripTypeScriptTypes?.('let warm: number = 1');

  await new Promise((go) => {
    let text = '';
    line.setEncoding('utf8');
    line.on('data', (data) => {
      text += data;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end));
        text = text.slice(end + 1);
        if (message.go) {
          over.abort();
          void rehearsing.then(() => {
            Object.assign(process.env, message.go);
            if (message.cwd !== process.cwd()) process.chdir(message.cwd);
            line.unref();
            go(undefined);
          });
        } else if (message.rehearse) {
          rehearsing = import('./rehearsal.mjs')
            .then(({ rehearse }) =>
              rehearse(listenUnseen, (port) => tell({ rehearsing: port }), over.signal),
            )
            // Without it the verdict takes longer, and nothing else.
            .catch(() => {});
        } else if (message.rehearse === false) {
          over.abort();
        } else if (message.cover) {
          // Before it is killed: a killed process writes no coverage of its own accord.
          v8.takeCoverage();
          tell({ pong: message.cover, work: 0 });
        } else if (message.ping) tell({ pong: message.ping, work: work() });
      }
    });
    tell({ atGate: true });
  });
}
