/** Clients that ask without a pause, and a signal in the middle. */
import { Answer } from '../../scripts/kernel/answer.ts';
import type { Exchange } from '../../scripts/kernel/exchange.ts';
import type { Trial } from '../../scripts/kernel/trial.ts';

export interface Load {
  clients: number;
  /** Answers after which the signal comes. */
  answers: number;
  /** What is asked for; the id makes each request its own. Clients are numbered from 0. */
  target: (id: string, client: number) => string;
  /** The body of a whole answer, where it is always the same. */
  body?: string;
  /** Whether the program owes this request an answer: it had begun it before the signal. */
  begun: (failed: Failed) => boolean;
}

/** A request that got no whole answer. */
export interface Failed {
  id: string;
  exchange: Exchange;
  /** Whether it was sent after the signal. */
  late: boolean;
}

export interface LoadResult {
  answered: number;
  /** Requests that the program owed an answer, and answers that it had begun, that were not whole. */
  lost: Failed[];
  /** Requests that met a connection that was being closed. */
  turnedAway: number;
  /** Statuses other than 200 that came, with how often. A client that gets 503 asks no more. */
  odd: Map<number, number>;
}

/** Keeps `clients` connections busy until the program is gone or hangs up; `signal` is called once enough answers have come. */
export async function underLoad(
  t: Trial,
  { clients, answers, target, body, begun }: Load,
  signal: () => void,
): Promise<LoadResult> {
  let answered = 0;
  const failed: Failed[] = [];
  let signalled = false;
  const odd = new Map<number, number>();
  let enough: () => void = () => {};
  const reached = new Promise<void>((resolve) => (enough = resolve));
  const client = async (name: string, number: number): Promise<void> => {
    const connection = t.connect();
    // Whoever is not hung up on asks a hundred times more after the signal.
    for (let n = 0, after = 0; n < 2000 && after < 100; n++, after += Number(signalled)) {
      const id = `${name}-${n}`;
      const path = target(id, number);
      const late = signalled;
      await connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const exchange = await connection.attempt({ method: 'GET', target: path, limit: 2000 });
      const { message } = exchange;
      if (message && message.status !== 200)
        odd.set(message.status, (odd.get(message.status) ?? 0) + 1);
      if (message?.status === 503) break;
      const whole = exchange.outcome === 'answered' && message;
      if (!whole || (body !== undefined && message.body.toString() !== body)) {
        failed.push({ id, exchange, late });
        break;
      }
      if (++answered >= answers) enough();
      if (new Answer(exchange).announcesClose || connection.state !== 'open') break;
    }
    connection.destroy();
  };
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(`${t.word()}${n}`, n)));
  await Promise.race([reached, all]);
  signalled = true;
  signal();
  await all;
  await t.program.when(() => t.program.exit !== null, 3000);
  const lost = failed.filter((one) => one.exchange.received.length > 0 || begun(one));
  return { answered, lost, turnedAway: failed.length - lost.length, odd };
}
