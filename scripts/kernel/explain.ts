/** Finds out why a request got no whole response: what the program was doing, or how it died. */
import { Connection } from './connection.ts';
import { portInUse, readCrash, type Crash } from './crash.ts';
import { bounds, type Program } from './program.ts';
import { brief, seconds, type Exchange, type Outcome } from './exchange.ts';
import type { Failure } from './failure.ts';

interface Scene {
  trusted: boolean;
  /** The folder that holds the learner's files. */
  root: string;
}

export interface Explanation {
  kind: Outcome | 'crashed' | 'event-loop-blocked' | 'too-much-memory' | 'too-much-output';
  failure: Failure;
}

/** How long the end of a dying process is waited for, in ms. */
const dyingMs = 800;
const pingMs = 300;
/** Who is bigger than `fromBytes`, and by `stepBytes` bigger at one of `looks` looks, still grows. */
const growing = {
  fromBytes: 80 * 1024 * 1024,
  stepBytes: 1024 * 1024,
  looks: 2,
  everyMs: 50,
  limitMs: 20_000,
};

/** @param exchange one whose outcome is not `answered` */
export async function explain(
  exchange: Exchange,
  program: Program,
  scene: Scene,
): Promise<Explanation> {
  const { outcome } = exchange;
  const request = `${exchange.method} ${brief(exchange.target || '/', 60)}`;
  if (outcome !== 'not-http' && outcome !== 'response-endless') {
    const quiet = outcome === 'no-answer' || outcome === 'response-never-ended';
    // A dying program answers no ping, but may take its time to print what it died of.
    const alive = quiet || (program.options.trusted && (await program.ping(dyingMs)) !== undefined);
    if (!alive) await program.when(() => program.exit !== null, dyingMs);
  }
  if (program.broke)
    return { kind: `too-much-${program.broke}`, failure: { ...boundBroken(program), exchange } };
  if (program.exit && !program.ended) {
    return { kind: 'crashed', failure: await explainDeath(program, scene, exchange, request) };
  }
  const waited = seconds(exchange.limitMs);
  switch (outcome) {
    case 'no-answer':
    case 'response-never-ended': {
      const blocked = await isBlocked(program, exchange);
      if (await growsTooBig(program)) program.broke ??= 'memory';
      if (program.broke)
        return {
          kind: `too-much-${program.broke}`,
          failure: { ...boundBroken(program), exchange },
        };
      if (program.exit && !program.ended)
        return { kind: 'crashed', failure: await explainDeath(program, scene, exchange, request) };
      if (blocked) {
        return {
          kind: 'event-loop-blocked',
          failure: {
            diagnosis: 'event-loop-blocked',
            message: `The event loop is blocked: since ${request} the program answered nothing for ${waited} s, and its one thread is still busy. Look for a loop that never ends, or for work that waits without letting go.`,
            expected: 'a response',
            actual: `nothing within ${waited} s${share(program, exchange)}`,
            exchange,
          },
        };
      }
      if (outcome === 'no-answer') {
        return {
          kind: outcome,
          failure: {
            diagnosis: 'no-answer',
            message: `${request} got no answer: the server took the request and never sent a response. Either some path through your code does not reach res.end(), or no listener of yours got the request.`,
            expected: 'a response',
            actual: `nothing within ${waited} s; the connection is still open`,
            exchange,
          },
        };
      }
      return {
        kind: outcome,
        failure: {
          diagnosis: 'response-never-ended',
          message: `The response to ${request} began and never ended, so the client goes on waiting. Every response needs its res.end(), and as many bytes as its Content-Length says.`,
          expected: 'the end of the response',
          actual: exchange.note,
          exchange,
        },
      };
    }
    case 'response-endless':
      return {
        kind: outcome,
        failure: {
          diagnosis: 'response-endless',
          message: `The response to ${request} never ends: the server keeps writing. It began with ${JSON.stringify(brief(exchange.message?.body.subarray(0, 60).toString('utf8') ?? '', 40))}.`,
          expected: 'a response that ends',
          actual: exchange.note,
          exchange,
        },
      };
    case 'refused':
      return { kind: outcome, failure: stoppedListening(request, exchange) };
    case 'not-http':
      return {
        kind: outcome,
        failure: {
          diagnosis: 'not-http',
          message: `What came back for ${request} is not an HTTP response. ${capital(exchange.note ?? '')}.`,
          expected: 'a response that begins with a status line such as HTTP/1.1 200 OK',
          actual: brief(exchange.received.toString('utf8'), 200),
          exchange,
        },
      };
    default:
      if (await isRefused(program.port))
        return { kind: 'refused', failure: stoppedListening(request, exchange) };
      return {
        kind: outcome,
        failure: {
          diagnosis: exchange.received.length > 0 ? 'response-cut' : 'connection-closed',
          message:
            exchange.received.length > 0
              ? `The connection was closed in the middle of the response to ${request}: the server still runs, but the response is not whole.`
              : `The server closed the connection without answering ${request}. It still runs; something destroyed the socket or the response.`,
          expected: 'a whole response',
          actual:
            exchange.note ??
            `the connection was ${outcome === 'connection-reset' ? 'reset' : 'closed'} after ${exchange.received.length} bytes`,
          exchange,
        },
      };
  }
}

const stoppedListening = (request: string, exchange: Exchange): Failure => ({
  diagnosis: 'stopped-listening',
  message: `There was nobody to answer ${request}: the program still runs, but it no longer listens on its port. Look for a server.close() that comes too early.`,
  expected: 'a server that listens',
  actual:
    exchange.outcome === 'refused'
      ? 'connection refused'
      : 'the connection was closed, and the next one refused',
  exchange,
});

async function isRefused(port: number): Promise<boolean> {
  const connection = new Connection(port);
  try {
    return !(await connection.opened());
  } finally {
    connection.destroy();
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Whether the program's one thread is busy: no sign of life when asked, or a core in full use. */
async function isBlocked(program: Program, exchange: Exchange): Promise<boolean> {
  if (program.options.trusted)
    return (await program.ping(pingMs)) === undefined && program.exit === null;
  return (program.cpuShare(performance.now() - exchange.times.over) ?? 0) > 0.8;
}

/** A slow machine hands memory out slowly: a program that still grows is watched until it is too big, or rests. */
export async function growsTooBig(program: Program): Promise<boolean> {
  const end = performance.now() + growing.limitMs;
  let memory = program.memory() ?? 0;
  if (memory < growing.fromBytes) return false;
  for (let rests = 0; rests < growing.looks && performance.now() < end;) {
    if (memory > bounds.muchMemory) return true;
    const before = memory;
    const since = performance.now();
    program.sample();
    await program.when(() => program.broke !== null, growing.everyMs);
    if (program.exit) return program.broke === 'memory';
    memory = program.memory() ?? 0;
    if (memory >= before + growing.stepBytes) rests = 0;
    else if (!program.starved(since, growing.everyMs / 2)) rests++;
  }
  return false;
}

function share(program: Program, exchange: Exchange): string {
  const part = program.cpuShare(performance.now() - exchange.times.over);
  return part === undefined || part < 0.3 ? '' : ', and a processor core was busy with it';
}

export function boundBroken(program: Program): Failure {
  return program.broke === 'output'
    ? {
        diagnosis: 'too-much-output',
        message: `The program printed more than ${bounds.maxOutput / 1024 / 1024} MB and was stopped. Look for a console.log inside a loop.`,
        actual: brief(program.stdout || program.stderr, 200),
      }
    : {
        diagnosis: 'too-much-memory',
        message: `The program took more and more memory, over ${bounds.muchMemory / 1024 / 1024} MB, and was stopped. Look for something that grows and never shrinks, such as an array that is pushed to in a loop.`,
      };
}

/** Why a program that should be running is not. */
export async function explainDeath(
  program: Program,
  scene: Scene,
  exchange?: Exchange,
  request?: string,
): Promise<Failure> {
  const asked =
    request ?? (exchange ? `${exchange.method} ${brief(exchange.target || '/', 60)}` : undefined);
  if (program.broke) return { ...boundBroken(program), exchange };
  const exit = await program.exited;
  const when = !asked
    ? 'The program'
    : exchange?.outcome === 'answered' && !request
      ? `After it had answered ${asked}, the program`
      : exchange?.outcome === 'refused'
        ? `When ${asked} came, nobody listened any more: the program`
        : `${asked} stopped the whole server: the program`;
  if (/JavaScript heap out of memory|Reached heap limit/.test(program.stderr)) {
    return {
      diagnosis: 'too-much-memory',
      message: `${when} ran out of memory. Look for something that grows and never shrinks, such as an array that is pushed to in a loop.`,
      exchange,
    };
  }
  const crash = readCrash(program.stderr, scene.root, program.rejected);
  if (!crash) {
    const how = exit.signal
      ? `was ended by the signal ${exit.signal}`
      : `ended by itself with exit code ${exit.code}`;
    return {
      diagnosis: 'exited',
      message: `${when} ${how}. A server lives as long as it listens; look for a process.exit() or a server.close().`,
      expected: 'a program that goes on running',
      actual: exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`,
      exchange,
    };
  }
  const { diagnosis, sentence } = known(
    crash,
    await program.hadPort(portInUse(crash) ?? program.port),
  );
  return {
    diagnosis,
    message: `${when} died${at(crash)}. ${sentence}`,
    expected: 'a program that goes on running',
    actual: describe(crash),
    exchange,
  };
}

const at = (crash: Crash): string =>
  crash.file && crash.line ? ` at line ${crash.line} of ${crash.file}` : '';

/** The error in one line, with the learner's own line where it is known. */
export function describe(crash: Crash): string {
  const code = crash.code && !crash.message.includes(crash.code) ? ` [${crash.code}]` : '';
  const place =
    crash.file && crash.line
      ? `\n${crash.file} line ${crash.line}${crash.source ? `: ${crash.source}` : ''}`
      : '';
  return `${crash.name}${code}: ${brief(crash.message, 300)}${place}`;
}

/**
 * What the commonest errors of Node's http mean to a beginner.
 *
 * @param ownPort whether a port that could not be had was the program's own already
 */
function known(crash: Crash, ownPort: boolean): { diagnosis: string; sentence: string } {
  switch (crash.code) {
    case 'ERR_HTTP_HEADERS_SENT':
      return {
        diagnosis: 'headers-already-sent',
        sentence:
          'It tried to set a status or a header field on a response whose head had already gone out. Look for code that answers twice, or that runs on after res.end() because a return is missing.',
      };
    case 'ERR_STREAM_WRITE_AFTER_END':
      return {
        diagnosis: 'write-after-end',
        sentence:
          'It wrote to a response that it had already ended. res.end() ends the response, not your function: is a return missing, do two places answer the same request, or does a callback write after the end?',
      };
    case 'ERR_INVALID_ARG_TYPE':
      if (/chunk/.test(crash.message)) {
        return {
          diagnosis: 'body-not-text',
          sentence:
            'Only text and bytes can be written to a response; an object or a number was given.',
        };
      }
      break;
    case 'ERR_INVALID_URL':
      return {
        diagnosis: 'url-threw',
        sentence:
          'new URL() throws when it cannot read its text: a path alone needs a base, and what a client sends need not be a path.',
      };
    case 'ERR_INVALID_CHAR':
      return {
        diagnosis: 'bad-header-value',
        sentence: 'A header field cannot hold such characters, and the value came from the client.',
      };
    case 'ERR_HTTP_INVALID_STATUS_CODE':
      return {
        diagnosis: 'status-code-refused',
        sentence: `A status code is a whole number from 100 to 999; for anything else Node throws. ${/: -?\d/.test(crash.message) ? 'A number that came from the client has to be checked before it becomes the status.' : 'Look at what is handed over as the status, and in which order.'}`,
      };
    case 'ERR_UNHANDLED_REJECTION':
      return {
        diagnosis: 'unhandled-rejection',
        sentence: 'A promise was rejected and nothing caught it. Node ends the process then.',
      };
    case 'EADDRINUSE':
      return ownPort
        ? {
            diagnosis: 'listens-twice',
            sentence: 'It called listen() on a port that it already listens on.',
          }
        : {
            diagnosis: 'port-taken',
            sentence: `It called listen() on port ${portInUse(crash)}, which another program has.`,
          };
  }
  if (crash.name === 'URIError')
    return {
      diagnosis: 'decode-threw',
      sentence:
        'decodeURIComponent() and decodeURI() throw on an escape that means nothing, such as %zz.',
    };
  if (crash.name === 'SyntaxError' && !/regular expression|BigInt/.test(crash.message))
    return {
      diagnosis: 'json-threw',
      sentence: 'JSON.parse() throws when the text is not JSON, and nothing caught it.',
    };
  if (crash.kind === 'rejected') {
    return {
      diagnosis: 'unhandled-rejection',
      sentence: `A promise was rejected and nothing caught it (${brief(crash.message, 100)}). Node calls your handler and ignores the promise it returns.`,
    };
  }
  return {
    diagnosis: 'crashed',
    sentence: `An error was thrown and nothing caught it: ${brief(`${crash.name}: ${crash.message}`, 120)}`,
  };
}
