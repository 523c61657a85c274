import type { Cluster } from '../../../src/cluster/cluster.ts';
import { unionOf } from '../../../src/cluster/clusters.ts';
import { everything, type GrowingDelta, mergeDelta, nothing } from '../../../src/cluster/delta.ts';
import { Signal } from '../../../src/cluster/signal.ts';
import type { StatusPatch, Writer } from '../../../src/cluster/writer.ts';
import { type Lease, type Leases, type Outcome, RequestError } from '../../../src/cluster/writer.ts';
import { Allocating } from '../../../src/daemon/allocation.ts';
import type { Delta, Overview, Service, Snapshot } from '../../../src/model/cluster.ts';
import type { Pool } from '../../../src/model/gateway.ts';
import { cannotShare, sharingOf } from '../../../src/model/sharing.ts';
import { gateway as gatewayOf, snapshot } from '../../scene.ts';
import type { VirtualClock } from '../cluster/virtual-clock.ts';
import { patched } from './fake-api.ts';
import { allocation } from './fake-cluster.ts';

const leaseName = { namespace: 'kube-system', name: 'eiproute' };

/** The objects of one cluster, its Lease, and which gateways do not reach it. */
export class FakeApiServer {
  readonly name: string;
  readonly services = new Map<string, Service>();
  readonly cut = new Set<string>();
  /** The lists of it are long, and still on their way. */
  isListing = false;
  readonly views = new Set<View>();
  lease: Lease = { holder: undefined, duration: 15, acquired: undefined, renewed: undefined, transitions: 0 };
  leaseVersion = 0;
  /** Called after each write of a gateway. */
  written: (before: Service, after: Service | undefined) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  /** A person creates a Service or changes its spec. */
  put(service: Service): void {
    const before = this.services.get(service.key);
    if (before?.deleting === true) return;
    const ingress = service.type === 'LoadBalancer' ? (before?.ingress ?? []) : [];
    const { conditions = [], finalizer = false } = before?.request ?? {};
    const uid = before?.uid ?? service.uid;
    this.set({ ...service, uid, ingress, request: { ...service.request, conditions, finalizer } });
  }

  delete(key: string): void {
    const service = this.services.get(key);
    if (service === undefined) return;
    if (service.request.finalizer) this.set({ ...service, deleting: true });
    else this.remove(key);
  }

  set(service: Service): void {
    this.services.set(service.key, service);
    this.#tell(service.key);
  }

  remove(key: string): void {
    this.services.delete(key);
    this.#tell(key);
  }

  #tell(key: string): void {
    for (const view of this.views) view.heard(key);
  }
}

/** What one gateway sees of a cluster since its start, and its way to write there. */
export class View implements Cluster, Writer, Leases {
  readonly #api: FakeApiServer;
  readonly #gateway: string;
  readonly #clock: VirtualClock;
  readonly #signal = new Signal<Delta, GrowingDelta>(mergeDelta);
  #shown: Map<string, Service>;
  #complete = false;
  #isFollowing = false;
  #snapshot: Snapshot | undefined;
  isDead = false;

  /** @param former what the gateway remembers from before its start */
  constructor(
    api: FakeApiServer,
    gateway: string,
    former: ReadonlyMap<string, Service>,
    clock: VirtualClock,
  ) {
    this.#api = api;
    this.#gateway = gateway;
    this.#clock = clock;
    this.#shown = new Map(former);
    api.views.add(this);
    this.look();
  }

  /** What is kept on the disk. */
  get shown(): ReadonlyMap<string, Service> {
    return this.#shown;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** The API can be reached, or it can no more. */
  look(): void {
    const before = this.#isFollowing;
    this.#isFollowing = this.#isReached && !this.#api.isListing;
    if (before === this.#isFollowing) return;
    if (this.#isFollowing) {
      this.#shown = new Map(this.#api.services);
      this.#complete = true;
    }
    this.#snapshot = undefined;
    this.#signal.notify(this.#isFollowing ? everything : nothing);
  }

  heard(key: string): void {
    if (!this.#isFollowing) return;
    const service = this.#api.services.get(key);
    if (service === undefined) this.#shown.delete(key);
    else this.#shown.set(key, service);
    this.#snapshot = undefined;
    this.#signal.notify({ ...nothing, services: new Set([key]) });
  }

  snapshot(): Snapshot {
    const trouble = this.#isReached ? undefined : 'connect ECONNREFUSED';
    const cluster = this.#api.name;
    this.#snapshot ??= snapshot([], [...this.#shown.values()], {
      complete: this.#complete,
      ...(this.#complete ? {} : { remembered: true }),
      feeds: [{ cluster, resource: 'services', synced: this.#complete, heard: undefined, trouble }],
    });
    return this.#snapshot;
  }

  service(key: string): Service | undefined {
    return this.#shown.get(key);
  }

  services(): Iterable<Service> {
    return this.snapshot().services;
  }

  overview(): Overview {
    return this.snapshot();
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    return this.#signal.listen(signal);
  }

  async finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome> {
    const request = { ...service.request, finalizer: verb === 'add' };
    return this.#write(service, { ...service, request }, signal);
  }

  async status(service: Service, patch: StatusPatch, signal: AbortSignal): Promise<Outcome> {
    return this.#write(service, patched(service, patch), signal);
  }

  async event(): Promise<Outcome> {
    return { kind: 'done' };
  }

  async read(): Promise<{ lease: Lease; version: string }> {
    if (!this.#isReached) throw new RequestError('connect ECONNREFUSED', 'check', false);
    return { lease: this.#api.lease, version: String(this.#api.leaseVersion) };
  }

  async write(_name: unknown, lease: Lease, version: string): Promise<Outcome> {
    if (!this.#isReached) return broken;
    if (version !== String(this.#api.leaseVersion)) return { kind: 'stale' };
    this.#api.lease = lease;
    this.#api.leaseVersion += 1;
    return { kind: 'done' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#api.views.delete(this);
  }

  get #isReached(): boolean {
    return !this.isDead && !this.#api.cut.has(this.#gateway);
  }

  async #write(service: Service, next: Service, signal: AbortSignal): Promise<Outcome> {
    const key = service.key;
    await this.#clock.sleep(2, signal);
    if (!this.#isReached) return broken;
    const now = this.#api.services.get(key);
    if (now === undefined) return { kind: 'gone' };
    if (now !== service) return { kind: 'stale' };
    if (next.deleting && !next.request.finalizer) this.#api.remove(key);
    else this.#api.set(next);
    this.#api.written(service, this.#api.services.get(key));
    await this.#clock.sleep(2, signal);
    // The answer is lost with the connection.
    return this.#isReached ? { kind: 'done' } : broken;
  }
}

const broken: Outcome = {
  kind: 'refused',
  message: 'the connection was reset',
  answered: false,
  everything: true,
  wait: undefined,
};

const links = [{ index: 1, name: 'lan0', up: true, carrier: true, addresses: [] }];

/** A gateway that runs before both clusters. */
interface Running {
  readonly views: readonly View[];
  readonly allocating: Allocating;
  readonly stop: AbortController;
  readonly ended: Promise<unknown>;
}

/** Two clusters and the gateways before them, which share one book of addresses by their Leases. */
export class FakeClusters implements AsyncDisposable {
  readonly east = new FakeApiServer('east');
  readonly west = new FakeApiServer('west');
  /** Addresses that two Services showed that cannot share one, in words. */
  readonly twice: string[] = [];
  readonly #clock: VirtualClock;
  readonly #pools: readonly Pool[];
  readonly #lease: boolean;
  readonly #running = new Map<string, Running>();
  /** Of each gateway, by cluster. */
  readonly #disks = new Map<string, readonly ReadonlyMap<string, Service>[]>();

  constructor(pools: readonly Pool[], clock: VirtualClock, lease = true) {
    this.#pools = pools;
    this.#clock = clock;
    this.#lease = lease;
    for (const api of this.apis) api.written = (before, after) => this.#check(before, after);
  }

  get apis(): readonly [FakeApiServer, FakeApiServer] {
    return [this.east, this.west];
  }

  get services(): readonly Service[] {
    return this.apis.flatMap((api) => [...api.services.values()]);
  }

  get gateways(): readonly string[] {
    return [...this.#running.keys()];
  }

  allocating(gateway: string): Allocating | undefined {
    return this.#running.get(gateway)?.allocating;
  }

  /** What one Service shows, in words; empty: nothing. */
  ips(key: string): string {
    return this.services.find((one) => one.key === key)?.ingress.join(' ') ?? '';
  }

  /** Whether a gateway reaches a cluster. */
  reach(api: FakeApiServer, gateway: string, how: 'cut' | 'healed'): void {
    if (how === 'cut') api.cut.add(gateway);
    else api.cut.delete(gateway);
    for (const view of api.views) view.look();
  }

  list(api: FakeApiServer, how: 'listing' | 'listed'): void {
    api.isListing = how === 'listing';
    for (const view of api.views) view.look();
  }

  start(gateway: string): void {
    if (this.#running.has(gateway)) return;
    const disks = this.#disks.get(gateway);
    const views = this.apis.map((api, i) => new View(api, gateway, disks?.[i] ?? new Map(), this.#clock));
    const byName = new Map(this.apis.map(({ name }, i) => [name, views[i]] as const));
    const parts = new Map([...byName].flatMap(([name, view]) => (view ? [[name, view] as const] : [])));
    const inputs = {
      nodes: [],
      apis: [],
      gateway: gatewayOf({ pools: this.#pools }),
      links,
    };
    const terms = this.#lease ? { ...allocation, lease: leaseName } : allocation;
    const allocating = new Allocating({
      allocation: terms,
      writers: parts,
      cluster: unionOf(parts),
      inputs: () => inputs,
      installed: () => false,
      answered: () => true,
      identity: gateway,
      troubled: () => allocating.controller.notify(),
      clock: this.#clock,
    });
    const stop = new AbortController();
    const ended = Promise.all([drain(allocating, stop.signal), allocating.holdLeases(stop.signal)]);
    this.#running.set(gateway, { views, allocating, stop, ended });
  }

  /** What the gateways know now is what they will remember. */
  save(): void {
    for (const [gateway, { views }] of this.#running) {
      const before = this.#disks.get(gateway);
      const disks = views.map((view, i) =>
        view.isComplete ? new Map(view.shown) : (before?.[i] ?? new Map()),
      );
      this.#disks.set(gateway, disks);
    }
  }

  /** Ends a gateway: it gives back its Leases, or it is killed. */
  async end(gateway: string, how: 'stopped' | 'killed'): Promise<void> {
    const running = this.#running.get(gateway);
    if (running === undefined) return;
    if (how === 'killed') for (const view of running.views) view.isDead = true;
    running.stop.abort();
    await running.ended;
    this.#running.delete(gateway);
    for (const view of running.views) await view[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gateway of this.gateways) await this.end(gateway, 'killed');
  }

  /** That what a write shows anew is shown by no other: those who could share it once may have been changed since. */
  #check(before: Service, after: Service | undefined): void {
    for (const ip of after?.type === 'LoadBalancer' ? after.ingress : []) {
      if (after === undefined || before.ingress.includes(ip)) continue;
      for (const other of this.services) {
        if (other === after || other.type !== 'LoadBalancer' || !other.ingress.includes(ip)) continue;
        if (cannotShare(sharingOf(after), sharingOf(other)) !== undefined)
          this.twice.push(`${ip} is shown by ${other.key} and ${after.key}`);
      }
    }
  }
}

async function drain(allocating: Allocating, signal: AbortSignal): Promise<void> {
  for await (const _ of allocating.controller.run(signal));
}
