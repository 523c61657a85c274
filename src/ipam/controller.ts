import type { Clock } from '../cluster/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Outcome, Writer } from '../cluster/writer.ts';
import { clusterOf, type Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { Allocator, type Terms } from './allocator.ts';
import { type Book, BookKeeper } from './book.ts';
import { ServiceChanges } from './changes.ts';
import { due, type EventDraft, type Task } from './due.ts';
import { EventRecorder, iso } from './event-recorder.ts';
import { problemsOf } from './problems.ts';
import { sameIps } from './same-ips.ts';
import { WorkQueue } from './work-queue.ts';
import { WriteConflicts } from './write-conflicts.ts';
import { defaultWritePace, type WritePace, WriteQueue } from './write-queue.ts';

export interface ControllerOptions {
  readonly cluster: Cluster;
  /** Writes to the cluster that a Service is in. */
  readonly writer: Writer;
  /** The same object as long as nothing in it has changed. */
  readonly terms: () => Terms;
  /** Whether an EIP leads to its Service in the kernel of this gateway. */
  readonly routed: (ip: Ip) => boolean;
  /** Whether a node's dataplane has said that it serves the Service `namespace/name`, where it can say so. */
  readonly answered: (service: string) => boolean;
  /** Whether this gateway writes: of several, the one that holds the Lease does. */
  readonly leads: () => boolean;
  /**
   * The number of our turn as the writer of a cluster, by the cluster's name: another one when another gateway may have
   * written since. undefined: we may not write there. Absent: no other gateway ever does.
   */
  readonly turn?: (cluster: string | undefined) => number | undefined;
  readonly clock: Clock;
  readonly pace?: WritePace;
}

/** An address was given to a Service or taken from it, and the API has it. */
export interface AssignmentChange {
  readonly service: string;
  readonly ips: readonly Ip[];
  readonly pool: string | undefined;
}

/**
 * Reconciles the statuses of Services with the decisions of the allocator: takes one Service after the other from a
 * work queue, decides, writes, and queues the Services that the decision affects. Level-triggered: all state that survives a
 * restart is in the cluster.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue<string>;
  /** By the name of the cluster: one that takes no writes delays those of no other. */
  readonly #writing = new Map<string | undefined, Writing>();
  readonly #conflicts = new WriteConflicts();
  readonly #services: ServiceChanges;
  #allocator: Allocator | undefined;
  #terms: Terms | undefined;
  /** When a change of the Serving condition alone is written, in ms since the epoch. */
  readonly #idle = new Map<string, number>();
  /** Addresses that another program wrote over ours, once counted as a conflict. */
  readonly #overwritten = new Map<string, readonly Ip[]>();
  /** Services as they were before our last writes, until the cluster shows them otherwise: not written by others since. */
  readonly #replaced = new Map<string, Service>();
  #changes: AssignmentChange[] = [];
  /** The text that was last reported. */
  #trouble: string | undefined;
  readonly #books = new BookKeeper();
  /** The book that the allocator decides by. */
  #book: Book | undefined;

  constructor(options: ControllerOptions) {
    const { clock, cluster } = options;
    this.#options = options;
    this.#queue = new WorkQueue(clock);
    this.#services = new ServiceChanges(cluster);
  }

  /** The terms or the leadership have changed. */
  notify(): void {
    this.#queue.add(everything);
  }

  /**
   * The API server is there again after an outage: writes that wait for it go now.
   *
   * @param cluster its name; absent: it is the only one
   */
  recovered(cluster?: string): void {
    this.#writing.get(cluster)?.queue.recovered();
    this.#queue.add(everything);
  }

  /** Routes of these EIPs have come or gone. */
  rerouted(ips: Iterable<Ip>): void {
    const assignments = this.#allocator?.assignments;
    for (const ip of ips) for (const { key } of assignments?.claimants(ip) ?? []) this.#queue.add(key);
  }

  /** A node's dataplane has said that it serves the Service `namespace/name`. */
  answered(service: string): void {
    this.#queue.add(service);
  }

  /** The allocator with its assignments; undefined while another gateway writes. */
  get allocator(): Allocator | undefined {
    return this.#allocator;
  }

  /** What a person should know. */
  problems(): readonly Problem[] {
    const now = this.#options.clock.now();
    const each = [...this.#writing];
    return problemsOf(this.#allocator, {
      writing: each.map(([cluster, { queue, recorder }]) => ({
        cluster,
        trouble: queue.trouble,
        eventTrouble: recorder.trouble,
      })),
      refused: new Map(each.flatMap(([, { queue }]) => [...queue.refused])),
      contested: this.#conflicts.resting(now),
    });
  }

  /** Runs until the signal is aborted. Yields assignment changes; an empty list: only {@link problems} have changed. */
  async *run(signal: AbortSignal): AsyncGenerator<readonly AssignmentChange[]> {
    const following = this.#follow(signal);
    this.#queue.add(everything);
    try {
      for await (const _ of this.#queue.ready(signal)) {
        this.#work(signal);
        const trouble = this.#troubleText();
        if (this.#changes.length === 0 && trouble === this.#trouble) continue;
        this.#trouble = trouble;
        const changes = this.#changes;
        this.#changes = [];
        yield changes;
      }
    } finally {
      await Promise.all([...this.#writing.values()].map(({ queue }) => queue.end()));
      await following;
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const delta of this.#options.cluster.changes(signal)) {
      this.#services.note(delta);
      this.#queue.add(everything);
    }
  }

  /** Takes all keys that are ready. */
  #work(signal: AbortSignal): void {
    do {
      for (let key = this.#queue.take(); key !== undefined; key = this.#queue.take()) {
        if (key === everything) this.#lookAround();
        else if (this.#reconcile(key, signal)) continue;
        this.#queue.done(key);
      }
    } while (this.#refill());
  }

  /** Queues Services that wait to be written, in every cluster. @returns whether there were any */
  #refill(): boolean {
    let any = false;
    for (const { queue } of this.#writing.values()) any = queue.refill() || any;
    return any;
  }

  /** Of the cluster that a Service is in. */
  #writingOf(key: string): Writing {
    const cluster = clusterOf(key);
    let writing = this.#writing.get(cluster);
    if (writing === undefined) {
      const { writer, clock, pace = defaultWritePace } = this.#options;
      writing = {
        queue: new WriteQueue(writer, this.#queue, clock, pace),
        recorder: new EventRecorder(writer, clock),
      };
      this.#writing.set(cluster, writing);
    }
    return writing;
  }

  /** The refused writes and events as one text, so that a change is noticed; undefined: none are refused. */
  #troubleText(): string | undefined {
    const messages = [...this.#writing.values()].flatMap(
      ({ queue, recorder }) => (queue.trouble ?? recorder.trouble)?.message ?? [],
    );
    return messages.length === 0 ? undefined : messages.join('\n');
  }

  /** Reads the changes of cluster, terms and leadership. */
  #lookAround(): void {
    const { leads, terms } = this.#options;
    // A gateway that does not write keeps no assignments: it reads them from the statuses when its turn comes.
    if (!leads()) {
      this.#standDown();
      return;
    }
    const book = this.#lookAtClusters();
    if (book === undefined) return;
    const now = terms();
    const changed = this.#services.take();
    if (this.#allocator !== undefined && this.#terms === now && this.#book === book) {
      this.#enqueue(changed);
      return;
    }
    this.#allocator = new Allocator(now, (key) => this.#queue.add(key), { before: this.#allocator, book });
    this.#terms = now;
    this.#book = book;
    // All at once: the allocator has the order in which they are decided.
    this.#enqueue(new Set([...this.#services.keys(), ...changed]));
  }

  /** @returns undefined: nothing can be decided yet */
  #lookAtClusters(): Book | undefined {
    const { cluster, turn = ours } = this.#options;
    const before = this.#books.book;
    const book = this.#books.look({
      overview: cluster.overview(),
      turn,
      isBusy: (name) => this.#writing.get(name)?.queue.isBusy === true,
    });
    // Services that were read before may be older than the state that says the lists are complete.
    if (book !== before) this.#services.noteAll();
    return book;
  }

  #mayWrite(key: string): boolean {
    return this.#books.isOpen(clusterOf(key), this.#options.turn ?? ours);
  }

  #standDown(): void {
    this.#allocator = undefined;
    this.#books.forget();
    this.#idle.clear();
    this.#overwritten.clear();
    this.#replaced.clear();
  }

  /** Takes in Services as they are now, and queues them and the Services that they affect. */
  #enqueue(keys: ReadonlySet<string>): void {
    const services: Service[] = [];
    const gone: string[] = [];
    for (const key of keys) {
      const service = this.#services.service(key);
      if (service === undefined) gone.push(key);
      else services.push(service);
    }
    for (const key of gone) this.#forget(key);
    this.#allocator?.observe(services, gone);
    // Services that hold nothing as well: their objects may have something of ours that is to be removed.
    for (const service of services) this.#queue.add(service.key);
  }

  /** Detects foreign writes to our status. */
  #watchForOthers(service: Service, allocator: Allocator, now: number): void {
    const key = service.key;
    const { ingress, type } = service;
    if (this.#replaced.get(key) === service) return;
    this.#replaced.delete(key);
    // A change of type clears the status, without another writer.
    if (type !== 'LoadBalancer') return;
    const before = this.#overwritten.get(key);
    if (!allocator.isOverwritten(service)) this.#overwritten.delete(key);
    else if (before === undefined || !sameIps(before, ingress)) {
      this.#overwritten.set(key, ingress);
      this.#conflicts.overwritten(key, now);
    }
  }

  #forget(key: string): void {
    this.#idle.delete(key);
    this.#overwritten.delete(key);
    this.#replaced.delete(key);
    this.#conflicts.forget(key);
    this.#writingOf(key).queue.forget(key);
  }

  /** @returns whether a write has begun; its end ends the work on this key */
  #reconcile(key: string, signal: AbortSignal): boolean {
    const { leads, clock } = this.#options;
    if (!leads()) this.#standDown();
    const allocator = this.#allocator;
    const service = this.#services.service(key);
    if (allocator === undefined || service === undefined) return false;
    const now = clock.now();
    this.#watchForOthers(service, allocator, now);
    const task = this.#due(service, allocator);
    if (task === undefined) {
      this.#queue.forget(key);
      return false;
    }
    const at = this.#startsAt(key, task, now);
    if (at > now) {
      this.#queue.addAfter(key, at - now);
      return false;
    }
    // Another gateway may hold its Lease; when we do, all are queued again.
    if (!this.#mayWrite(key)) return false;
    const { queue } = this.#writingOf(key);
    if (!queue.admits(key)) return false;
    this.#idle.delete(key);
    const pool = allocator.decisions.get(key)?.pool;
    const end = allocator.begin(service, task);
    queue.start(
      service,
      task,
      (outcome) => {
        end(outcome);
        this.#ended(service, task, pool, outcome, signal);
      },
      signal,
    );
    return true;
  }

  #due(service: Service, allocator: Allocator): Task | undefined {
    const { routed, answered, terms, clock } = this.#options;
    const decision = allocator.converge(service.key);
    return due(service, decision, {
      allocation: terms().allocation,
      routed,
      answered: (one) => answered(one.key),
      lingers: (one) => {
        const lingers = this.#lingers(one, allocator);
        // A report of its own routes queues it again. Routes of an address that it shares with a Service that goes do
        // not, so they are looked at again.
        if (lingers) this.#queue.addAfter(one.key, lookAgain);
        return lingers;
      },
      unconfirmed: (one) => allocator.isUnconfirmed(one),
      now: iso(clock.time()),
    });
  }

  /** Whether an address that no other Service will hold still has its route. */
  #lingers(service: Service, allocator: Allocator): boolean {
    const key = service.key;
    const own = [...service.ingress, ...service.externalIps, ...(allocator.wrote(service) ?? [])];
    return own.some((ip) => {
      const others = allocator.assignments.holders(ip);
      return this.#options.routed(ip) && !others.some((one) => one.key !== key && one.role !== 'leaving');
    });
  }

  /** @returns when the write may begin, in ms since the epoch; not later than now: at once */
  #startsAt(key: string, task: Task, now: number): number {
    if (task.kind !== 'status') return now;
    if (!task.idle) return (task.ingress && this.#conflicts.restsUntil(key, now)) ?? now;
    const at = this.#idle.get(key) ?? now + (this.#options.pace ?? defaultWritePace).idle;
    this.#idle.set(key, at);
    return at;
  }

  #ended(
    service: Service,
    task: Task,
    pool: string | undefined,
    outcome: Outcome,
    signal: AbortSignal,
  ): void {
    const key = service.key;
    // A cluster may be opened after its last write from before, and a report wait for its trouble.
    if (!this.#mayWrite(key) || this.#troubleText() !== this.#trouble) this.#queue.add(everything);
    this.#allocator?.ended(key);
    if (task.kind !== 'status') return;
    if (outcome.kind === 'stale' && this.#overwritten.has(key)) this.#conflicts.retract(key);
    if (outcome.kind !== 'done') return;
    this.#overwritten.delete(key);
    // The watch may be ahead of the answer: nothing forgets what is set for a Service that has gone.
    if (this.#services.service(key) === service) this.#replaced.set(key, service);
    if (task.ingress && !sameIps(task.ingress, service.ingress)) {
      this.#changes.push({ service: key, ips: task.ingress, pool });
    }
    for (const draft of task.events) this.#record(service, draft, signal);
  }

  #record(service: Service, draft: EventDraft, signal: AbortSignal): void {
    const { recorder } = this.#writingOf(service.key);
    const before = recorder.trouble?.message;
    const recorded = recorder.record(service, draft, signal).then(() => {
      // A pass over everything reports the changed problems.
      if (recorder.trouble?.message !== before) this.#queue.add(everything);
    });
    recorded.catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** The writes to one cluster. */
interface Writing {
  readonly queue: WriteQueue;
  readonly recorder: EventRecorder;
}

/** The turn where no other gateway ever writes. */
const ours = (): number => 0;

/** ms after which a Service that waits for the deletion of its routes is checked again, without a report of routes */
const lookAgain = 5000;

/** The key of the cluster as a whole: it is no name of a Service. */
const everything = '';
