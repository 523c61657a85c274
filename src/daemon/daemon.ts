import type { RoleName } from '../config/config.ts';
import type { PathHistory } from '../desire/path-history.ts';
import type { EventName } from '../journal/event.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Log } from '../log.ts';
import type { DesiredTable } from '../model/desired.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { Neighbour } from '../model/listing.ts';
import type { Key, Link } from '../model/object.ts';
import type { Pace } from '../model/pace.ts';
import { type KernelUnreadable, rounds } from '../reconcile/loop.ts';
import { Reconciler, type Role } from '../reconcile/reconciler.ts';
import { isDoubted, type Report } from '../reconcile/report.ts';
import { RoundSignal } from '../reconcile/round-signal.ts';
import { Journal } from './journal.ts';
import type { Notify } from './notify.ts';
import { type ObjectsStatus, objectStatuses } from './objects.ts';
import { serve } from './socket.ts';
import type { Status, Summary } from './status.ts';

/** What the start of a daemon hands over to it, whatever its role. */
export interface DaemonOptions {
  readonly release: string;
  readonly log: Log;
  readonly notify: Notify;
  /** ms between two rounds at most, whatever the configuration says: systemd's watchdog wants to see them. */
  readonly longestRest: number;
}

/** How things stand after the last round. */
export interface DaemonState {
  readonly release: string;
  /** ms since the epoch */
  readonly started: number;
  readonly names: LinkNames;
  /** As of the last look, as are the neighbours. */
  readonly links: readonly Link[];
  readonly neighbours: readonly Neighbour[];
  /** The last round that could read the kernel. */
  readonly report: Report | undefined;
  /** The kernel cannot be read since then. */
  readonly unreadable: KernelUnreadable | undefined;
}

/** What makes one daemon differ from another: it is asked anew each time, since a reload changes all of it. */
export interface DaemonRole {
  /** Where EIPs went before the last rounds, and where they go now, for the journal; undefined where there are none. */
  history(): PathHistory | undefined;
  /** What else may be asked over the socket, by path: JSON each. */
  readonly questions: ReadonlyMap<string, () => string>;
  /** A round is over, and its report is written. */
  rounded(report: Report): void;
  readonly name: RoleName;
  readonly runtimeDirectory: string;
  /** What the journal says of the start. */
  readonly start: { readonly event: EventName; readonly facts: object };
  /** Lists of a cluster have to come in first. */
  readonly waitsForLists: boolean;
  role(): Role;
  pace(): Pace;
  summary(state: DaemonState): Summary;
  status(state: DaemonState): Status;
}

/** What a watch may use of the daemon that it works for. */
export interface DaemonHandle {
  readonly roundSignal: RoundSignal;
  readonly journal: Journal;
  /** As of the last look. */
  links(): readonly Link[];
  /** Whether an object of ours with this key is in the kernel, as far as we know. */
  has(key: Key): boolean;
  /** What a person has just asked for is no accident: unless something is held already, it is not held. */
  asked(): void;
}

/** A source of work beside the kernel: starts rounds until the signal is aborted. */
export type Watch = (handle: DaemonHandle, signal: AbortSignal) => Promise<void>;

/** The loop with its journal, its socket and its words for systemd; runs until the signal. */
export async function runDaemon(
  daemonRole: DaemonRole,
  kernel: Kernel,
  watches: readonly Watch[],
  { release, log, notify, longestRest }: DaemonOptions,
  signal: AbortSignal,
): Promise<void> {
  const started = Date.now();
  const clock = (): number => performance.timeOrigin + performance.now();
  const reconciler = new Reconciler(kernel, clock);
  const roundSignal = new RoundSignal();
  const journal = new Journal(log, clock, daemonRole.waitsForLists ? 'lists to come' : 'no lists');
  let report: Report | undefined;
  let unreadable: KernelUnreadable | undefined;
  const names: LinkNames = (index) =>
    reconciler.links.find((link) => link.index === index)?.name ?? `if${index}`;
  const state = (): DaemonState => ({
    release,
    started,
    names,
    links: reconciler.links,
    neighbours: reconciler.neighbours,
    report,
    unreadable,
  });
  const sentence = (): string => daemonRole.summary(state()).summary;
  /** The role of the present round, and the table that the last report is about. */
  let role = daemonRole.role();
  let desired: DesiredTable | undefined;
  const objects = (): ObjectsStatus => {
    const { actual } = reconciler;
    const summary = daemonRole.summary(state());
    if (actual === undefined || desired === undefined || report === undefined)
      return { ...summary, objects: [] };
    return { ...summary, objects: objectStatuses({ desired, actual, report }, names) };
  };

  await using _socket = await serve(daemonRole.runtimeDirectory, daemonRole.name, {
    questions: new Map([
      ['/status', () => JSON.stringify(daemonRole.status(state()))],
      ['/synced', () => JSON.stringify(daemonRole.summary(state()))],
      ['/objects', () => JSON.stringify(objects())],
      ...daemonRole.questions,
    ]),
    release: () => {
      log.warn({ event: 'released' }, 'an operator lets held deletes go on');
      reconciler.agree();
      roundSignal.notify({ kind: 'operator', text: 'released by an operator' });
    },
  });
  const takeRole = (): Role => {
    role = daemonRole.role();
    return role;
  };
  const pace = (): Pace => {
    const wanted = daemonRole.pace();
    return { ...wanted, resync: Math.min(wanted.resync, longestRest) };
  };

  const handle: DaemonHandle = {
    roundSignal,
    journal,
    links: () => reconciler.links,
    has: (key) => reconciler.has(key),
    asked: () => {
      if (!isDoubted(report)) reconciler.agree();
    },
  };

  // What ends one of them ends all: a part that is broken must not leave a daemon that looks alive.
  const stop = new AbortController();
  const any = AbortSignal.any([signal, stop.signal]);
  const parts = [
    listen(kernel.hints(any), (hint) => roundSignal.notify(hint)),
    ...watches.map((watch) => watch(handle, any)),
    listen(rounds({ reconciler, roundSignal, role: takeRole, pace, clock }, any), (result) => {
      if ('error' in result) {
        unreadable = result;
        journal.kernelUnreadable(result);
        notify.status(sentence);
        return;
      }
      unreadable = undefined;
      journal.round(result, names, () => daemonRole.history());
      const first = report === undefined;
      report = result;
      desired = role.desire.table;
      daemonRole.rounded(result);
      notify.status(sentence);
      if (first) notify.ready();
      notify.alive();
    }),
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

export async function listen<T>(source: AsyncIterable<T>, hear: (value: T) => void): Promise<void> {
  for await (const value of source) hear(value);
}
