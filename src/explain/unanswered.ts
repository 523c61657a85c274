import type { NeighbourState } from '../model/listing.ts';

/** States of a neighbour entry whose question was not answered. */
export const unanswered: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>([
  'FAILED',
  'INCOMPLETE',
]);
