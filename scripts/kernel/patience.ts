/** A wait with a limit that a busy machine makes longer: silence is the program's fault only if it could have spoken. */

/** What tells whether a wait that has run out deserves more time: because the machine was busy, and not the program at fault. */
export interface Load {
  /** Remembers how much of the processor has been used until now. */
  sample(): void;
  /** Whether less than `enoughMs` could be used since then, and others were the reason. */
  starved(sinceMs: number, enoughMs: number): boolean;
}

/** How often a wait may begin anew. */
const maxExtensions = 4;
/** A timer that comes so much too late shows that this process was held up itself, in ms. */
const lateMs = 100;
/** Most waits are over sooner, and nothing has to be known of them, in ms. */
const longMs = 30;
/** A program that got this part of the time from the processor could have spoken. */
const enough = 0.4;

export interface Wait {
  ready: () => boolean;
  /** Whether there is nothing left to wait for. */
  over?: () => boolean;
  /** In ms. */
  limit: number;
  load: Load;
  /** Has `look` called whenever something has happened; gives the way to end that. */
  watch: (look: () => void) => () => void;
}

/** Waits until `ready` holds; false when it was over, or the limit ran out, first. */
export async function patiently({
  ready,
  over,
  limit: given,
  load,
  watch,
}: Wait): Promise<boolean> {
  if (ready()) return true;
  // What is left of an earlier limit may be less than nothing; Node 24 and later warn of such a timer.
  const limit = Math.max(given, 0);
  const began = performance.now();
  let since = began;
  let extensions = 0;
  return new Promise((resolve) => {
    const finish = (result: boolean): void => {
      clearTimeout(timer);
      clearImmediate(poll);
      unwatch();
      resolve(result);
    };
    // What has come while this process was held up itself is read before anything is decided.
    const onTimeout = (): void => {
      poll = setImmediate(decide);
    };
    const decide = (): void => {
      if (ready()) return finish(true);
      const late = performance.now() - since > limit + lateMs;
      if ((late || load.starved(began, limit * enough)) && extensions++ < maxExtensions) {
        since = performance.now();
        timer = setTimeout(onTimeout, limit);
      } else finish(false);
    };
    const onLong = (): void => {
      load.sample();
      timer = setTimeout(onTimeout, limit - longMs);
    };
    let poll: NodeJS.Immediate | undefined;
    let timer = limit > longMs ? setTimeout(onLong, longMs) : setTimeout(onTimeout, limit);
    const unwatch = watch(() => {
      if (ready()) finish(true);
      else if (over?.()) finish(false);
    });
    if (over?.()) finish(false);
  });
}
