import type { Need } from './need.ts';

/**
 * How it is, in one word; the first that applies:
 *
 * - NOT SYNCED: the lists of the cluster, or the kernel, were not read whole yet
 * - FROZEN: no answer about the cluster for {@link frozenAfter}; all stays as it was
 * - DEGRADED: something that should be there is missing, in conflict, refused, held, or leads to no live node
 * - OK: all that should be there is in the kernel
 */
export type State = 'OK' | 'DEGRADED' | 'FROZEN' | 'NOT SYNCED';

/** ms without an answer about a resource of the cluster, after which what is known of it counts as old */
export const frozenAfter = 45_000;

/** The one judgement that status, exit codes, systemd's status line and all that follow them go by. */
export interface Health {
  readonly state: State;
  /** Why, in one sentence, without the word: '70 of 70 EIPs routed over 3 nodes'. */
  readonly summary: string;
  /** What a person should look at, the most urgent first. Costs what is wrong. */
  needs(): readonly Need[];
}

/** The first fields of every answer. The version is raised when a field changes its meaning or is removed. */
export interface Summary {
  readonly version: 2;
  readonly state: State;
  /** The state is OK. */
  readonly synced: boolean;
  readonly summary: string;
}

export function summaryOf({ state, summary }: Health): Summary {
  return { version: 2, state, synced: state === 'OK', summary };
}

/** '1 EIP', '2 EIPs' */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** A span of time for a person, rounded down: '48 s', '7 min', '3 h 12 min', '3 d 4 h'. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** ISO 8601 in UTC */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
