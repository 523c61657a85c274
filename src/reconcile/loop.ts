import { setTimeout as sleep } from 'node:timers/promises';
import { KernelError } from '../kernel/kernel.ts';
import type { Pace } from '../model/pace.ts';
import { backoff } from './backoff.ts';
import type { Reconciler, Refresh, Role } from './reconciler.ts';
import type { Reason, Report } from './report.ts';
import type { RoundSignal } from './round-signal.ts';

/** The kernel could not be read. Nothing was changed; the loop retries. */
export interface KernelUnreadable {
  readonly error: KernelError;
  /** Failed rounds in a row. */
  readonly failures: number;
  /** ms until the next try */
  readonly retryIn: number;
}

export interface LoopOptions {
  readonly reconciler: Pick<Reconciler, 'round'>;
  readonly roundSignal: RoundSignal;
  /** Called in each round, since a reload changes both. */
  readonly role: () => Role;
  readonly pace: () => Pace;
  /** ms; must never run backwards */
  readonly clock: () => number;
}

/**
 * Maximum share of the time for dumps. Under constant changes by other programs, hints are collected for four times the
 * duration of the last dump, and start one dump together. An address that comes or goes may decide which of two gateways
 * answers for the EIPs: a round that reads the addresses alone comes at once, before the dump.
 */
const dumpShare = 0.2;

/** Hints that are kept as reasons of a round. */
const mostReasons = 16;

/**
 * Runs rounds: one at the start, then after each signal, at each resync and after each failure. Every debounce, resync
 * and retry of the program is here.
 */
export async function* rounds(
  options: LoopOptions,
  signal: AbortSignal,
): AsyncGenerator<Report | KernelUnreadable> {
  const { reconciler, roundSignal, role, pace, clock } = options;
  const timetable = new Timetable(clock());
  while (true) {
    const { reasons, refresh } = await next(timetable, roundSignal, pace, clock, signal);
    const start = clock();
    let result: Report | KernelUnreadable;
    let failed: boolean;
    try {
      result = await reconciler.round(role(), reasons, refresh, signal);
      failed = result.failed.length > 0;
      timetable.again = result.again ?? Number.POSITIVE_INFINITY;
    } catch (error) {
      // Any other error is a bug: it ends the program, and the kernel keeps the state.
      if (!(error instanceof KernelError)) throw error;
      failed = true;
      // The retry dumps, and computes the waits again.
      timetable.again = Number.POSITIVE_INFINITY;
      result = { error, failures: timetable.failures + 1, retryIn: 0 };
    }
    const retryIn = timetable.end(start, clock(), refresh, failed, pace());
    yield 'error' in result ? { ...result, retryIn } : result;
  }
}

/** Waits until a round is due, and returns its reasons. */
async function next(
  timetable: Timetable,
  roundSignal: RoundSignal,
  pace: () => Pace,
  clock: () => number,
  signal: AbortSignal,
): Promise<{ readonly reasons: readonly Reason[]; readonly refresh: Refresh }> {
  while (true) {
    const notified = await roundSignal.wait(timetable.earliest() - clock(), signal);
    // The first change after a rest starts a round at once; the changes that follow share the next one.
    const pause = timetable.ended + pace().settle - clock();
    if (notified && pause > 0) await sleep(pause, undefined, { signal });
    const due = timetable.due(roundSignal.take(), clock());
    if (due.reasons.length > 0) return due;
  }
}

/** The times of the next rounds, in ms of the clock. */
class Timetable {
  again = Number.POSITIVE_INFINITY;
  failures = 0;
  /** When the last round was over. */
  ended = Number.NEGATIVE_INFINITY;
  #resync: number;
  #retry = Number.POSITIVE_INFINITY;
  /** No dump for a hint before this. */
  #rest: number;
  #hints: Reason[] = [];
  #started = false;

  constructor(now: number) {
    this.#resync = now;
    this.#rest = now;
  }

  earliest(): number {
    const hints = this.#hints.length > 0 ? this.#rest : Number.POSITIVE_INFINITY;
    return Math.min(this.again, this.#resync, this.#retry, hints);
  }

  due(
    waiting: readonly Reason[],
    now: number,
  ): { readonly reasons: readonly Reason[]; readonly refresh: Refresh } {
    const reasons = waiting.filter((reason) => !isHint(reason));
    const addresses = waiting.filter(({ kind }) => kind === 'address');
    const areHintsDue = this.#hints.length > 0 && now >= this.#rest;
    // A burst repeats itself: the first hints suffice.
    this.#hints = [...this.#hints, ...waiting.filter(isHint)].slice(0, mostReasons);
    const isOrdered = reasons.some(({ kind }) => kind === 'config' || kind === 'operator');
    const isDumpDue = isOrdered || areHintsDue || now >= this.#resync || now >= this.#retry;
    let refresh: Refresh = isOrdered ? 'dump' : 'cached';
    if (addresses.length > 0 && !isDumpDue) {
      // They stay hints: the dump follows.
      reasons.push(...addresses);
      refresh = 'links';
    } else if (this.#hints.length > 0 && now >= this.#rest) {
      reasons.push(...this.#hints);
      refresh = 'dump';
    }
    if (now >= this.#resync) {
      reasons.push(this.#started ? { kind: 'resync', text: 'resync' } : { kind: 'start', text: 'start' });
      refresh = 'dump';
    }
    if (now >= this.#retry) {
      reasons.push({ kind: 'retry', text: 'retry after a failure' });
      refresh = 'dump';
    }
    if (now >= this.again) reasons.push({ kind: 'waited', text: 'a hold is over' });
    if (refresh === 'dump') this.#hints = [];
    return { reasons, refresh };
  }

  /** @returns ms until the retry; Infinity when there is none */
  end(start: number, now: number, refresh: Refresh, failed: boolean, pace: Pace): number {
    this.#started = true;
    this.ended = now;
    if (refresh === 'dump') {
      this.#resync = now + pace.resync;
      this.#rest = now + (now - start) * (1 / dumpShare - 1);
    }
    // A cached round does not reset the retry timer: it does not retry refused changes.
    if (refresh === 'dump' || (failed && this.#retry === Number.POSITIVE_INFINITY)) {
      this.failures = failed ? this.failures + 1 : 0;
      const wait = backoff(Math.max(1, this.failures), pace.retryFirst, pace.retryLongest, Math.random());
      this.#retry = failed ? now + wait : Number.POSITIVE_INFINITY;
    }
    return this.#retry - now;
  }
}

function isHint({ kind }: Reason): boolean {
  switch (kind) {
    case 'link':
    case 'address':
    case 'route':
    case 'nexthop':
    case 'rule':
    case 'neighbour':
    case 'netconf':
    case 'nft':
    case 'overrun':
      return true;
    case 'start':
    case 'cluster':
    case 'config':
    case 'resync':
    case 'retry':
    case 'waited':
    case 'operator':
      return false;
    default:
      return kind satisfies never;
  }
}
