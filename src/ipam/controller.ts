import type { Clock } from '../cluster/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { Signal } from '../cluster/signal.ts';
import type { Writer } from '../cluster/writer.ts';
import { type Service, serviceName } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { Alarm } from './alarm.ts';
import { Allocator, sameIps, type Terms } from './allocator.ts';
import { changesBetween } from './changes.ts';
import { Chronicle, iso } from './chronicle.ts';
import { Contests } from './contests.ts';
import { Desk, type DeskPace, defaultDeskPace } from './desk.ts';
import { due, type Task } from './due.ts';
import { problemsOf } from './problems.ts';

export interface ControllerOptions {
  readonly cluster: Cluster;
  readonly writer: Writer;
  /** The same object as long as nothing in it has changed. */
  readonly terms: () => Terms;
  /** Whether an EIP leads to its Service in the kernel of this gateway. */
  readonly routed: (ip: Ip) => boolean;
  /** Whether it is us who writes: with several gateways, the one that holds the Lease. */
  readonly leads: () => boolean;
  readonly clock: Clock;
  readonly pace?: DeskPace;
}

/** An address was given to a Service or taken from it, and the API has it. */
export interface Deed {
  readonly service: string;
  readonly ips: readonly Ip[];
  readonly pool: string | undefined;
}

/**
 * Keeps the statuses of Services as the allocator decides. Level-triggered: each pass thinks over what has changed,
 * and starts what is due; nothing that is not in the cluster is remembered over a restart.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #bell = new Signal(() => {});
  readonly #desk: Desk;
  readonly #chronicle: Chronicle;
  readonly #contests = new Contests();
  #allocator: Allocator | undefined;
  #terms: Terms | undefined;
  #seen: readonly Service[] = [];
  readonly #services = new Map<string, Service>();
  /** Changed while a write of theirs was on its way. */
  readonly #late = new Set<string>();
  /** Of these it is not known yet that nothing is due. */
  readonly #open = new Set<string>();
  /** Only their routes keep these from what is due. */
  readonly #lingering = new Set<string>();
  /** What is due, but not yet, and when in ms. */
  readonly #later = new Map<string, number>();
  #next = Number.POSITIVE_INFINITY;
  /** The addresses that we last wrote into a status. */
  readonly #written = new Map<string, { readonly uid: string; readonly ips: readonly Ip[] }>();
  #deeds: Deed[] = [];
  #trouble: string | undefined;

  constructor(options: ControllerOptions) {
    const { writer, clock, pace = defaultDeskPace } = options;
    this.#options = options;
    this.#desk = new Desk(writer, clock, pace);
    this.#chronicle = new Chronicle(writer, clock);
  }

  /** Something that options tell of has changed: terms, or who leads. */
  poke(): void {
    this.#bell.notify();
  }

  /** Routes of these EIPs have come or gone. */
  rerouted(ips: Iterable<Ip>): void {
    for (const ip of ips) for (const { key } of this.#allocator?.books.holders(ip) ?? []) this.#open.add(key);
    for (const key of this.#lingering) this.#open.add(key);
    if (this.#open.size > 0) this.#bell.notify();
  }

  /** With the books; undefined while somebody else writes. */
  get allocator(): Allocator | undefined {
    return this.#allocator;
  }

  /** What a person should know. */
  problems(): readonly Problem[] {
    const now = this.#options.clock.now();
    const { trouble, refused } = this.#desk;
    return problemsOf(this.#allocator, {
      trouble,
      eventTrouble: this.#chronicle.trouble,
      refused,
      contested: this.#contests.resting(now),
    });
  }

  /** Runs until the signal; yields what was done, and nothing when only {@link problems} have changed. */
  async *run(signal: AbortSignal): AsyncGenerator<readonly Deed[]> {
    const { cluster, clock } = this.#options;
    const beats = this.#bell.listen(signal);
    const alarm = new Alarm(clock, () => this.#bell.notify(), signal);
    const passing = this.#pass(cluster.changes(signal));
    this.#bell.notify();
    try {
      for await (const _ of beats) {
        this.#think();
        alarm.set(this.#start(signal));
        const { trouble = this.#chronicle.trouble } = this.#desk;
        if (this.#deeds.length === 0 && trouble === this.#trouble) continue;
        this.#trouble = trouble;
        const deeds = this.#deeds;
        this.#deeds = [];
        yield deeds;
      }
    } finally {
      await this.#desk.end();
      await passing;
    }
  }

  async #pass(changes: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of changes) this.#bell.notify();
  }

  #think(): void {
    const { cluster, leads, terms } = this.#options;
    const snapshot = cluster.snapshot();
    // Whoever does not write makes no promises: it reads the books anew when its time comes.
    if (!leads() || !snapshot.complete) {
      this.#allocator = undefined;
      this.#written.clear();
      this.#open.clear();
      return;
    }
    const { changed, gone } = changesBetween(this.#seen, snapshot.services);
    this.#seen = snapshot.services;
    for (const service of changed) this.#services.set(serviceName(service), service);
    for (const key of gone) this.#lose(key);
    const now = terms();
    if (this.#allocator === undefined || this.#terms !== now) {
      this.#allocator = new Allocator(now, this.#allocator?.promised);
      this.#terms = now;
      this.#late.clear();
      this.#tell(this.#seen, []);
      // Those that are nobody's may have something of ours to clear away.
      for (const service of this.#seen) this.#open.add(serviceName(service));
      return;
    }
    const told: Service[] = [];
    const left: string[] = [];
    const keys = new Set([...changed.map(serviceName), ...gone, ...this.#late]);
    this.#late.clear();
    for (const key of keys) {
      const service = this.#services.get(key);
      // What is on its way was decided on the former picture; to think again now could promise it twice.
      if (this.#desk.isBusy(key)) this.#late.add(key);
      else if (service === undefined) left.push(key);
      else told.push(service);
    }
    for (const service of told) this.#watchOut(service);
    if (told.length + left.length > 0) this.#tell(told, left);
  }

  #tell(changed: readonly Service[], gone: readonly string[]): void {
    for (const key of this.#allocator?.tell(changed, gone) ?? []) this.#open.add(key);
    for (const service of changed) this.#open.add(serviceName(service));
  }

  /** For somebody else who writes what is ours to write. */
  #watchOut(service: Service): void {
    const key = serviceName(service);
    const written = this.#written.get(key);
    if (written === undefined || sameIps(written.ips, service.ingress)) return;
    this.#written.delete(key);
    // A type that changes clears the status by itself, and who comes after a deletion has one of its own.
    if (service.type === 'LoadBalancer' && service.uid === written.uid)
      this.#contests.overwritten(key, this.#options.clock.now());
  }

  #lose(key: string): void {
    this.#services.delete(key);
    this.#later.delete(key);
    this.#written.delete(key);
    this.#contests.forget(key);
    this.#desk.forget(key);
  }

  /** Starts what is due. @returns when the next of it is due, in ms since the epoch */
  #start(signal: AbortSignal): number {
    const now = this.#options.clock.now();
    if (this.#allocator === undefined) return Number.POSITIVE_INFINITY;
    this.#reopen(now);
    for (const key of this.#open) {
      if (this.#desk.isBusy(key) || this.#late.has(key)) continue;
      const service = this.#services.get(key);
      const task = service && this.#due(service, now);
      this.#later.delete(key);
      if (service === undefined || task === undefined) {
        this.#open.delete(key);
        continue;
      }
      const rest = task.kind === 'status' && task.ingress ? this.#contests.restsUntil(key, now) : undefined;
      const at = Math.max(this.#desk.startsAt(key, task), rest ?? 0);
      if (at > now) {
        this.#open.delete(key);
        this.#later.set(key, at);
        this.#next = Math.min(this.#next, at);
        continue;
      }
      // The end of any write brings us here again.
      if (this.#desk.full) break;
      this.#begin(service, task, signal);
    }
    return this.#next;
  }

  /** What was due later, and is now. */
  #reopen(now: number): void {
    if (now < this.#next) return;
    this.#next = Number.POSITIVE_INFINITY;
    for (const [key, at] of this.#later) {
      if (at <= now) this.#open.add(key);
      else this.#next = Math.min(this.#next, at);
    }
  }

  #due(service: Service, now: number): Task | undefined {
    const { routed, terms } = this.#options;
    const key = serviceName(service);
    this.#lingering.delete(key);
    return due(service, this.#allocator?.verdicts.get(key), {
      allocation: terms().allocation,
      routed,
      lingers: (one) => this.#lingers(one),
      now: iso(now),
    });
  }

  /** Routes of an address that others hold as well are not this Service's alone. */
  #lingers(service: Service): boolean {
    const key = serviceName(service);
    const own = [...service.ingress, ...service.externalIps, ...(this.#written.get(key)?.ips ?? [])];
    const lingers = own.some((ip) => {
      const others = this.#allocator?.books.holders(ip) ?? [];
      return this.#options.routed(ip) && !others.some((one) => one.key !== key && one.role !== 'leaving');
    });
    if (lingers) this.#lingering.add(key);
    return lingers;
  }

  #begin(service: Service, task: Task, signal: AbortSignal): void {
    const key = serviceName(service);
    const verdict = this.#allocator?.verdicts.get(key);
    if (task.kind === 'status' && task.ingress)
      this.#written.set(key, { uid: service.uid, ips: task.ingress });
    this.#desk.start(
      service,
      task,
      (outcome) => {
        this.#open.add(key);
        if (outcome.kind === 'done' && task.kind === 'status') {
          if (task.ingress) this.#deeds.push({ service: key, ips: task.ingress, pool: verdict?.pool });
          for (const note of task.events) this.#note(service, note, signal);
        } else if (outcome.kind !== 'done' && task.kind === 'status' && task.ingress) {
          this.#written.delete(key);
        }
        this.#bell.notify();
      },
      signal,
    );
  }

  #note(service: Service, note: Parameters<Chronicle['tell']>[1], signal: AbortSignal): void {
    const told = this.#chronicle.tell(service, note, signal).then(() => this.#bell.notify());
    told.catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
