import { type Answer, type Load, type Tally, tally } from '../load/load.ts';
import { duration } from './page.ts';
import { demand, type Figures } from './stage.ts';

export function answeredBy(load: Load, pod: string, signal: AbortSignal): ReturnType<Load['next']> {
  return load.next((answer) => answer.pod === pod, signal);
}

/**
 * Waits until a pod has given forty answers on end, and no other one between.
 *
 * @returns the first of the forty
 */
export async function onlyFrom(load: Load, pod: string, signal: AbortSignal): Promise<Answer> {
  let first = await answeredBy(load, pod, signal);
  for (let count = 1; count < 40; ) {
    const answer = await load.next((one) => one.pod !== undefined, signal);
    count = answer.pod === pod ? count + 1 : 0;
    if (count === 1) first = answer;
  }
  return first;
}

/**
 * Waits until nothing has been lost for a while. Whether a request is lost is known 900 ms after it was sent.
 *
 * @returns when the last lost request was sent, in ms after `from`; 0: none was lost
 */
export async function quiet(load: Load, from: number, signal: AbortSignal): Promise<number> {
  const decided = 900 + 400;
  let last = from;
  let lost: readonly Answer[] = [];
  try {
    for (;;) {
      const { done } = await load.next(() => true, signal);
      lost = load.answers.filter(({ sent, error }) => sent >= from && error !== undefined);
      last = Math.max(from, ...lost.map(({ sent }) => sent));
      if (done - last > decided) return last - from;
    }
  } catch (cause) {
    const latest = lost
      .slice(-5)
      .map(({ sent, to, error }) => `${to} ${error} at ${duration(sent - from)}`)
      .join(', ');
    throw new Error(`requests are still lost: ${lost.length} since the node is gone; ${latest}`, { cause });
  }
}

/**
 * Nothing may be lost between two moves. While one is under way a connection that is open may be cut (a router
 * without state cannot keep it), and the gateway may be faster than the kube-proxies: 50 ms are for those.
 */
export function calm(load: Load, from: number, to: number): void {
  const lost = load.answers.filter(
    ({ sent, error }) => sent > from + 50 && sent < to - 50 && error !== undefined,
  );
  demand(lost.length === 0, `${lost.length} requests lost when all was settled: ${words(tally(lost))}`);
}

export function counts({ sent, lost, gap }: Tally): Figures {
  return { sent, lost, gapMs: gap };
}

export function words({ errors }: Tally): string {
  return Object.entries(errors)
    .map(([error, count]) => `${count} ${error}`)
    .join(', ');
}
