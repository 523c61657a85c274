import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Json, type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { kinds } from '../../lab/cluster/api/kinds.ts';
import { type Asked, type Rules, rulesOf } from '../../lab/cluster/api/rbac.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { type Clock, systemClock } from '../../src/cluster/clock.ts';
import type { KubernetesAccess } from '../../src/cluster/kubeconfig-files.ts';
import { type KubernetesCluster, kubernetesCluster } from '../../src/cluster/kubernetes.ts';
import type { Writer } from '../../src/cluster/writer.ts';
import type { Terms } from '../../src/ipam/allocator.ts';
import { type AssignmentChange, Controller } from '../../src/ipam/controller.ts';
import { Leadership, type LeasePace } from '../../src/ipam/leadership.ts';
import type { Pool } from '../../src/model/gateway.ts';
import type { Ip } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { allocation, pool } from '../unit/ipam/fake-cluster.ts';

export const manifest = readFileSync(new URL('../../docs/rbac.yaml', import.meta.url), 'utf8');
/** Of the Lease and of the ConfigMap. */
export const leaseName = { namespace: 'kube-system', name: 'eiproute' };

/** An API server with the manifest applied, and as many gateways at it as one likes. */
export class ApiFixture implements AsyncDisposable {
  readonly server: ApiServer;
  /** Everything that was asked for and allowed. */
  readonly used = new Set<string>();
  readonly #folder: string;
  readonly #gateways: Gateway[] = [];
  #now = Date.now();
  #accounts = 0;

  private constructor(server: ApiServer, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  static async open(...world: readonly object[]): Promise<ApiFixture> {
    const server = await startApiServer();
    for (const document of parseAllDocuments(manifest)) {
      const object: JsonObject = document.toJS();
      if (['Lease', 'ConfigMap'].includes(textAt(object, 'kind'))) server.put(object);
    }
    for (const object of world) server.put(JSON.parse(JSON.stringify(object)));
    return new ApiFixture(server, await mkdtemp(join(tmpdir(), 'eiproute-api-')));
  }

  /** A gateway that gives addresses, with the rights of the manifest or less. */
  async gateway(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const cluster = kubernetesCluster(await this.access(options.rules));
    const gateway = new Gateway(cluster, {
      ...options,
      identity: options.identity ?? `g${this.#gateways.length}`,
      leaseClock: { ...systemClock, now: () => this.#now },
    });
    this.#gateways.push(gateway);
    return gateway;
  }

  /** Lets time pass for those who hold a Lease, for whom none passes otherwise. @param ms */
  pass(ms: number): void {
    this.#now += ms;
  }

  /** An account whose requests are noted. */
  async access(rules: Rules = rulesOf(manifest)): Promise<KubernetesAccess> {
    const token = this.server.account((asked) => {
      const granted = rules(asked);
      if (granted) this.used.add(words(asked));
      return granted;
    });
    const kubeconfig = join(this.#folder, `kubeconfig-${this.#accounts}`);
    this.#accounts += 1;
    await writeFile(kubeconfig, this.server.kubeconfig({ token }));
    return { kubeconfig, context: undefined };
  }

  put(...objects: readonly object[]): void {
    for (const object of objects) this.server.put(JSON.parse(JSON.stringify(object)));
  }

  service(name: string): JsonObject {
    return this.server.objects.get(kind('Service'), 'default', name);
  }

  /** The addresses in a Service's status; empty: it is pending, or gone. */
  ips(name: string): string {
    if (!this.server.objects.has(kind('Service'), 'default', name)) return '';
    const ingress = listAt(this.service(name), 'status', 'loadBalancer', 'ingress');
    return ingress.map((item) => textAt(item, 'ip')).join(' ');
  }

  condition(name: string, type: string): string {
    const found = listAt(this.service(name), 'status', 'conditions').find(
      (item) => textAt(item, 'type') === type,
    );
    return found === undefined ? '' : `${textAt(found, 'status')} ${textAt(found, 'reason')}`;
  }

  events(name: string): readonly string[] {
    return this.server.objects
      .list(kind('Event'), 'default')
      .items.filter((item) => textAt(item, 'involvedObject', 'name') === name)
      .map((item) => textAt(item, 'reason'));
  }

  /** Every PATCH and POST so far. */
  writes(): readonly string[] {
    return this.server.seen
      .filter(({ method }) => method === 'PATCH' || method === 'POST')
      .filter(({ target }) => !target.includes('/leases/'))
      .map(
        ({ method, target }) =>
          `${method} ${target.replace(/^\/api\/v1\/namespaces\//, '').replace(/\?.*/, '')}`,
      );
  }

  /** Resolves as soon as it holds; looked at after each change of any object. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const signal = late();
    const changed = Promise.withResolvers<void>();
    const stop = this.server.objects.listen(() => {
      if (holds()) changed.resolve();
    });
    signal.addEventListener('abort', () => changed.reject(new Error(`it never came: ${what}`)));
    try {
      if (!holds()) await changed.promise;
    } finally {
      stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const desk of this.#gateways) await desk[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}

export interface GatewayOptions {
  readonly rules: Rules;
  readonly identity: string;
  readonly terms: Partial<Terms>;
  readonly pools: readonly Pool[];
  /** Whether it holds a Lease, and how fast; undefined: it is the only one. */
  readonly lease: LeasePace;
  /** In the place of the real one. */
  readonly writer: (real: Writer) => Writer;
}

/** One gateway: it routes nothing, but can be told that it does. */
export class Gateway implements AsyncDisposable {
  readonly cluster: KubernetesCluster;
  readonly controller: Controller;
  readonly leadership: Leadership | undefined;
  readonly assignmentChanges: AssignmentChange[] = [];
  readonly routed = new Set<Ip>();
  terms: Terms;
  /** Services of which no node has said that it serves them: `namespace/name`. */
  readonly unanswered = new Set<string>();
  readonly #stop = new AbortController();
  readonly #parts: Promise<void>[];
  #ended = false;
  #hear = (): void => {};

  constructor(
    cluster: KubernetesCluster,
    options: Partial<GatewayOptions> & { readonly identity: string; readonly leaseClock: Clock },
  ) {
    this.cluster = cluster;
    const pools = options.pools ?? [pool('public', ['198.51.100.0/24'])];
    this.terms = { pools, allocation, reserved: new Map(), nodeAddresses: () => [], ...options.terms };
    const { lease } = options;
    this.leadership =
      lease &&
      new Leadership({
        leases: cluster.writer,
        name: leaseName,
        identity: options.identity,
        clock: options.leaseClock,
        changed: () => this.controller.notify(),
        pace: lease,
      });
    this.controller = new Controller({
      cluster,
      writer: options.writer?.(cluster.writer) ?? cluster.writer,
      terms: () => this.terms,
      routed: (ip) => this.routed.has(ip),
      answered: (service) => !this.unanswered.has(service),
      leads: () => this.leadership?.leads ?? true,
      clock: systemClock,
      pace: { idle: 1, first: 5, longest: 20 },
    });
    this.#parts = [this.#run(), ...(this.leadership ? [this.leadership.run(this.#stop.signal)] : [])];
  }

  /** As if the engine had installed these routes, or withdrawn them. */
  route(...ips: readonly Ip[]): void {
    const before = [...this.routed];
    this.routed.clear();
    for (const ip of ips) this.routed.add(ip);
    this.controller.rerouted([...before, ...ips]);
  }

  /** Ends it as a person would: the Lease is given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort();
    await Promise.all(this.#parts);
    await this.cluster[Symbol.asyncDispose]();
  }

  /** Ends it as a crash does: nobody waits for what is on its way. */
  kill(): void {
    this.#ended = true;
    this.#stop.abort();
    void this.cluster[Symbol.asyncDispose]();
  }

  /** Resolves as soon as it holds; looked at after each pass that did or found something. */
  async told(holds: () => boolean): Promise<void> {
    const limit = late();
    while (!holds()) {
      limit.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#hear = resolve;
        limit.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async #run(): Promise<void> {
    for await (const changes of this.controller.run(this.#stop.signal)) {
      this.assignmentChanges.push(...changes);
      this.#hear();
    }
  }
}

export function kind(name: string) {
  const found = kinds.find((each) => each.kind === name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

export function words({ verb, group, resource }: Asked): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
}

/** What the roles of a manifest grant: `get nodes`. */
export function grantedBy(text: string): readonly string[] {
  return parseAllDocuments(text)
    .map((document): Json => document.toJS())
    .filter((role) => /Role$/.test(textAt(role, 'kind')))
    .flatMap((role) => listAt(role, 'rules'))
    .flatMap((rule) =>
      listAt(rule, 'verbs').flatMap((verb) =>
        listAt(rule, 'apiGroups').flatMap((group) =>
          listAt(rule, 'resources').map((resource) =>
            words({
              verb: String(verb),
              group: String(group),
              resource: String(resource),
              namespace: '',
              name: '',
            }),
          ),
        ),
      ),
    );
}
