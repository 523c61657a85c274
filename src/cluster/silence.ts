import type { Clock } from './clock.ts';

/** A server that should say something has said nothing. */
export class SilenceError extends Error {
  override readonly name = 'SilenceError';

  /** @param ms of silence */
  constructor(ms: number) {
    super(`the API server has been silent for ${Math.round(ms / 1000)} s`);
  }
}

/**
 * Aborts work that receives nothing for too long. A dead peer, or a firewall that dropped the connection's state,
 * causes no error, so it takes a timer.
 *
 * @param work calls `heard` whenever it has received something
 * @param limit ms; evaluated again at each expiry
 */
export async function withinSilence<T>(
  clock: Clock,
  limit: () => number,
  signal: AbortSignal,
  work: (signal: AbortSignal, heard: () => void) => Promise<T>,
): Promise<T> {
  const silent = new AbortController();
  const done = new AbortController();
  let last = clock.now();
  const guard = async (): Promise<void> => {
    for (;;) {
      const left = last + limit() - clock.now();
      if (left <= 0) {
        silent.abort(new SilenceError(limit()));
        return;
      }
      await clock.sleep(left, done.signal);
    }
  };
  const guarding = guard().catch((error: unknown) => {
    if (!done.signal.aborted) throw error;
  });
  try {
    return await work(AbortSignal.any([signal, silent.signal]), () => {
      last = clock.now();
    });
  } catch (error) {
    // The work fails with an abort error; its cause is the silence.
    if (silent.signal.aborted && !signal.aborted) throw silent.signal.reason;
    throw error;
  } finally {
    done.abort();
    await guarding;
  }
}
