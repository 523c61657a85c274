import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Delta, Node, Overview, Service, Snapshot } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { ClusterLog, logLine } from './cluster-log.ts';
import { everything, GrowingDelta, mergeDelta, nothing } from './delta.ts';
import { encodeNode, encodeService } from './encode.ts';
import { isFileError } from './file-error.ts';
import { type RememberedState, readState, readStateInPortions } from './remembered-state.ts';
import { Signal } from './signal.ts';
import { needsState } from './state-need.ts';
import { ClusterStore } from './store.ts';

export interface RememberedOptions {
  /** ms between two ticks; a change is saved one to two ticks after it came in */
  readonly every: number;
  readonly clock: Clock;
  /**
   * False before a round has judged the lists, and while the guard holds deletes that the state of the source would
   * cause: a list that is suddenly empty must not replace the last known state.
   */
  readonly believed: () => boolean;
  /** Of the cluster; absent: there is one, without a name. */
  readonly name?: string;
  /**
   * When the file is read. At once: before anything is shown. When needed: see {@link needsState}; nothing is known until
   * then, as at a first start, and nothing at all where the lists come in first.
   */
  readonly reads: 'at once' | 'when needed';
}

const standard: RememberedOptions = {
  every: 5000,
  clock: systemClock,
  believed: () => true,
  reads: 'at once',
};

/** A cluster whose last known state survives a restart. */
export interface RememberedCluster extends Cluster {
  /**
   * Saves these changes now. To be called after the round that applied them: by then `believed` has judged them, and
   * an EIP that the round withdrew must not return after a crash with the API down.
   */
  save(delta: Delta): Promise<void>;
}

/**
 * A cluster with its last known state, which is read from a file and shown until the real source is complete. EIPs are
 * routed after a reboot even while the API is down.
 *
 * A source that answers late, or fails after a part of its lists, changes nothing of what is shown: that is one whole
 * state, the last known one or that of the source, and never a part of a list. Lists that come in while the file is being
 * read end that.
 *
 * @param cluster the real source; disposed of together with this one
 * @param file a log, see cluster-log.ts; a List that an older version wrote is read as well
 */
export function remembered(
  cluster: Cluster,
  file: string,
  options: Partial<RememberedOptions> = {},
): RememberedCluster {
  const stop = new AbortController();
  const memory = new Memory(cluster, file, { ...standard, ...options });
  const running = memory.run(stop.signal);
  return {
    snapshot: () => memory.snapshot(),
    service: (key) => memory.service(key),
    services: () => memory.services(),
    overview: () => memory.overview(),
    changes: (signal) => memory.changes(AbortSignal.any([signal, stop.signal])),
    save: (delta) => memory.save(delta),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Fewer Services are not worth a walk over all of them. */
const many = 1000;

/** What is shown instead of the real source. */
interface Former {
  readonly store: ClusterStore;
  /** It is what the file says; false: the file was not needed yet, and the store is empty. */
  readonly isRemembered: boolean;
}

/** A cached value and its inputs. */
interface Derived<T extends Overview> {
  readonly live: T;
  readonly former: Former | undefined;
  readonly problem: Problem | undefined;
  readonly value: T;
}

class Memory {
  /** For each listener the loop that forwards the deltas of the real source to it. */
  readonly #listeners = new Map<Signal<Delta, GrowingDelta>, Promise<void>>();
  readonly #cluster: Cluster;
  readonly #file: string;
  readonly #options: RememberedOptions;
  #log: ClusterLog;
  /** undefined: the real source is shown. */
  #former: Former | undefined;
  /** A file is there that was neither read nor replaced. */
  #isUnread = false;
  #problem: Problem | undefined;
  #overview: Derived<Overview> | undefined;
  #snapshot: Derived<Snapshot> | undefined;
  /** Changes to be saved at the next tick. They are a tick old, so that a round has judged them. */
  #due = new GrowingDelta().merge(everything);
  /** Changes since the last tick. */
  #fresh = new GrowingDelta();
  /** The Nodes as they are in the log. */
  #nodes = new Map<string, Node>();
  #saving: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, file: string, options: RememberedOptions) {
    this.#cluster = cluster;
    this.#file = file;
    this.#options = options;
    this.#log = new ClusterLog(file, undefined);
    if (options.reads === 'at once') this.#take(readState(file, options.name));
    else {
      this.#former = { store: new ClusterStore(options.name), isRemembered: false };
      this.#isUnread = existsSync(file);
    }
  }

  snapshot(): Snapshot {
    const former = this.#current();
    const live = this.#cluster.snapshot();
    const problem = this.#problem;
    if (isOf(this.#snapshot, { live, former, problem })) return this.#snapshot.value;
    const value =
      former === undefined && problem === undefined
        ? live
        : { ...this.overview(), services: former?.store.snapshot().services ?? live.services };
    this.#snapshot = { live, former, problem, value };
    return value;
  }

  service(key: string): Service | undefined {
    return (this.#current()?.store ?? this.#cluster).service(key);
  }

  services(): Iterable<Service> {
    return (this.#current()?.store ?? this.#cluster).services();
  }

  overview(): Overview {
    const former = this.#current();
    const live = this.#cluster.overview();
    const problem = this.#problem;
    if (isOf(this.#overview, { live, former, problem })) return this.#overview.value;
    const value: Overview = {
      complete: live.complete,
      ...(former?.isRemembered && { remembered: true }),
      nodes: former?.store.overview().nodes ?? live.nodes,
      feeds: live.feeds,
      ...(live.apiPeers && { apiPeers: live.apiPeers }),
      problems: problem === undefined ? live.problems : [...live.problems, problem],
    };
    this.#overview = { live, former, problem, value };
    return value;
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    const listener = new Signal(mergeDelta);
    const passing = this.#pass(this.#cluster.changes(signal), listener);
    this.#listeners.set(listener, passing);
    return listener.listen(signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const collecting = this.#collect(this.#cluster.changes(end.signal));
    const opening = this.#openWhenNeeded(signal);
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.#options.every, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (!signal.aborted) await this.#inTurn(() => this.#tick());
    }
    await delivered();
    end.abort();
    // There is no next tick to wait for.
    this.#due.merge(this.#fresh);
    await this.#inTurn(() => this.#tick());
    await Promise.all([opening, collecting, ...this.#listeners.values()]);
    await this.#inTurn(() => this.#log.close());
  }

  async save(delta: Delta): Promise<void> {
    await delivered();
    await this.#inTurn(async () => {
      // When there is no file, the next tick writes one; nothing in it has to be undone.
      if (!this.#isCredible() || !(this.#log.isOpen || this.#isUnread)) return;
      const { services, nodes } = delta;
      if (!this.#log.isOpen || services === 'all' || this.#isMost(services)) {
        this.#due.merge(everything);
        await this.#tick();
        return;
      }
      // A change that comes in from now on is saved once more.
      for (const pending of [this.#due, this.#fresh]) pending.forget(delta);
      await this.#write(() => this.#log.append(this.#linesOf(services, nodes)));
    });
  }

  /**
   * The state that is shown instead of the real source. Readers switch to the source at the same moment at which the
   * listeners get a delta of everything.
   */
  #current(): Former | undefined {
    if (this.#former !== undefined && this.#cluster.overview().complete) {
      this.#former = undefined;
      this.#notify(everything);
    }
    return this.#former;
  }

  /** Until then nothing is known, and nothing that forwards packets is withdrawn. */
  async #openWhenNeeded(signal: AbortSignal): Promise<void> {
    if (!this.#isUnopened()) return;
    const { clock, name } = this.#options;
    if (!(await needsState(this.#cluster, clock, signal))) return;
    const found = await readStateInPortions(this.#file, name, {
      turn: delivered,
      isWanted: () => this.#isUnopened() && !signal.aborted,
    });
    if (found === undefined || !this.#isUnopened()) return;
    this.#take(found);
    this.#notify(everything);
  }

  #isUnopened(): boolean {
    return this.#current()?.isRemembered === false;
  }

  #take({ state, length, problem }: RememberedState): void {
    this.#former = state && { store: state, isRemembered: true };
    for (const node of state?.overview().nodes ?? []) this.#nodes.set(node.name, node);
    this.#problem = problem;
    this.#log = new ClusterLog(this.#file, length);
    this.#isUnread = false;
  }

  async #pass(changes: AsyncIterable<Delta>, listener: Signal<Delta, GrowingDelta>): Promise<void> {
    for await (const delta of changes) {
      const hidden = this.#current() !== undefined;
      listener.notify(hidden ? nothing : delta);
    }
    this.#listeners.delete(listener);
  }

  #notify(delta: Delta): void {
    for (const listener of this.#listeners.keys()) listener.notify(delta);
  }

  async #collect(changes: AsyncIterable<Delta>): Promise<void> {
    for await (const delta of changes) this.#fresh.merge(delta);
  }

  /** Runs writes one after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#saving = this.#saving.then(work);
    return this.#saving;
  }

  /** Most Services have changed, as in the first round of a start: the whole state is shorter than a log with all of them. */
  #isMost(services: ReadonlySet<string>): boolean {
    if (services.size < many) return false;
    let all = 0;
    for (const _ of this.#cluster.services()) all += 1;
    return services.size > all / 2;
  }

  #isCredible(): boolean {
    return this.#cluster.overview().complete && this.#options.believed();
  }

  async #tick(): Promise<void> {
    const due = this.#due;
    if (!this.#isCredible()) {
      this.#due = due.merge(this.#fresh);
      this.#fresh = new GrowingDelta();
      return;
    }
    const { services, nodes } = due;
    const isWhole = services === 'all' || !this.#log.isOpen || this.#log.isLong;
    // The whole state has the fresh changes as well: after the lists of a start they are all Services.
    this.#due = isWhole ? new GrowingDelta() : this.#fresh;
    this.#fresh = new GrowingDelta();
    await this.#write(async () => {
      if (isWhole) {
        // Where it fails, the next tick tries again, and not each round.
        this.#isUnread = false;
        await this.#log.compact(this.#allLines());
        return;
      }
      await this.#log.append(this.#linesOf(services, nodes));
      await this.#log.sync();
    });
  }

  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#report(undefined);
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#due.merge(everything);
      this.#report({
        code: 'cluster-not-remembered',
        severity: 'warn',
        subject: this.#file,
        message: `what is known of the cluster cannot be saved: ${error.message}; a reboot with the API down would lose it`,
        advice: `check space and permissions of ${dirname(this.#file)}`,
      });
    }
  }

  /** Records of the state at the time of the call; they may be consumed later. */
  #allLines(): Iterable<string> {
    const services = [...this.#cluster.services()];
    const { nodes } = this.#cluster.overview();
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    return linesOf(nodes, services);
  }

  /** Records of the state at the time at which each is consumed. */
  *#linesOf(services: ReadonlySet<string>, nodes: boolean): Generator<string> {
    if (nodes) yield* this.#nodeLines();
    for (const key of services) {
      const service = this.#cluster.service(key);
      yield logLine('Service', key, service && encodeService(service));
    }
  }

  /** Records of the Nodes that differ from the log. */
  #nodeLines(): string[] {
    const lines: string[] = [];
    const nodes = new Map(this.#cluster.overview().nodes.map((node) => [node.name, node]));
    for (const [name, node] of nodes) {
      if (this.#nodes.get(name) !== node) lines.push(logLine('Node', name, [encodeNode(node)]));
    }
    for (const name of this.#nodes.keys()) {
      if (!nodes.has(name)) lines.push(logLine('Node', name, undefined));
    }
    this.#nodes = nodes;
    return lines;
  }

  #report(problem: Problem | undefined): void {
    if (problem === undefined && this.#problem === undefined) return;
    this.#problem = problem;
    this.#notify(nothing);
  }
}

/** Lets the event loop go round once: the deltas that the source has notified have reached their listeners then. */
function delivered(): Promise<void> {
  return turn();
}

function isOf<T extends Overview>(
  derived: Derived<T> | undefined,
  { live, former, problem }: Omit<Derived<T>, 'value'>,
): derived is Derived<T> {
  return derived?.live === live && derived.former === former && derived.problem === problem;
}

function* linesOf(nodes: readonly Node[], services: readonly Service[]): Generator<string> {
  for (const node of nodes) yield logLine('Node', node.name, [encodeNode(node)]);
  for (const service of services) yield logLine('Service', service.key, encodeService(service));
}
