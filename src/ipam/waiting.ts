import { allocatedType } from '../model/allocated-condition.ts';
import type { Service } from '../model/cluster.ts';

/** Since when a Service's condition says that it waits, in ms since the epoch; Infinity: it says nothing of it. */
export function waitingSince({ request }: Service): number {
  if (request.conditions.length === 0) return Number.POSITIVE_INFINITY;
  const found = request.conditions.find(({ type, status }) => type === allocatedType && status === 'False');
  const since = Date.parse(found?.lastTransitionTime ?? '');
  return Number.isNaN(since) ? Number.POSITIVE_INFINITY : since;
}
