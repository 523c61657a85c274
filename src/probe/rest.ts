/** Ends of the rests that are under way, by the signal that ends them all: a listener for each rest costs as much as its timer. */
const resting = new WeakMap<AbortSignal, Set<() => void>>();

/** @returns false when the signal ended it */
export function rest(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  const ends = endsOf(signal);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      ends.delete(end);
      resolve(true);
    }, ms);
    const end = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    ends.add(end);
  });
}

function endsOf(signal: AbortSignal): Set<() => void> {
  const known = resting.get(signal);
  if (known !== undefined) return known;
  const ends = new Set<() => void>();
  resting.set(signal, ends);
  const endAll = (): void => {
    for (const end of ends) end();
    ends.clear();
  };
  signal.addEventListener('abort', endAll, { once: true });
  return ends;
}
