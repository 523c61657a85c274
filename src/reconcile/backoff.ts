/**
 * How long to wait before the next try.
 *
 * @param failures tries that failed in a row, at least 1
 * @param first ms, the nominal wait after one failure; doubled each time
 * @param longest ms
 * @param random 0..1, drawn by the caller
 * @returns ms, between half and one and a half times the nominal wait
 */
export function backoff(failures: number, first: number, longest: number, random: number): number {
  const nominal = Math.min(longest, first * 2 ** Math.min(failures - 1, 30));
  return nominal * (0.5 + random);
}
