/** ms since the epoch with fractions; the same clock in every thread, and the one that `ip -ts monitor` prints. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
