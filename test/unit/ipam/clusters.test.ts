import { expect } from 'chai';
import fc from 'fast-check';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { type GrowingDelta, mergeDelta, nothing } from '../../../src/cluster/delta.ts';
import { Signal } from '../../../src/cluster/signal.ts';
import { Allocator } from '../../../src/ipam/allocator.ts';
import { Controller } from '../../../src/ipam/controller.ts';
import type { Task } from '../../../src/ipam/due.ts';
import {
  type Delta,
  type Overview,
  qualified,
  type Service,
  type Snapshot,
} from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { snapshot } from '../../scene.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';
import { patched } from './fake-api.ts';
import { allocation, asking, named, pool } from './fake-cluster.ts';
import { FakeClusters } from './fake-clusters.ts';

/** Two addresses, so that most Services wait. */
const two = pool('two', ['198.51.100.0/31']);

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  await clock.sleep(ms, new AbortController().signal);
}

function of(cluster: string, ...args: Parameters<typeof asking>): Service {
  const service = asking(...args);
  return { ...service, key: qualified(cluster, service.key), cluster };
}

describe('the allocation over two clusters', () => {
  it('gives no address of a book that it does not know, and says for whom it waits', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.start('g1');
    at.east.put(of('east', 's1'));
    await pass(clock, 5000);
    at.save();
    // Meanwhile another gateway gives an address in east, which then is away when the first one starts again.
    await at.end('g1', 'stopped');
    at.start('g2');
    at.east.put(of('east', 's2'));
    await pass(clock, 5000);
    await at.end('g2', 'stopped');
    expect(['s1', 's2'].map((name) => at.ips(`east:default/${name}`))).to.deep.equal([
      '198.51.100.0',
      '198.51.100.1',
    ]);
    at.reach(at.east, 'g1', 'cut');
    at.west.put(of('west', 's3'));
    at.west.put(of('west', 's4', named('198.51.100.1')));
    at.start('g1');
    await pass(clock, 60_000);
    expect([at.ips('west:default/s3'), at.ips('west:default/s4')]).to.deep.equal(['', '']);
    const messages =
      at
        .allocating('g1')
        ?.problems()
        .map(({ message }) => message) ?? [];
    expect(messages.join('\n')).to.match(
      /west:default\/s3 waits for an address: an address that looks free may be in use in cluster east, which has not/,
    );
    // It is back: what was given there stays, and one that comes free is given on.
    at.reach(at.east, 'g1', 'healed');
    await pass(clock, 60_000);
    expect(
      at
        .allocating('g1')
        ?.problems()
        .map(({ message }) => message)
        .join('\n'),
    ).to.match(/no free IPv4 address/);
    at.east.delete('east:default/s1');
    await pass(clock, 60_000);
    expect(at.ips('west:default/s3')).to.equal('198.51.100.0');
    expect(at.twice).to.deep.equal([]);
  });

  it('goes on in the others when a cluster is away that it knows', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.start('g1');
    at.east.put(of('east', 's1'));
    await pass(clock, 5000);
    at.reach(at.east, 'g1', 'cut');
    at.west.put(of('west', 's2'));
    await pass(clock, 60_000);
    expect(at.ips('west:default/s2')).to.equal('198.51.100.1');
  });

  it('gives none when it takes over while a cluster is away, though it has read its lists', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.start('g1');
    at.east.put(of('east', 's1'));
    await pass(clock, 5000);
    at.start('g2');
    await pass(clock, 5000);
    // From now on g2 does not see what g1 does in east.
    at.reach(at.east, 'g2', 'cut');
    at.east.put(of('east', 's2'));
    await pass(clock, 5000);
    await at.end('g1', 'stopped');
    at.west.put(of('west', 's3'));
    await pass(clock, 60_000);
    expect(at.ips('west:default/s3')).to.equal('');
    at.reach(at.east, 'g2', 'healed');
    at.east.delete('east:default/s2');
    await pass(clock, 60_000);
    expect(at.ips('west:default/s3')).to.equal('198.51.100.1');
  });

  it('lets Services of a cluster that is away keep what they have and share it', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    const key = { annotations: { 'eiproute.io/sharing-key': 'k' } };
    const port = (number: number): Partial<Service> => ({
      ports: [{ name: '', protocol: 'TCP', port: number, nodePort: undefined }],
    });
    at.start('g1');
    at.west.put(of('west', 's1', key, port(80)));
    await pass(clock, 5000);
    await at.end('g1', 'stopped');
    at.reach(at.east, 'g1', 'cut');
    at.start('g1');
    // What is shared is in use already: it takes nothing from anybody.
    at.west.put(of('west', 's2', key, port(81)));
    const also = { annotations: { ...key.annotations, ...named('198.51.100.0').annotations } };
    at.west.put(of('west', 's3', also, port(82)));
    await pass(clock, 60_000);
    expect(at.services.map((one) => `${one.key} ${one.ingress}`)).to.deep.equal([
      'west:default/s1 198.51.100.0',
      'west:default/s2 198.51.100.0',
      'west:default/s3 198.51.100.0',
    ]);
  });

  it('gives an address that both ask for to the older, also at a start', async () => {
    // Found by a random history: the Services of the first cluster were decided before those of the second were seen.
    for (const older of [0, 1]) {
      const clock = new VirtualClock();
      await using at = new FakeClusters([two], clock);
      at.apis.forEach((api, i) => {
        api.put(of(api.name, 's1', { ...named('198.51.100.1'), created: i === older ? 1000 : 2000 }));
      });
      at.start('g1');
      await pass(clock, 60_000);
      expect(at.apis.map(({ name }) => at.ips(`${name}:default/s1`))).to.deep.equal(
        older === 0 ? ['198.51.100.1', ''] : ['', '198.51.100.1'],
      );
    }
  });

  it('keeps no address for a Service to whose cluster it may not write', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.start('g1');
    at.east.put(of('east', 's1'));
    at.west.put(of('west', 's2'));
    await pass(clock, 5000);
    at.east.put(of('east', 's3'));
    await pass(clock, 5000);
    at.reach(at.east, 'g1', 'cut');
    await pass(clock, 60_000);
    at.west.delete('west:default/s2');
    at.west.put(of('west', 's4'));
    await pass(clock, 60_000);
    expect(at.ips('west:default/s4')).to.equal('198.51.100.1');
  });

  it('believes a status that another gateway wrote in its turn', () => {
    const terms = { pools: [two], allocation, reserved: new Map(), nodeAddresses: () => [] };
    const book = { open: new Set(['east']), taken: new Set<string>(), awaited: [] };
    const s1 = of('east', 's1', named('198.51.100.0'));
    const allocator = new Allocator(terms, () => {}, { book });
    allocator.observe([s1], []);
    allocator.converge('east:default/s1');
    allocator.begin(s1, writing(['198.51.100.0']))({ kind: 'done' });
    const now = { ...of('east', 's1'), ingress: ['198.51.100.1'].map(parseIp) };
    const anew = { ...book, taken: new Set(['east']) };
    const next = new Allocator(terms, () => {}, { before: allocator, book: anew });
    next.observe([now], []);
    expect(next.converge('east:default/s1')?.ips).to.deep.equal(['198.51.100.1']);
    // Under other terms and the same book it is its own again.
    next.begin(now, writing(['198.51.100.0']))({ kind: 'done' });
    const reloaded = new Allocator(terms, () => {}, { before: next, book: anew });
    reloaded.observe([now], []);
    expect(reloaded.wrote(now)).to.deep.equal(['198.51.100.0']);
  });

  it('reads a cluster whose lists are in before it counts it as known, however late it hears of that', async () => {
    const clock = new VirtualClock();
    const cluster = new Unheard();
    const stop = new AbortController();
    const given: string[] = [];
    const controller = new Controller({
      cluster,
      writer: {
        finalizer: async () => ({ kind: 'done' }),
        event: async () => ({ kind: 'done' }),
        status: async (service, patch) => {
          given.push(`${service.key} ${patch.ingress}`);
          cluster.write(service, patched(service, patch));
          return { kind: 'done' };
        },
      },
      terms: () => terms,
      routed: () => false,
      answered: () => true,
      leads: () => true,
      clock,
    });
    const terms = {
      pools: [two],
      allocation: { ...allocation, finalizer: false },
      reserved: new Map(),
      nodeAddresses: () => [],
    };
    const running = (async () => {
      for await (const _ of controller.run(stop.signal));
    })();
    await pass(clock, 1000);
    const before = given.length;
    // Its Service from before the start has moved to the other address; nobody has told the controller yet.
    cluster.isListed = true;
    cluster.shown = [{ ...of('east', 's1'), ingress: ['198.51.100.0'].map(parseIp) }, of('west', 's2')];
    controller.notify();
    await pass(clock, 1000);
    stop.abort();
    await running;
    const after = given.slice(before).filter((one) => one.startsWith('west'));
    expect(after[0]).to.equal('west:default/s2 198.51.100.1');
  });

  it('takes nothing from a cluster that is known by what it remembers of one that is away', async () => {
    // Found by a random history: the older Service, which was gone by then, had the address again.
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.start('g1');
    at.west.put(of('west', 's1'));
    await pass(clock, 5000);
    at.save();
    at.west.delete('west:default/s1');
    await pass(clock, 5000);
    at.east.put(of('east', 's2'));
    await pass(clock, 5000);
    expect(at.ips('east:default/s2')).to.equal('198.51.100.0');
    await at.end('g1', 'stopped');
    at.reach(at.west, 'g1', 'cut');
    at.start('g1');
    await pass(clock, 60_000);
    expect(at.ips('east:default/s2')).to.equal('198.51.100.0');
  });

  it('tells nobody to wait for a cluster that is just being listed', async () => {
    const clock = new VirtualClock();
    await using at = new FakeClusters([two], clock);
    at.west.put(of('west', 's1'));
    at.list(at.east, 'listing');
    at.start('g1');
    await pass(clock, 5000);
    expect([...at.west.services.values()].flatMap((one) => one.request.conditions)).to.deep.equal([]);
    at.list(at.east, 'listed');
    await pass(clock, 5000);
    const [west] = at.west.services.values();
    expect(west?.request.conditions.map(({ reason }) => reason)).to.deep.equal(['Allocated', 'NotRouted']);
  });
});

function writing(ips: readonly string[]): Task {
  const ingress = ips.map(parseIp);
  return { kind: 'status', ingress, conditions: [], without: [], idle: false, events: [] };
}

/** Two clusters of which one is listed without a word. */
class Unheard implements Cluster {
  readonly #signal = new Signal<Delta, GrowingDelta>(mergeDelta);
  isListed = false;
  shown: readonly Service[] = [
    { ...of('east', 's1'), ingress: ['198.51.100.1'].map(parseIp) },
    of('west', 's2', { annotations: { 'eiproute.io/pool': 'nowhere' } }),
  ];

  overview(): Overview {
    const clusters = [
      { name: 'east', complete: this.isListed, remembered: !this.isListed },
      { name: 'west', complete: true, remembered: false },
    ];
    const feed = {
      cluster: 'east',
      resource: 'services',
      synced: false,
      heard: undefined,
      trouble: 'away',
    } as const;
    return { ...this.snapshot(), clusters, feeds: this.isListed ? [] : [feed] };
  }

  snapshot(): Snapshot {
    return snapshot([], this.shown);
  }

  service(key: string): Service | undefined {
    return this.shown.find((one) => one.key === key);
  }

  services(): Iterable<Service> {
    return this.shown;
  }

  write(before: Service, after: Service): void {
    this.shown = this.shown.map((one) => (one === before ? after : one));
    this.#signal.notify({ ...nothing, services: new Set([after.key]) });
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    return this.#signal.listen(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

type Step =
  | { readonly kind: 'put'; readonly at: 0 | 1; readonly i: number; readonly how: number }
  | { readonly kind: 'delete'; readonly at: 0 | 1; readonly i: number }
  | { readonly kind: 'cut' | 'healed'; readonly at: 0 | 1; readonly gateway: number }
  | { readonly kind: 'start' | 'stopped' | 'killed'; readonly gateway: number }
  | { readonly kind: 'save' }
  | { readonly kind: 'duel'; readonly older: 0 | 1 }
  | { readonly kind: 'pass'; readonly ms: number };

const four = pool('four', ['198.51.100.0/30']);
const gateways = ['g1', 'g2'] as const;
const ways = [
  {},
  {},
  {},
  named('198.51.100.0'),
  named('198.51.100.1'),
  { annotations: { 'eiproute.io/sharing-key': 'k' } },
];
const side = fc.constantFrom(0 as const, 1 as const);
const index = fc.integer({ min: 1, max: 4 });
const gateway = fc.nat({ max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('put' as const), at: side, i: index, how: fc.nat({ max: 6 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), at: side, i: index }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'healed' as const), at: side, gateway }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('start' as const, 'stopped' as const, 'killed' as const),
      gateway,
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'save' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('duel' as const), older: side }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 3, 50, 3000, 20_000, 60_000),
    }),
  },
);

/** What happens to two clusters and two gateways, and what must hold whatever that is. */
class Story implements AsyncDisposable {
  readonly #clock = new VirtualClock();
  readonly #at: FakeClusters;
  /** What nobody has asked to be otherwise, and what it was given. */
  readonly #given = new Map<string, string>();
  /** What was put and may not have been seen yet: a decision on an earlier state of it may be on its way. */
  readonly #fresh = new Set<string>();
  #created = 0;

  constructor(lease: boolean) {
    this.#at = new FakeClusters([four], this.#clock, lease);
    this.#at.start('g1');
  }

  async take(each: Step): Promise<void> {
    const at = this.#at;
    switch (each.kind) {
      case 'put': {
        const api = at.apis[each.at];
        const port = each.i % 2 === 0 ? 80 : 81;
        const type = each.how === 6 ? 'ClusterIP' : 'LoadBalancer';
        this.#given.delete(`${api.name}:default/s${each.i}`);
        this.#fresh.add(`${api.name}:default/s${each.i}`);
        api.put(
          of(api.name, `s${each.i}`, ways[each.how] ?? {}, {
            type,
            uid: `${this.#next()}`,
            ports: [{ name: '', protocol: 'TCP', port, nodePort: undefined }],
          }),
        );
        break;
      }
      case 'delete': {
        const api = at.apis[each.at];
        this.#given.delete(`${api.name}:default/s${each.i}`);
        api.delete(`${api.name}:default/s${each.i}`);
        break;
      }
      case 'cut':
      case 'healed':
        at.reach(at.apis[each.at], gateways[each.gateway] ?? 'g1', each.kind);
        break;
      case 'start':
        at.start(gateways[each.gateway] ?? 'g1');
        break;
      case 'stopped':
      case 'killed':
        await at.end(gateways[each.gateway] ?? 'g1', each.kind);
        break;
      case 'save':
        at.save();
        break;
      case 'duel':
        await this.#duel(each.older);
        break;
      case 'pass':
        await pass(this.#clock, each.ms);
        if (each.ms < 20_000) break;
        for (const api of at.apis)
          for (const key of api.cut.size === 0 ? api.services.keys() : []) this.#fresh.delete(key);
        break;
      default:
        each satisfies never;
    }
    this.check();
  }

  check(): void {
    expect(this.#at.twice).to.deep.equal([]);
    for (const one of this.#at.services) {
      const key = one.key;
      const ips = one.ingress.join(' ');
      const before = this.#given.get(key);
      if (before !== undefined) expect(ips, `${key} keeps what it was given`).to.equal(before);
      else if (ips !== '' && this.#isSettled(one)) this.#given.set(key, ips);
    }
  }

  /** It asks for nothing else, and for nothing that it could have to give back. */
  #isSettled(one: Service): boolean {
    const isPlain = one.type === 'LoadBalancer' && Object.keys(one.request.annotations).length === 0;
    const isAlone = this.#at.services.every(
      (other) => other === one || !one.ingress.some((ip) => other.ingress.includes(ip)),
    );
    return isPlain && isAlone && !this.#fresh.has(one.key);
  }

  /** All is well again: whoever waits, waits for a reason. */
  async end(): Promise<void> {
    await this.#heal();
    this.#at.start('g1');
    await pass(this.#clock, 200_000);
    this.check();
    const used = new Set(this.#at.services.flatMap(({ ingress }) => ingress));
    const waiting = this.#at.services.filter(
      ({ ingress, type, request }) =>
        type === 'LoadBalancer' && ingress.length === 0 && Object.keys(request.annotations).length === 0,
    );
    if (used.size < 4) expect(waiting.map(({ key }) => key)).to.deep.equal([]);
    // And another start changes nothing.
    const before = this.#statuses();
    await this.#at.end('g1', 'killed');
    await this.#at.end('g2', 'killed');
    this.#at.start('g2');
    await pass(this.#clock, 200_000);
    expect(this.#statuses()).to.deep.equal(before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#at[Symbol.asyncDispose]();
  }

  /** Both ask for one address while no gateway runs: who has waited for it gets it, or else the older one. */
  async #duel(older: 0 | 1): Promise<void> {
    const at = this.#at;
    await this.#heal();
    for (const name of gateways) await at.end(name, 'stopped');
    const keys = at.apis.map(({ name }) => `${name}:default/duel`);
    // Another one may have it, or get it as the last one that is free.
    const isAsked = at.services.some(
      ({ ingress, type }) => type === 'LoadBalancer' && (ingress.includes(ip3) || ingress.length === 0),
    );
    at.apis.forEach((api, i) => {
      const created = i === older ? 1000 : 2000;
      api.put(of(api.name, 'duel', { ...named(ip3), created }, { uid: `${this.#next()}` }));
    });
    at.start('g1');
    await pass(this.#clock, 60_000);
    const got = keys.map((key) => at.ips(key));
    if (!isAsked) expect(got).to.deep.equal(older === 0 ? [ip3, ''] : ['', ip3]);
    at.apis.forEach((api, i) => {
      api.delete(keys[i] ?? '');
    });
    await pass(this.#clock, 1);
  }

  async #heal(): Promise<void> {
    for (const api of this.#at.apis) for (const name of gateways) this.#at.reach(api, name, 'healed');
    await pass(this.#clock, 60_000);
  }

  #statuses(): readonly string[] {
    return this.#at.services.map((one) => `${one.key} ${one.ingress}`).sort();
  }

  #next(): number {
    this.#created += 1;
    return this.#created;
  }
}

const ip3 = parseIp('198.51.100.3');

/** So many histories; `HISTORIES=3000` tries more. */
const histories = Number(process.env['HISTORIES'] ?? 60);

describe('the allocation over two clusters, whatever happens', () => {
  // What leads to most trouble, more often than chance would have it: a gateway that starts blind, or takes over.
  const blind = fc
    .record({ gateway, at: side, how: fc.constantFrom('stopped' as const, 'killed' as const) })
    .map(({ gateway: who, at, how }): readonly Step[] => [
      { kind: how, gateway: who },
      { kind: 'cut', at, gateway: who },
      { kind: 'start', gateway: who },
    ]);
  const takeover = gateway.map((who): readonly Step[] => [
    { kind: 'start', gateway: 1 - who },
    { kind: 'stopped', gateway: who },
  ]);
  const given = fc.record({ at: side, i: index }).map(({ at, i }): readonly Step[] => [
    { kind: 'put', at, i, how: 0 },
    { kind: 'pass', ms: 20_000 },
  ]);
  const steps = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: step.map((each): readonly Step[] => [each]) },
        { weight: 1, arbitrary: blind },
        { weight: 1, arbitrary: takeover },
        { weight: 2, arbitrary: given },
      ),
      { minLength: 5, maxLength: 30, size: 'max' },
    )
    .map((groups) => groups.flat());
  const holds = async (story: readonly Step[], lease: boolean): Promise<void> => {
    await using at = new Story(lease);
    for (const each of story) await at.take(each);
    await at.end();
  };

  it('gives no address twice, the older one wins, and what was given is kept: two gateways', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (story) => holds(story, true)),
      { numRuns: histories },
    );
  });

  it('holds as well for the only gateway, without Leases', async () => {
    const alone = steps.map((story) =>
      story.map((each) => ('gateway' in each ? { ...each, gateway: 0 } : each)),
    );
    await fc.assert(
      fc.asyncProperty(alone, (story) => holds(story, false)),
      { numRuns: histories },
    );
  });
});
