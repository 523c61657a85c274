import { fieldsOf } from './entry.ts';
import { type EventName, isEventName } from './event.ts';
import { type Facts, values, worded } from './facts.ts';

/** A record of the journal that is still in memory. */
export interface RecentEvent {
  /** Counts the events of this process from 1. */
  readonly number: number;
  /** ISO 8601 in UTC */
  readonly at: string;
  readonly level: string;
  readonly event: EventName;
  /** The sentence that journald has as MESSAGE. */
  readonly text: string;
  readonly eips: readonly string[];
  readonly services: readonly string[];
  readonly nodes: readonly string[];
  /** Everything else that the record says. */
  readonly facts: Facts;
}

/** How much stays in memory. */
export interface RecentLimits {
  readonly events: number;
  /** Characters of JSON. */
  readonly size: number;
}

const limits: RecentLimits = { events: 1000, size: 512 * 1024 };

/**
 * The last events of this process. It keeps the lines of the log as they are written, and parses them when somebody
 * asks: an event costs one string.
 */
export class RecentEvents {
  readonly #limits: RecentLimits;
  /** By number, the oldest first. */
  readonly #lines = new Map<number, string>();
  #size = 0;
  #last = 0;
  readonly #listeners = new Set<() => void>();

  constructor(limit: RecentLimits = limits) {
    this.#limits = limit;
  }

  /** The number of the newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Takes a line of pino's JSON. Lines that are no event, such as those of the level debug, are left out. */
  readonly write = (line: string): void => {
    if (!/"event":"[\w-]+"/.test(line)) return;
    this.#last += 1;
    this.#lines.set(this.#last, line);
    this.#size += line.length;
    for (const [number, old] of this.#lines) {
      if (this.#lines.size <= this.#limits.events && this.#size <= this.#limits.size) break;
      this.#lines.delete(number);
      this.#size -= old.length;
    }
    for (const hear of this.#listeners) hear();
  };

  /** The events with a higher number that are still in memory, the oldest first. */
  *after(number: number): Generator<RecentEvent> {
    for (const [one, line] of this.#lines) {
      const event = one > number ? parsed(one, line) : undefined;
      if (event !== undefined) yield event;
    }
  }

  /** Calls at each event, until it is disposed. */
  listen(hear: () => void): Disposable {
    // Two that listen with one function are two.
    const one = (): void => hear();
    this.#listeners.add(one);
    return { [Symbol.dispose]: () => this.#listeners.delete(one) };
  }
}

/** @returns undefined for a line that has the words of an event inside another fact */
function parsed(number: number, line: string): RecentEvent | undefined {
  const record: Facts = JSON.parse(line);
  const { level, time, event, msg: _, eip, service, node, ...facts } = record;
  if (!isEventName(event)) return undefined;
  const [, message = ''] = fieldsOf(record).find(([name]) => name === 'MESSAGE') ?? [];
  return {
    number,
    at: worded(time),
    level: worded(level),
    event,
    text: message,
    eips: values(eip),
    services: values(service),
    nodes: values(node),
    facts,
  };
}
