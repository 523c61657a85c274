import type { Delta } from '../model/cluster.ts';

/** A delta that accumulates others. */
export class GrowingDelta implements Delta {
  services: Set<string> | 'all' = new Set();
  nodes = false;

  service(key: string): void {
    if (this.services !== 'all') this.services.add(key);
  }

  /** Removes the changes of another delta. */
  forget({ services, nodes }: Delta): void {
    if (this.services !== 'all' && services !== 'all') for (const key of services) this.services.delete(key);
    if (nodes) this.nodes = false;
  }

  merge({ services, nodes }: Delta): this {
    if (services === 'all') this.services = 'all';
    else for (const key of services) this.service(key);
    this.nodes ||= nodes;
    return this;
  }
}

/** The merge function for a {@link Signal} of deltas. */
export function mergeDelta(held: GrowingDelta | undefined, next: Delta): GrowingDelta {
  return (held ?? new GrowingDelta()).merge(next);
}
