import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Shutdown {
  /** Answers a health check: 200 while the server takes on work, 503 once it is draining. */
  health(res: ServerResponse): void;
  /** Has `stop` called when the draining begins: for timers, and whatever else keeps the process alive. */
  onDrain(stop: () => void): void;
  /** Takes charge of a socket that http has handed over, and ends it when the draining begins. */
  addUpgraded(socket: Duplex): void;
}

/**
 * Drains the server on SIGTERM or SIGINT, so that the process ends when the last answer is out: with status 0, or with 1
 * where `timeoutMs` passed first.
 */
export function shutdownOnSignals(server: Server, timeoutMs: number): Shutdown {
  let draining = false;

  server.on('request', (_req, res) => {
    res.writeHead(501).end('TODO(step 1): Finish what is in flight\n');
  });

  // TODO(step 2): Hang up after the answer
  server.on('request', () => {});

  // TODO(step 6): Lose nothing under load
  server.on('request', (_req, res) => res.on('close', () => {}));

  /** Runs at the first signal, and at every further one. */
  function drain(): void {
    // TODO(step 1): Finish what is in flight

    // TODO(step 4): Cut what is late
    const cut = (): void => {};
  }

  return {
    health(res) {
      // TODO(step 3): Say that you are draining
      res.writeHead(501).end('TODO(step 3): Say that you are draining\n');
    },
    onDrain(stop) {
      // Step 5 needs this one as well.
    },
    addUpgraded(socket) {
      // TODO(step 5): Close what http has forgotten
      socket.end('HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\nTODO(step 5): Close what http has forgotten\n');
    },
  };
}
