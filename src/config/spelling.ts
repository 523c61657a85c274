/**
 * The key that was probably meant.
 *
 * @param word the unknown key
 * @param near keys that are allowed in its place
 * @param far keys of other places, as dotted paths
 * @returns one of `near` or `far`; undefined when none is similar
 */
export function meant(
  word: string,
  near: readonly string[],
  far: readonly string[] = [],
): string | undefined {
  const bare = plain(word);
  return (
    near.find((key) => plain(key) === bare) ??
    far.find((key) => plain(key) === bare || plain(key.slice(key.lastIndexOf('.') + 1)) === bare) ??
    closest(bare, near)
  );
}

/** ` (did you mean "lan"?)`, or an empty string. */
export function hint(key: string | undefined): string {
  return key === undefined ? '' : ` (did you mean "${key}"?)`;
}

function closest(bare: string, keys: readonly string[]): string | undefined {
  let best: string | undefined;
  // At most one typing error in three characters.
  let least = Math.max(1, Math.floor(bare.length / 3)) + 1;
  for (const key of keys) {
    const slips = distance(bare, plain(key));
    if (slips < least) {
      best = key;
      least = slips;
    }
  }
  return best;
}

/** default_route, default-route and DefaultRoute are one word. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Characters to insert, delete, replace or swap with the next one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? a.length;
}
