/** Brings a program to the point where it listens, or finds out why it never will. */
import { portInUse, readCrash } from './crash.ts';
import { boundBroken, describe, growsTooBig } from './explain.ts';
import { brief, seconds } from './exchange.ts';
import { ProgramFault, UsageError, type Failure } from './failure.ts';
import net from 'node:net';
import * as procfs from './procfs.ts';
import {
  bounds,
  freePort,
  portTaken,
  Program,
  type Listening,
  type StartOptions,
} from './program.ts';

/** How often a program is started anew because somebody else took the port in the meantime. */
const maxTries = 4;

/**
 * Starts a program and waits until it listens on its port.
 * @param prepared a process that waits at its gate already
 * @throws ProgramFault when it does not come to listen, with the reason
 */
export async function startListening(
  options: StartOptions,
  root: string,
  prepared?: Program,
): Promise<Program> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const program = prepared && !prepared.exit ? prepared : new Program(options, port);
    prepared = undefined;
    try {
      await program.go(port);
      program.sample();
      if (options.trusted) await witnessed(program);
      else await connected(program);
      if (isUp(program)) return program;
      // Taken by somebody else between our choice and its listen: not the program's fault, so try another.
      // Some say so in words of their own.
      const complains = [String(port), 'EADDRINUSE'].some((word) => program.stderr.includes(word));
      const lost = complains && program.listening.length === 0 && (await portTaken(port));
      if (lost && tries < maxTries) {
        await program.stop();
        continue;
      }
      throw new ProgramFault(await whyNot(program, root));
    } catch (error) {
      await program.stop();
      throw error;
    }
  }
}

/** Who listens on one of these is found at 127.0.0.1. */
const reachable = /^(::|(::ffff:)?(0\.0\.0\.0|127\.0\.0\.1))$/;

const onPort = (port: number) => (listening: Listening) =>
  'port' in listening && listening.port === port && reachable.test(listening.address);

const up = new WeakSet<Program>();
const isUp = (program: Program): boolean =>
  program.exit === null &&
  !program.broke &&
  (up.has(program) || program.listening.some(onPort(program.port)));

async function witnessed(program: Program): Promise<void> {
  const { port } = program;
  const right = (): boolean => program.listening.some(onPort(port));
  await program.when(() => right() || program.listening.length > 0, bounds.startMs);
  // It listens somewhere else: is anything still to come?
  if (!right() && program.listening.length > 0) await program.when(right, 250);
}

/** For a program without a witness: connects until it is let in, and looks whether it is this program that listens. */
async function connected(program: Program): Promise<void> {
  const began = performance.now();
  program.sample();
  const late = (): boolean => {
    const ms = performance.now() - began;
    return (
      ms > bounds.startMs * 2 &&
      (ms > bounds.startMs * 8 || !program.starved(began, bounds.startMs / 2))
    );
  };
  const right = ({ port }: procfs.Listener): boolean => port === program.port;
  while (!late() && !program.exit && !program.broke) {
    // To knock is cheaper than to look, which takes the system milliseconds.
    if (await accepts(program.port)) {
      // Nearly always it is the program's own process, which is found at once.
      const found = [() => [program.innerPid], () => program.processes()].some(
        (pids) => procfs.listenersOf(pids)?.some(right) ?? true,
      );
      if (found) {
        up.add(program);
        return;
      }
    }
    // The longer it takes, the less a moment more matters.
    await program.when(() => false, Math.max(5, (performance.now() - began) / 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    const over = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(500, () => over(false));
    // Where nobody listens, the system may give this side the very port, and the connection stands with itself.
    socket.once('connect', () => over(socket.localPort !== port));
    socket.once('error', () => over(false));
  });
}

/** Why a program that was started does not listen on its port. */
async function whyNot(program: Program, root: string): Promise<Failure> {
  const { port } = program;
  if (program.spawnError)
    throw new UsageError(`Node could not be started: ${program.spawnError.message}`);
  if (program.broke) return boundBroken(program);
  if (program.exit) return await whyItEnded(program, root);

  const elsewhere = program.listeners()[0];
  if (elsewhere) return listensElsewhere(elsewhere, port);

  const waited = seconds(bounds.startMs);
  const printed = brief(program.stdout || program.stderr, 200);
  const busy = program.options.trusted
    ? (await program.ping(300)) === undefined
    : (program.cpuShare(performance.now() - program.age) ?? 0) > 0.8;
  // A program that was ended for breaking a bound did not end by itself.
  if (program.broke) return boundBroken(program);
  if (program.exit) return await whyItEnded(program, root);
  if (await growsTooBig(program)) {
    program.broke = 'memory';
    return boundBroken(program);
  }
  return busy
    ? {
        diagnosis: 'never-listened-busy',
        message: `The program never reached listen(): after ${waited} s it is still running its top level, and nothing else can happen meanwhile. Look for a loop outside the handler that never ends.`,
        expected: `a server that listens on port ${port}`,
        actual: printed || 'it printed nothing',
      }
    : {
        diagnosis: 'never-listened',
        message: `The program runs, but after ${waited} s it does not listen on any port. Look for a listen() that is never called, or that waits for something that does not happen.`,
        expected: `a server that listens on port ${port}, as PORT says`,
        actual: printed || 'it printed nothing',
      };
}

function listensElsewhere(listening: Listening, port: number): Failure {
  if ('path' in listening) {
    return {
      diagnosis: 'listens-on-a-path',
      message: `The program listens on a socket file called "${brief(listening.path, 60)}", not on a TCP port. listen() takes a text that is not a number for a file's name.`,
      expected: `port ${port}, as PORT says`,
      actual: `the file ${brief(listening.path, 60)}`,
    };
  }
  if (listening.port === port) {
    return {
      diagnosis: listening.address === '::1' ? 'listens-on-ipv6-only' : 'listens-on-other-address',
      message: `The program listens on ${listening.address} only, so nobody who comes to 127.0.0.1 finds it. Leave out the host, or give '127.0.0.1'.`,
      expected: `127.0.0.1, port ${port}`,
      actual: `${listening.address}, port ${port}`,
    };
  }
  return {
    diagnosis: 'listens-on-other-port',
    message: `The program listens on port ${listening.port}, but the environment variable PORT said ${port}. Whoever starts a server chooses its port: read process.env.PORT.`,
    expected: `port ${port}`,
    actual: `port ${listening.port}`,
  };
}

async function whyItEnded(program: Program, root: string): Promise<Failure> {
  const { exit, stderr, stdout } = program;
  const crash = readCrash(stderr, root);
  const place = crash?.file
    ? `${crash.file}${crash.line ? ` line ${crash.line}` : ''}`
    : 'the program';
  const actual = crash
    ? describe(crash)
    : brief(stderr.trim() || stdout.trim(), 300) || 'it printed nothing';
  if (/JavaScript heap out of memory|Reached heap limit/.test(stderr)) {
    return {
      diagnosis: 'too-much-memory',
      message:
        'The program ran out of memory before it listened. Look for something outside the handler that grows without end.',
    };
  }
  if (crash?.kind === 'syntax') {
    const erasable = /not supported in strip-only mode|enum|namespace|parameter propert/i.test(
      crash.message,
    );
    return {
      diagnosis: 'does-not-compile',
      message: erasable
        ? `Node cannot run ${place}: ${brief(crash.message, 160)}. Only TypeScript whose types can simply be erased is used here: no enum, no namespace, no parameter properties.`
        : `Node cannot read ${place}: ${brief(crash.message, 160)}. The mistake may be on the line before.`,
      expected: 'a file that Node can read',
      actual,
    };
  }
  if (crash?.kind === 'import') {
    return {
      diagnosis: 'import-not-found',
      message: `An import cannot be resolved in ${place}: ${brief(crash.message, 200)}. Check the path, its ending (.ts) and the exported name.`,
      actual,
    };
  }
  if (crash?.code === 'EADDRINUSE') {
    const taken = portInUse(crash) ?? program.port;
    const other = taken !== program.port;
    return (await program.hadPort(taken))
      ? {
          diagnosis: 'listens-twice',
          message: `The program listens on port ${taken} and then calls listen() on it again, at ${place}. A port can be opened once.`,
          actual,
        }
      : {
          diagnosis: other ? 'listens-on-other-port' : 'port-taken',
          message: other
            ? `The program wants port ${taken}, which another program has, but the environment variable PORT said ${program.port}. Read process.env.PORT.`
            : `Another program listens on port ${taken} already. Stop it, or choose another port.`,
          expected: `port ${program.port}`,
          actual,
        };
  }
  if (crash) {
    return {
      diagnosis: 'threw-while-loading',
      message: `The program died before it listened, at ${place}: ${brief(`${crash.name}: ${crash.message}`, 160)}${
        /uv_signal_start/.test(crash.message)
          ? '. No program can listen for SIGKILL or SIGSTOP: the system asks nobody.'
          : ''
      }`,
      actual,
    };
  }
  if (exit?.signal) {
    return {
      diagnosis: 'killed-before-listening',
      message: `The program was ended by the signal ${exit.signal} before it listened.`,
      actual,
    };
  }
  if (exit?.code === 13) {
    return {
      diagnosis: 'await-never-settled',
      message:
        'The program ended before it listened: a top-level await waits for a promise that nothing can settle any more.',
      actual,
    };
  }
  if (program.drained) {
    return {
      diagnosis: 'nothing-listens',
      message:
        'The program ran to its end and nothing kept it alive: no server listens. Is listen() called?',
      expected: 'a server that listens',
      actual,
    };
  }
  const trusted = program.options.trusted;
  return {
    diagnosis: 'exited-before-listening',
    message: `The program ended by itself with exit code ${exit?.code} before it listened. ${trusted ? 'Look for a process.exit().' : 'Look for a process.exit(), or for a listen() that is never called.'}`,
    expected: 'a server that listens',
    actual,
  };
}
