import type { Ip } from '../model/ip.ts';

/** What a Service can wait for: an address of a pool, or one that it names. */
export type Topic = Ip | `pool ${string}`;

const none: ReadonlySet<string> = new Set();
const nothing: readonly Topic[] = [];

export function poolTopic(name: string): Topic {
  return `pool ${name}`;
}

/** Services by what they wait for. */
export class Waiters {
  readonly #byTopic = new Map<Topic, Set<string>>();
  readonly #topics = new Map<string, readonly Topic[]>();

  /** Replaces what a Service waits for; empty: it waits for nothing. */
  set(key: string, topics: readonly Topic[]): void {
    const before = this.#topics.get(key);
    if (before === undefined && topics.length === 0) return;
    for (const topic of before ?? []) {
      const keys = this.#byTopic.get(topic);
      if (keys?.delete(key) && keys.size === 0) this.#byTopic.delete(topic);
    }
    if (topics.length === 0) this.#topics.delete(key);
    else this.#topics.set(key, topics);
    for (const topic of topics) {
      const keys = this.#byTopic.get(topic);
      if (keys) keys.add(key);
      else this.#byTopic.set(topic, new Set([key]));
    }
  }

  for(topic: Topic): ReadonlySet<string> {
    return this.#byTopic.get(topic) ?? none;
  }

  of(key: string): readonly Topic[] {
    return this.#topics.get(key) ?? nothing;
  }
}
