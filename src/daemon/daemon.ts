import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../cluster/clock.ts';
import type { RecentEvents } from '../journal/recent-events.ts';
import type { Hint, Kernel } from '../kernel/kernel.ts';
import { releaseFreePages } from '../libc.ts';
import type { Log } from '../log.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { DesiredTable } from '../model/desired.ts';
import type { LinkNames } from '../model/iproute.ts';
import { changeObject, type Key, type Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { readPage } from '../page/page.ts';
import type { Actual } from '../reconcile/actual.ts';
import { isDelete } from '../reconcile/diff.ts';
import { type KernelUnreadable, rounds } from '../reconcile/loop.ts';
import { Reconciler, type Role } from '../reconcile/reconciler.ts';
import {
  type Held,
  isDoubted,
  isTooMany,
  type LastReport,
  lastOf,
  type Report,
} from '../reconcile/report.ts';
import { RoundSignal } from '../reconcile/round-signal.ts';
import { eipOf } from '../status/need.ts';
import { DaemonError } from './daemon-error.ts';
import type { DaemonRole, DaemonState, Watch } from './daemon-role.ts';
import { Journal } from './journal.ts';
import type { LastReload } from './last-reload.ts';
import { listenReadOnly } from './listener.ts';
import { Live } from './live.ts';
import { monitoring } from './monitoring.ts';
import type { Notify } from './notify.ts';
import { questionsOf } from './questions.ts';
import { serve } from './socket.ts';

/** Options of a daemon of either role. */
export interface DaemonOptions {
  readonly release: string;
  readonly log: Log;
  readonly notify: Notify;
  /** What the log said last. */
  readonly recent: RecentEvents;
  readonly lastReload: LastReload;
  /** Upper limit in ms for the resync interval, for systemd's watchdog. */
  readonly longestRest: number;
  /** The configuration file, for the status. */
  readonly configFile: string | undefined;
}

/** ms between two status texts for systemd */
const tellEvery = 1000;
/** ms between two times that free pages are given back, after a round; that takes 0.5 to 2 ms */
const releaseEvery = 5000;

/** The loop of rounds, with its journal. The parts of a role are made over it; {@link run} runs all of them. */
export class Daemon {
  readonly roundSignal = new RoundSignal();
  readonly journal: Journal;
  readonly #kernel: Kernel;
  readonly #options: DaemonOptions;
  readonly #reconciler: Reconciler;
  readonly #started = systemClock.now();
  readonly #host = hostname();
  readonly #repairs: { count: number; last: number | undefined } = { count: 0, last: undefined };
  #report: LastReport | undefined;
  #unreadable: KernelUnreadable | undefined;
  /** The table that the last report is about. */
  #desired: DesiredTable | undefined;

  /** @param waitsForLists nothing is deleted before the lists of the cluster have arrived */
  constructor(
    kernel: Kernel,
    options: DaemonOptions,
    { waitsForLists }: { readonly waitsForLists: boolean },
  ) {
    this.#kernel = kernel;
    this.#options = options;
    this.#reconciler = new Reconciler(kernel, systemClock.now);
    this.journal = new Journal(options.log, systemClock.now, waitsForLists ? 'lists to come' : 'no lists');
    options.lastReload.listen(() => this.roundSignal.notify({ kind: 'config', text: 'a refused reload' }));
  }

  /** As of the last dump. */
  get links(): readonly Link[] {
    return this.#reconciler.links;
  }

  /** The known state of the kernel; undefined before the first dump. */
  get actual(): Actual | undefined {
    return this.#reconciler.actual;
  }

  /** Whether our object with this key is in the kernel, by the last dump and our own writes. */
  has(key: Key): boolean {
    return this.#reconciler.has(key);
  }

  /** The last reload was refused: the file says something else than what is in force. */
  get reloadProblems(): readonly Problem[] {
    return this.#options.lastReload.problems;
  }

  /** A person requested the change: the guard does not hold it, unless it holds another one already. */
  asked(): void {
    if (!isDoubted(this.#report)) this.#reconciler.agree();
  }

  /** Runs the loop with journal, socket and systemd notifications until the signal is aborted. */
  async run(daemonRole: DaemonRole, watches: readonly Watch[], signal: AbortSignal): Promise<void> {
    const { release, log, notify } = this.#options;
    const metrics = new Metrics(daemonRole.name);
    await using _listeners = await this.#listeners(daemonRole, metrics, signal);
    // The end of one part ends all: a daemon with a broken part must not look alive.
    const stop = new AbortController();
    const any = AbortSignal.any([signal, stop.signal]);
    const parts = [
      this.#tell(daemonRole, any),
      listen(this.#kernel.hints(any), (hint) => this.#hear(hint, daemonRole)),
      ...watches.map((watch) => watch(any)),
      this.#rounds(daemonRole, metrics, any),
    ];
    log.info(
      { event: daemonRole.start.event, release, pid: process.pid, ...daemonRole.start.facts },
      'started',
    );
    try {
      await Promise.race(parts);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      notify.stopping();
      stop.abort();
      await Promise.allSettled(parts);
    }
    log.info({ event: 'stopped' }, 'stopped; routes and settings stay as they are');
  }

  async #rounds(daemonRole: DaemonRole, metrics: Metrics, signal: AbortSignal): Promise<void> {
    const { notify, longestRest } = this.#options;
    /** The role of the present round. */
    let role: Role | undefined;
    let releasedAt = performance.now();
    const results = rounds(
      {
        reconciler: this.#reconciler,
        roundSignal: this.roundSignal,
        role: () => {
          role = daemonRole.role();
          return role;
        },
        pace: () => {
          const wanted = daemonRole.pace();
          return { ...wanted, resync: Math.min(wanted.resync, longestRest) };
        },
        clock: systemClock.now,
      },
      signal,
    );
    for await (const result of results) {
      if ('error' in result) {
        this.#unreadable = result;
        this.journal.kernelUnreadable(result);
        continue;
      }
      this.#unreadable = undefined;
      metrics.rounded(result, sinceEvent(result, this.roundSignal));
      this.journal.round(
        result,
        this.names,
        () => daemonRole.history(),
        (path) => daemonRole.leaving(path),
      );
      const first = this.#report === undefined;
      this.#report = lastOf(result);
      this.#desired = role?.desire.table;
      if (result.repaired.size > 0) {
        this.#repairs.count += result.repaired.size;
        this.#repairs.last = result.at;
      }
      daemonRole.rounded(result);
      if (first) {
        notify.status(() => this.#sentence(daemonRole));
        notify.ready();
      }
      notify.alive();
      // Lists of thousands of objects, and V8's compilers, leave free pages behind, which glibc keeps: 10 to 20 MiB.
      if (performance.now() - releasedAt >= releaseEvery) {
        releaseFreePages();
        releasedAt = performance.now();
      }
    }
  }

  /** Once a second, not once a round: its cost must not grow with the load. */
  async #tell(daemonRole: DaemonRole, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.journal.state(daemonRole.answers.health(this.#state()));
      this.#options.notify.status(() => this.#sentence(daemonRole));
      await sleep(tellEvery, undefined, { signal });
    }
  }

  #hear({ kind, text }: Hint, daemonRole: DaemonRole): void {
    if (kind === 'foreign') daemonRole.othersChanged?.();
    else this.roundSignal.notify({ kind, text });
  }

  /** The socket, and the read-only listener where one is configured. */
  async #listeners(daemonRole: DaemonRole, metrics: Metrics, signal: AbortSignal): Promise<AsyncDisposable> {
    const { recent, lastReload } = this.#options;
    const look = (): Promise<void> => daemonRole.look(signal);
    const replies = monitoring({
      metrics,
      reload: () => lastReload.figures,
      started: this.#started,
      look,
      figures: () => daemonRole.answers.figures(this.#state()),
      sentence: () => this.#sentence(daemonRole),
      readable: () => this.#unreadable === undefined,
      credentialsEnd: () => daemonRole.credentialsEnd(),
      leaseTransitions: () => daemonRole.leaseTransitions(),
      clock: systemClock,
    });
    await using opened = new AsyncDisposableStack();
    if (daemonRole.listen !== undefined) {
      const live = new Live({
        recent,
        look,
        status: () => daemonRole.answers.status(this.#state()),
        eips: () => daemonRole.answers.eips(this.#state()),
      });
      opened.use(await listenReadOnly(daemonRole.listen, { replies, page: readPage(), live }));
    }
    opened.use(
      await serve(daemonRole.runtimeDirectory, daemonRole.name, {
        questions: questionsOf({ answers: daemonRole.answers, state: () => this.#state(), recent, look }),
        commands: daemonRole.commands,
        replies,
        release: (eips) => this.#release(eips),
      }),
    );
    return opened.move();
  }

  /**
   * Releases held deletes; the next round executes them.
   *
   * @returns how many
   * @throws DaemonError when an EIP has none
   */
  #release(eips: readonly string[] | 'all'): number {
    const held = this.#report?.held ?? [];
    const released = eips === 'all' ? held.filter(isTooMany) : heldDeletes(held, eips);
    if (released.length === 0) return 0;
    const facts = eips === 'all' ? {} : { eip: eips };
    this.#options.log.warn({ event: 'released', ...facts }, 'an operator released held deletes');
    if (eips === 'all') this.#reconciler.agree();
    else this.#reconciler.release(released);
    this.roundSignal.notify({ kind: 'operator', text: 'released by an operator' });
    return released.length;
  }

  #state(): DaemonState {
    const { links, neighbours, actual } = this.#reconciler;
    return {
      release: this.#options.release,
      host: this.#host,
      pid: process.pid,
      started: this.#started,
      now: systemClock.now(),
      config: this.#options.configFile,
      repairs: this.#repairs,
      names: this.names,
      links,
      neighbours,
      report: this.#report,
      unreadable: this.#unreadable,
      actual,
      desired: this.#desired,
    };
  }

  #sentence(daemonRole: DaemonRole): string {
    const { state, summary } = daemonRole.answers.health(this.#state());
    return `${state}: ${summary}`;
  }

  readonly names: LinkNames = (index) =>
    this.links.find((link) => link.index === index)?.name ?? `if${index}`;
}

/**
 * The held deletes of these EIPs.
 *
 * @throws DaemonError when an EIP has none
 */
function heldDeletes(held: readonly Held[], eips: readonly string[]): readonly Held[] {
  const deletes = new Map<string | undefined, Held>(
    held.filter((one) => isTooMany(one) && isDelete(one)).map((one) => [eipOf(changeObject(one)), one]),
  );
  return eips.map((eip) => {
    const one = deletes.get(eip);
    if (one === undefined)
      throw new DaemonError(`no delete of ${eip} is held; eiproute release --show lists those that are`);
    return one;
  });
}

/** ms from the first cluster event that a round acted on to the end of the round. */
function sinceEvent({ reasons }: Report, { takenSince }: RoundSignal): number | undefined {
  const isOfCluster = reasons.length > 0 && reasons.every(({ kind }) => kind === 'cluster');
  return isOfCluster && takenSince !== undefined ? performance.now() - takenSince : undefined;
}

export async function listen<T>(source: AsyncIterable<T>, hear: (value: T) => void): Promise<void> {
  for await (const value of source) hear(value);
}
