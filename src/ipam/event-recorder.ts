import type { Clock } from '../cluster/clock.ts';
import type { Refusal, ServiceEvent, Writer } from '../cluster/writer.ts';
import type { Service } from '../model/cluster.ts';
import type { EventDraft } from './due.ts';

/** So many events at once, then so many in a second: a thousand new Services are no storm. */
const burst = 100;
const perSecond = 10;
/** ms for which the same event counts up instead of being made anew */
const foldFor = 600_000;
/** So many events are remembered for folding. */
const remembered = 1000;

/** Writes events, folds those that say the same, and drops what would be a storm. */
export class EventRecorder {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #recorded = new Map<string, ServiceEvent & { readonly at: number }>();
  #tokens = burst;
  #filled: number;
  #serial = 0;
  /** Why the API takes no events; undefined: it does. */
  trouble: Refusal | undefined;

  constructor(writer: Writer, clock: Clock) {
    this.#writer = writer;
    this.#clock = clock;
    this.#filled = clock.now();
  }

  async record(service: Service, note: EventDraft, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    if (!this.#may(now)) return;
    const key = `${service.uid} ${note.reason} ${note.message}`;
    const before = this.#recorded.get(key);
    const again = before !== undefined && now - before.at < foldFor;
    const date = this.#clock.time();
    const time = iso(date);
    const event: ServiceEvent = again
      ? { ...before, count: before.count + 1, last: time }
      : { ...note, name: this.#name(service, date), count: 1, first: time, last: time };
    this.#remember(key, { ...event, at: now });
    const outcome = await this.#writer.event(service, event, signal);
    if (outcome.kind === 'refused') {
      // What is forbidden in one namespace, as in one that ends, says nothing of the others.
      if (outcome.everything) this.trouble = outcome;
      return;
    }
    this.trouble = undefined;
    // Events end after an hour: the next one is a new one.
    if (outcome.kind !== 'done') this.#recorded.delete(key);
  }

  #may(now: number): boolean {
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filled) / 1000) * perSecond);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #name({ name }: Service, date: number): string {
    this.#serial += 1;
    return `${name}.${Math.round(date).toString(16)}${(this.#serial % 0x10000).toString(16).padStart(4, '0')}`;
  }

  #remember(key: string, event: ServiceEvent & { readonly at: number }): void {
    this.#recorded.delete(key);
    this.#recorded.set(key, event);
    if (this.#recorded.size <= remembered) return;
    const [oldest] = this.#recorded.keys();
    if (oldest !== undefined) this.#recorded.delete(oldest);
  }
}

/** In whole seconds, as Kubernetes keeps its times. */
export function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+/, '');
}
