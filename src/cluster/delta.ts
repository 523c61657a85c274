import type { Delta, Origin } from '../model/cluster.ts';

/** A delta that accumulates others. */
export class GrowingDelta implements Delta {
  services: Set<string> | 'all' = new Set();
  nodes = false;
  readonly byEvent = { services: new Set<string>(), nodes: false };

  service(key: string, origin: Origin): void {
    if (this.services === 'all') return;
    if (origin === 'list') this.byEvent.services.delete(key);
    else if (!this.services.has(key)) this.byEvent.services.add(key);
    this.services.add(key);
  }

  node(origin: Origin): void {
    this.byEvent.nodes = origin === 'event' && (this.byEvent.nodes || !this.nodes);
    this.nodes = true;
  }

  /** Any Service may have changed. */
  allServices(): void {
    this.services = 'all';
    this.byEvent.services.clear();
  }

  /** Removes the changes of another delta. */
  forget({ services, nodes }: Delta): void {
    if (this.services !== 'all' && services !== 'all') {
      for (const key of services) {
        this.services.delete(key);
        this.byEvent.services.delete(key);
      }
    }
    if (nodes) {
      this.nodes = false;
      this.byEvent.nodes = false;
    }
  }

  merge({ services, nodes, byEvent }: Delta): this {
    if (services === 'all') this.allServices();
    else for (const key of services) this.service(key, byEvent.services.has(key) ? 'event' : 'list');
    if (nodes) this.node(byEvent.nodes ? 'event' : 'list');
    return this;
  }
}

const noEvents: Delta['byEvent'] = { services: new Set(), nodes: false };

/** Only feeds or problems have changed. */
export const nothing: Delta = { services: new Set(), nodes: false, byEvent: noEvents };

/** Another state takes the place of the former one. */
export const everything: Delta = { services: 'all', nodes: true, byEvent: noEvents };

/** The merge function for a {@link Signal} of deltas. */
export function mergeDelta(held: GrowingDelta | undefined, next: Delta): GrowingDelta {
  return (held ?? new GrowingDelta()).merge(next);
}
