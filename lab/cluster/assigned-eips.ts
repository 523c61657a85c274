import { now } from '../process/clock.ts';
import { listAt, textAt } from './api/json.ts';
import type { ObjectFeed } from './cluster.ts';

export interface AssignedEips {
  readonly ips: readonly string[];
  /** When its status had them; ms of the lab's clock. */
  readonly at: number;
}

/** Resolves when the status of a Service gets EIPs. */
export async function assignedEips(
  feed: ObjectFeed,
  name: string,
  signal: AbortSignal,
): Promise<AssignedEips> {
  const found = Promise.withResolvers<AssignedEips>();
  const unlisten = feed.listen(({ object }) => {
    if (textAt(object, 'kind') !== 'Service' || textAt(object, 'metadata', 'name') !== name) return;
    const ips = listAt(object, 'status', 'loadBalancer', 'ingress').map((item) => textAt(item, 'ip'));
    if (ips.length > 0) found.resolve({ ips, at: now() });
  });
  const stop = (): void => found.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await found.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    unlisten();
  }
}
