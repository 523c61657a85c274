/**
 * ms. A deadline ends a test that hangs, and decides nothing: what is broken never comes, and what works may take
 * seconds on a machine that does other work. Begin it after slow synchronous work.
 */
export const patience = 60_000;

/** Ends what a test waits for, should it hang; the time runs from now on. */
export function late(): AbortSignal {
  return AbortSignal.timeout(patience);
}
