import { expect } from 'chai';
import type { Kernel, Scope } from '../../src/kernel/kernel.ts';
import { parseIp } from '../../src/model/ip.ts';
import type { Listing } from '../../src/model/listing.ts';
import { natTableName } from '../../src/model/nat.ts';
import { inet } from '../../src/model/nft.ts';
import type { Change, KernelObject } from '../../src/model/object.ts';
import { keyOf } from '../../src/model/object.ts';
import { late } from '../patience.ts';
import type { KernelFixture, MakeKernelFixture } from './kernel-fixture.ts';
import { foreign, groupId, nexthop, nexthopId, owner, proxyNeighbour, route, rule } from './objects.ts';

export const lan = 'eip-lan';
export const uplink = 'eip-up';

/** Paths the suite may set. */
export const settings = {
  forward: 'net/ipv4/ip_forward',
  hash: 'net/ipv4/fib_multipath_hash_policy',
  hash6: 'net/ipv6/fib_multipath_hash_policy',
  redirects: `net/ipv4/conf/${lan}/send_redirects`,
  retrans: `net/ipv4/neigh/${lan}/retrans_time_ms`,
  retrans6: `net/ipv6/neigh/${lan}/retrans_time_ms`,
  nowhere: 'net/ipv4/conf/eip-nowhere/rp_filter',
} as const;

export const scope: Scope = {
  owner,
  tables: [254, 100, 101],
  sysctls: Object.values(settings),
  nftTables: [inet('eip-table'), { family: 'ip6', name: 'eip-table6' }, natTableName(owner.protocol)],
  neighbours: [
    { ip: parseIp('10.0.0.250'), interface: undefined },
    { ip: parseIp('2001:db8:10::250'), interface: undefined },
    { ip: parseIp('203.0.113.250'), interface: lan },
  ],
};

/**
 * What every test of the suite begins with: a router with two links, and short words for what is done with it.
 *
 * | link    | IPv4           | IPv6               |
 * | ------- | -------------- | ------------------ |
 * | eip-lan | 10.0.0.1/24    | 2001:db8:10::1/64  |
 * | eip-up  | 203.0.113.1/24 | 2001:db8:20::1/64  |
 */
export class Scenario {
  readonly fixture: KernelFixture;
  /** ifindex of eip-lan */
  readonly lan: number;
  /** ifindex of eip-up */
  readonly uplink: number;
  readonly #end = new AbortController();

  private constructor(fixture: KernelFixture, lanIndex: number, uplinkIndex: number) {
    this.fixture = fixture;
    this.lan = lanIndex;
    this.uplink = uplinkIndex;
  }

  static async open(make: MakeKernelFixture): Promise<Scenario> {
    const fixture = await make();
    try {
      const lanIndex = await fixture.addLink(lan, '10.0.0.1/24', '2001:db8:10::1/64');
      const uplinkIndex = await fixture.addLink(uplink, '203.0.113.1/24', '2001:db8:20::1/64');
      const scenario = new Scenario(fixture, lanIndex, uplinkIndex);
      await scenario.#settle();
      return scenario;
    } catch (error) {
      await fixture[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the kernel tells of the new links has been read: on a busy machine it came in the midst of a test. */
  async #settle(): Promise<void> {
    const end = new AbortController();
    const hints = this.kernel.hints(AbortSignal.any([end.signal, late()]));
    const last = rule(4, 31_998, 99);
    await this.meddle(last);
    await this.fixture.meddle(deleting(last));
    let left = 2;
    for await (const { kind } of hints) {
      if (kind === 'rule') left -= 1;
      if (left === 0) break;
    }
    end.abort();
  }

  get kernel(): Kernel {
    return this.fixture.kernel;
  }

  /** Aborted when the test ends. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.fixture[Symbol.asyncDispose]();
  }

  async list(): Promise<Listing> {
    return this.kernel.list(scope, this.signal);
  }

  /** Ours, without sysctls. */
  async ours(): Promise<readonly KernelObject[]> {
    const { objects } = await this.list();
    return [...objects.values()].filter(({ kind }) => kind !== 'sysctl');
  }

  async shown(object: KernelObject): Promise<KernelObject | undefined> {
    return (await this.list()).objects.get(keyOf(object));
  }

  /** @returns one code per change, 'ok' where it was done */
  async codes(changes: readonly Change[]): Promise<readonly string[]> {
    const outcomes = await this.kernel.apply(changes, this.signal);
    return outcomes.map((error) => error?.code ?? 'ok');
  }

  async one(change: Change): Promise<string | undefined> {
    return (await this.codes([change]))[0];
  }

  /** Adds ours, and fails the test when one is refused. */
  async add(...wants: readonly KernelObject[]): Promise<void> {
    const outcomes = await this.kernel.apply(wants.map(adding), this.signal);
    const refused = outcomes.flatMap((error, i) =>
      error === undefined ? [] : [`${wants[i] && keyOf(wants[i])}: ${error.message}`],
    );
    expect(refused).to.deep.equal([]);
  }

  /** Another program adds these. */
  async meddle(...wants: readonly KernelObject[]): Promise<void> {
    for (const want of wants) await this.fixture.meddle(adding(want));
  }

  /** Three nexthops of each family on the LAN, numbered 1..3 and 11..13. */
  nodes(): readonly KernelObject[] {
    return [1, 2, 3].flatMap((n) => [
      nexthop(nexthopId(n), `10.0.0.${10 + n}`, this.lan),
      nexthop(nexthopId(10 + n), `2001:db8:10::${10 + n}`, this.lan),
    ]);
  }
}

export function adding(want: KernelObject): Change {
  return { verb: 'add', want };
}

export function replacing(have: KernelObject, want: KernelObject): Change {
  return { verb: 'replace', want, have };
}

export function deleting(have: KernelObject): Change {
  return { verb: 'delete', have };
}

/** One object of ours of every kind that has a key of its own, made possible by {@link Scenario.nodes}. */
export function samples(scenario: Scenario): readonly KernelObject[] {
  return [
    nexthop(nexthopId(7), '10.0.0.17', scenario.lan),
    nexthop(nexthopId(17), '2001:db8:10::17', scenario.lan),
    {
      kind: 'group',
      id: groupId(7),
      protocol: owner.protocol,
      members: [{ id: nexthopId(1), weight: 1 }],
      resilience: undefined,
    },
    route('192.0.2.7', { nhid: nexthopId(1) }),
    route('2001:db8:1::7', { nhid: nexthopId(11) }),
    rule(4, 1007, 100),
    rule(6, 1007, 100),
    proxyNeighbour('192.0.2.7', scenario.uplink),
    proxyNeighbour('2001:db8:1::7', scenario.uplink),
  ];
}

/** The same object as another program would make it. */
export function foreignTwin(object: KernelObject): KernelObject {
  return object.kind === 'sysctl' ? object : { ...object, protocol: foreign };
}
