import type { Overview } from '../model/cluster.ts';
import type { Clock } from './clock.ts';

/** ms between two looks at the source */
const pace = 100;
/** Looks in a row that find nothing new: a second, and more where this program is busy. */
const patience = 10;

/**
 * Waits until the last known state of a cluster is needed, because its source cannot be read: a list has failed, or
 * nothing has come for a second. A firewall that drops packets causes no error.
 *
 * Looks are counted, not time: what came while this program was busy with something else is read before it looks again.
 *
 * @returns whether it is needed; false: all lists are in, or the signal was aborted
 */
export async function needsState(
  source: { overview(): Overview },
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  let before: number | undefined;
  for (let silent = 0; silent < patience; silent += 1) {
    await clock.sleep(pace, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    const { complete, feeds } = source.overview();
    if (complete || signal.aborted) return false;
    if (feeds.some(({ trouble }) => trouble !== undefined)) return true;
    const heard = Math.max(...feeds.map((feed) => feed.heard ?? 0));
    if (before !== undefined && heard !== before) silent = -1;
    before = heard;
  }
  return true;
}
