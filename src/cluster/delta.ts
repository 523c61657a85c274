import type { Delta } from '../model/cluster.ts';

/** A delta that grows. */
export class GrowingDelta implements Delta {
  services: Set<string> | 'all' = new Set();
  nodes = false;

  service(key: string): void {
    if (this.services !== 'all') this.services.add(key);
  }

  merge({ services, nodes }: Delta): this {
    if (services === 'all') this.services = 'all';
    else for (const key of services) this.service(key);
    this.nodes ||= nodes;
    return this;
  }
}

/** How a {@link Signal} of deltas merges them. */
export function mergeDelta(held: GrowingDelta | undefined, next: Delta): GrowingDelta {
  return (held ?? new GrowingDelta()).merge(next);
}
