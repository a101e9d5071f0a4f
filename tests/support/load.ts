/** Clients that ask without a pause, and a signal in the middle. */
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
  /** Whether the program has begun this request. */
  begun: (id: string) => boolean;
}

export interface LoadResult {
  answered: number;
  /** Requests that the program had begun, and that got no whole answer. */
  lost: { id: string; exchange: Exchange }[];
  /** Requests that the program never began: they met a closed connection. */
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
  const failed: { id: string; exchange: Exchange }[] = [];
  const odd = new Map<number, number>();
  let enough: () => void = () => {};
  const reached = new Promise<void>((resolve) => (enough = resolve));
  const client = async (name: string, number: number): Promise<void> => {
    const connection = t.connect();
    for (let n = 0; n < 2000; n++) {
      const id = `${name}-${n}`;
      const path = target(id, number);
      await connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const exchange = await connection.attempt({ method: 'GET', target: path, limit: 2000 });
      const { message } = exchange;
      if (message && message.status !== 200)
        odd.set(message.status, (odd.get(message.status) ?? 0) + 1);
      if (message?.status === 503) break;
      const whole = exchange.outcome === 'answered' && message;
      if (!whole || (body !== undefined && message.body.toString() !== body)) {
        failed.push({ id, exchange });
        break;
      }
      if (++answered >= answers) enough();
      const hungUp = message.rawHeaders.some(
        ([field, value]) => /^connection$/i.test(field) && /close/i.test(value),
      );
      if (hungUp || connection.state !== 'open') break;
    }
    connection.destroy();
  };
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(`${t.word()}${n}`, n)));
  await Promise.race([reached, all]);
  signal();
  await all;
  await t.program.when(() => t.program.exit !== null, 3000);
  const lost = failed.filter(({ id }) => begun(id));
  return { answered, lost, turnedAway: failed.length - lost.length, odd };
}
