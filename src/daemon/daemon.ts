import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../cluster/clock.ts';
import type { ListenAddress, RoleName } from '../config/config.ts';
import type { Path } from '../desire/path.ts';
import type { PathHistory } from '../desire/path-history.ts';
import type { EventName } from '../journal/event.ts';
import type { RecentEvents } from '../journal/recent-events.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { releaseFreePages } from '../libc.ts';
import type { Log } from '../log.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { DesiredTable } from '../model/desired.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { Neighbour } from '../model/listing.ts';
import { changeObject, type Key, type Link } from '../model/object.ts';
import type { Pace } from '../model/pace.ts';
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
import type { EipStatus } from '../status/eips.ts';
import { eipOf } from '../status/need.ts';
import { type ObjectsStatus, objectStatuses } from '../status/objects.ts';
import { type Health, summaryOf } from '../status/state.ts';
import type { AnyStatus, Figures, StatusInputs } from '../status/status.ts';
import { DaemonError } from './daemon-error.ts';
import { Journal } from './journal.ts';
import { listenReadOnly } from './listener.ts';
import { Live } from './live.ts';
import { monitoring } from './monitoring.ts';
import { namespaceAnswer } from './namespace.ts';
import type { Notify } from './notify.ts';
import { type Answer, type Command, type Question, serve } from './socket.ts';

/** Options of a daemon of either role. */
export interface DaemonOptions {
  readonly release: string;
  readonly log: Log;
  readonly notify: Notify;
  /** What the log said last. */
  readonly recent: RecentEvents;
  /** Upper limit in ms for the resync interval, for systemd's watchdog. */
  readonly longestRest: number;
  /** The configuration file, for the status. */
  readonly configFile: string | undefined;
}

/** ms between two status texts for systemd */
const tellEvery = 1000;

/** The state of a daemon after its last round. */
export interface DaemonState extends StatusInputs {
  /** As of the last dump, like the neighbours. */
  readonly links: readonly Link[];
  readonly neighbours: readonly Neighbour[];
  /** Set while the kernel cannot be read. */
  readonly unreadable: KernelUnreadable | undefined;
  /** The known state of the kernel, and the table that the last report is about. */
  readonly actual: Actual | undefined;
  readonly desired: DesiredTable | undefined;
}

/** The part of a daemon that depends on its role. Its methods are called each time: a reload changes their results. */
export interface DaemonRole {
  /** Former and present paths of the EIPs, for the journal; undefined on a node. */
  history(): PathHistory | undefined;
  /** The nodes that an EIP leaves and that keep its flows, for the journal; absent on a node. */
  readonly leaving?: (path: Path) => readonly string[];
  /** Further questions of the socket, by path; the answers are JSON. */
  readonly questions: ReadonlyMap<string, (state: DaemonState, query: URLSearchParams) => Answer>;
  /** The commands of the socket, beside those of every daemon. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Called after a round, once the journal has its report. */
  rounded(report: Report): void;
  readonly name: RoleName;
  readonly runtimeDirectory: string;
  /** The journal event of the start. */
  readonly start: { readonly event: EventName; readonly facts: object };
  /** Nothing is deleted before the lists of the cluster have arrived. */
  readonly waitsForLists: boolean;
  role(): Role;
  pace(): Pace;
  /** Refreshes what no round reads; called before each answer. */
  look(signal: AbortSignal): Promise<void>;
  health(state: DaemonState): Health;
  status(state: DaemonState): AnyStatus;
  figures(state: DaemonState): Figures;
  /** In no order. */
  eips(state: DaemonState): Iterable<EipStatus>;
  /** The read-only listener; undefined: none. */
  readonly listen: ListenAddress | undefined;
  /** ms since the epoch when the credentials for the API end; undefined: they do not say */
  credentialsEnd(): number | undefined;
  /** How often the Lease went from one gateway to another; undefined: there is none. */
  leaseTransitions(): number | undefined;
}

/** The interface of a daemon for its watches. */
export interface DaemonHandle {
  readonly roundSignal: RoundSignal;
  readonly journal: Journal;
  /** As of the last dump. */
  links(): readonly Link[];
  /** Whether our object with this key is in the kernel, by the last dump and our own writes. */
  has(key: Key): boolean;
  /** The known state of the kernel. */
  actual(): Actual | undefined;
  /** A person requested the change: the guard does not hold it, unless it holds another one already. */
  asked(): void;
}

/** A source of work beside the kernel: starts rounds until the signal is aborted. */
export type Watch = (handle: DaemonHandle, signal: AbortSignal) => Promise<void>;

/** Runs the loop with journal, socket and systemd notifications until the signal is aborted. */
export async function runDaemon(
  daemonRole: DaemonRole,
  kernel: Kernel,
  watches: readonly Watch[],
  { release, log, notify, recent, longestRest, configFile }: DaemonOptions,
  signal: AbortSignal,
): Promise<void> {
  const started = systemClock.now();
  const clock = systemClock.now;
  const reconciler = new Reconciler(kernel, clock);
  const roundSignal = new RoundSignal();
  const journal = new Journal(log, clock, daemonRole.waitsForLists ? 'lists to come' : 'no lists');
  let report: LastReport | undefined;
  let unreadable: KernelUnreadable | undefined;
  const names: LinkNames = (index) =>
    reconciler.links.find((link) => link.index === index)?.name ?? `if${index}`;
  const host = hostname();
  const repairs: { count: number; last: number | undefined } = { count: 0, last: undefined };
  /** The role of the present round, and the table that the last report is about. */
  let role = daemonRole.role();
  let desired: DesiredTable | undefined;
  const state = (): DaemonState => ({
    release,
    host,
    pid: process.pid,
    started,
    now: clock(),
    config: configFile,
    repairs,
    names,
    links: reconciler.links,
    neighbours: reconciler.neighbours,
    report,
    unreadable,
    actual: reconciler.actual,
    desired,
  });
  const health = (): Health => daemonRole.health(state());
  const sentence = (): string => {
    const { state: word, summary } = health();
    return `${word}: ${summary}`;
  };

  const metrics = new Metrics(daemonRole.name);
  const replies = monitoring({
    metrics,
    recent,
    started,
    look: () => daemonRole.look(signal),
    figures: () => daemonRole.figures(state()),
    sentence,
    readable: () => unreadable === undefined,
    credentialsEnd: () => daemonRole.credentialsEnd(),
    leaseTransitions: () => daemonRole.leaseTransitions(),
    clock: systemClock,
  });
  await using _listener =
    daemonRole.listen &&
    (await listenReadOnly(daemonRole.listen, {
      replies,
      page: readPage(),
      live: new Live({
        recent,
        look: () => daemonRole.look(signal),
        status: () => daemonRole.status(state()),
        eips: () => daemonRole.eips(state()),
      }),
    }));
  await using _socket = await serve(daemonRole.runtimeDirectory, daemonRole.name, {
    questions: questionsOf(daemonRole, state, recent, signal),
    commands: daemonRole.commands,
    replies,
    release: (eips) => {
      const count = releaseHeld(eips, report?.held ?? [], reconciler, log);
      if (count > 0) roundSignal.notify({ kind: 'operator', text: 'released by an operator' });
      return count;
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
    actual: () => reconciler.actual,
    asked: () => {
      if (!isDoubted(report)) reconciler.agree();
    },
  };

  // The end of one part ends all: a daemon with a broken part must not look alive.
  const stop = new AbortController();
  const any = AbortSignal.any([signal, stop.signal]);
  /** Once a second, not once a round: its cost must not grow with the load. */
  const tell = async (): Promise<void> => {
    while (!any.aborted) {
      journal.state(health());
      notify.status(sentence);
      await sleep(tellEvery, undefined, { signal: any });
    }
  };
  const parts = [
    tell(),
    listen(kernel.hints(any), (hint) => roundSignal.notify(hint)),
    ...watches.map((watch) => watch(handle, any)),
    listen(rounds({ reconciler, roundSignal, role: takeRole, pace, clock }, any), (result) => {
      if ('error' in result) {
        unreadable = result;
        journal.kernelUnreadable(result);
        return;
      }
      unreadable = undefined;
      metrics.rounded(result, sinceEvent(result, roundSignal));
      journal.round(result, names, () => daemonRole.history(), daemonRole.leaving);
      const first = report === undefined;
      report = lastOf(result);
      desired = role.desire.table;
      if (result.repaired.size > 0) {
        repairs.count += result.repaired.size;
        repairs.last = result.at;
      }
      daemonRole.rounded(result);
      if (first) {
        notify.status(sentence);
        notify.ready();
      }
      notify.alive();
      // Lists of thousands of objects leave free pages behind, which glibc keeps: 10 to 17 MiB after a start.
      if (result.reasons.some(({ kind }) => kind === 'resync')) releaseFreePages();
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

/** The questions that the socket answers, by their paths. */
function questionsOf(
  daemonRole: DaemonRole,
  state: () => DaemonState,
  recent: RecentEvents,
  signal: AbortSignal,
): ReadonlyMap<string, Question> {
  const question =
    (answer: (query: URLSearchParams) => Answer): Question =>
    async (query) => {
      await daemonRole.look(signal);
      return answer(query);
    };
  const summary = () => summaryOf(daemonRole.health(state()));
  const objects = (): ObjectsStatus => {
    const { actual, desired, report, names } = state();
    if (actual === undefined || desired === undefined || report === undefined)
      return { ...summary(), objects: [] };
    return { ...summary(), objects: objectStatuses({ desired, actual, report }, names) };
  };
  return new Map([
    ['/status', question(() => JSON.stringify(daemonRole.status(state())))],
    ['/synced', question(() => JSON.stringify(summary()))],
    ['/objects', question(() => JSON.stringify(objects()))],
    ['/namespace', () => namespaceAnswer()],
    ['/events', (query) => eventsAnswer(recent, Number(query.get('after') ?? 0))],
    ...[...daemonRole.questions].map(([path, answer]): [string, Question] => [
      path,
      question((query) => answer(state(), query)),
    ]),
  ]);
}

/**
 * Releases held deletes; the next round executes them.
 *
 * @returns how many
 * @throws DaemonError when an EIP has none
 */
function releaseHeld(
  eips: readonly string[] | 'all',
  held: readonly Held[],
  reconciler: Reconciler,
  log: Log,
): number {
  const released = eips === 'all' ? held.filter(isTooMany) : heldDeletes(held, eips);
  if (released.length === 0) return 0;
  const facts = eips === 'all' ? {} : { eip: eips };
  log.warn({ event: 'released', ...facts }, 'an operator released held deletes');
  if (eips === 'all') reconciler.agree();
  else reconciler.release(released);
  return released.length;
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

/** `/events?after=NUMBER`: the events that are still in memory; earlier ones may have been dropped. */
function eventsAnswer(recent: RecentEvents, after: number): string {
  return JSON.stringify({ version: 1, last: recent.last, events: [...recent.after(after)] });
}

export async function listen<T>(source: AsyncIterable<T>, hear: (value: T) => void): Promise<void> {
  for await (const value of source) hear(value);
}
