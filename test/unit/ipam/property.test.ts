import { expect } from 'chai';
import fc from 'fast-check';
import { type Allocator, allocate } from '../../../src/ipam/allocator.ts';
import { PoolRange } from '../../../src/ipam/pool-range.ts';
import { allocatedText, allocatedTo } from '../../../src/model/allocated-condition.ts';
import type { AllocationRequest, Service } from '../../../src/model/cluster.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { cannotShare } from '../../../src/model/sharing.ts';
import { request, service } from '../../scene.ts';
import { allocation, asking, dual, FakeCluster, four, pool } from './fake-cluster.ts';

/** Small enough that everybody is in everybody's way. */
const pools = [
  four,
  pool('both', ['192.0.2.0/31', '2001:db8:e::/127']),
  pool('asked', ['203.0.113.1/32'], { autoAssign: false }),
];

type Step =
  | { readonly kind: 'set'; readonly service: Service }
  | { readonly kind: 'delete'; readonly name: string }
  | { readonly kind: 'restart' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'shrink'; readonly by: number };

const name = fc.integer({ min: 1, max: 9 }).map((i) => `s${i}`);
const how: fc.Arbitrary<Partial<AllocationRequest>> = fc
  .record({
    address: fc.option(
      fc.constantFrom('198.51.100.1', '192.0.2.0', '203.0.113.1', '203.0.113.9', '2001:db8:e::1'),
      { freq: 3, nil: undefined },
    ),
    pool: fc.option(fc.constantFrom('four', 'both', 'nowhere'), { freq: 3, nil: undefined }),
    key: fc.option(fc.constantFrom('k', 'j'), { nil: undefined }),
    dual: fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack'),
  })
  .map((one) => ({
    annotations: {
      ...(one.address ? { 'eiproute.io/addresses': one.address } : {}),
      ...(one.pool ? { 'eiproute.io/pool': one.pool } : {}),
      ...(one.key ? { 'eiproute.io/sharing-key': one.key } : {}),
    },
    ...(one.dual === 'SingleStack' ? {} : { ...dual, familyPolicy: one.dual }),
  }));
const one: fc.Arbitrary<Service> = fc
  .record({
    name,
    how,
    number: fc.constantFrom(80, 81),
    policy: fc.constantFrom('Cluster' as const, 'Local' as const),
    type: fc.oneof(
      { weight: 5, arbitrary: fc.constant('LoadBalancer' as const) },
      fc.constant('ClusterIP' as const),
    ),
  })
  .map(({ name: called, how: asked, number, policy, type }) =>
    asking(called, asked, {
      type,
      externalTrafficPolicy: policy,
      ports: [{ name: '', protocol: 'TCP', port: number, nodePort: undefined }],
    }),
  );
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: one.map((each) => ({ kind: 'set' as const, service: each })) },
  { weight: 3, arbitrary: name.map((each) => ({ kind: 'delete' as const, name: each })) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'restart' as const }, { kind: 'reload' as const }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1).map((by) => ({ kind: 'shrink' as const, by })) },
);

/** A spec changes; what was written in the status stays there. */
function take(cluster: FakeCluster, each: Step): void {
  switch (each.kind) {
    case 'set': {
      const before = cluster.services.get(each.service.key);
      const { type } = each.service;
      const ingress = type === 'LoadBalancer' ? (before?.ingress ?? []) : [];
      const { conditions = [], finalizer = false } = before?.request ?? {};
      cluster.set({ ...each.service, ingress, request: { ...each.service.request, conditions, finalizer } });
      return;
    }
    case 'delete':
      cluster.delete(each.name);
      return;
    case 'restart':
      cluster.restart();
      return;
    case 'reload':
      cluster.reload();
      return;
    case 'shrink':
      cluster.restart(each.by === 0 ? pools : [pool('four', ['198.51.100.0/31']), ...pools.slice(1)]);
      return;
    default:
      each satisfies never;
  }
}

function assignments(allocator: Allocator): object {
  return Object.fromEntries(
    [...allocator.decisions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { ips, pool: from, unsatisfied }]) => [key, { ips, from, unsatisfied }]),
  );
}

describe('the assignments, whatever happens', () => {
  const story = fc.array(step, { minLength: 1, maxLength: 25 });

  it('give no address twice but to those who share it', () => {
    fc.assert(
      fc.property(story, (steps) => {
        const cluster = new FakeCluster(pools);
        for (const each of steps) {
          take(cluster, each);
          const seen = new Map<Ip, string[]>();
          for (const [key, { ips }] of cluster.allocator.decisions) {
            for (const ip of ips) seen.set(ip, [...(seen.get(ip) ?? []), key]);
          }
          for (const [ip, keys] of seen) {
            for (const a of keys) {
              for (const b of keys) {
                const [x, y] = [cluster.allocator.candidate(a), cluster.allocator.candidate(b)];
                if (a !== b && x && y)
                  expect(cannotShare(x.sharing, y.sharing), `${ip}: ${a}, ${b}`).to.equal(undefined);
              }
            }
          }
          // Not even for a moment, while some are written and others not yet.
          expect(cluster.twice).to.deep.equal([]);
          // And the statuses, which are all that others see, say just that.
          for (const [key, { ips }] of cluster.allocator.decisions) {
            expect([...(cluster.services.get(key)?.ingress ?? [])].sort()).to.deep.equal([...ips].sort());
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are the same after a restart, which writes nothing', () => {
    fc.assert(
      fc.property(story, (steps) => {
        const cluster = new FakeCluster(pools);
        for (const each of steps) take(cluster, each);
        const before = assignments(cluster.allocator);
        cluster.writes = 0;
        cluster.restart();
        expect(assignments(cluster.allocator)).to.deep.equal(before);
        expect(cluster.writes).to.equal(0);
      }),
      { numRuns: 300 },
    );
  });

  it('are the same in whatever order the Services arrive', () => {
    fc.assert(
      fc.property(story, fc.infiniteStream(fc.nat()), (steps, chance) => {
        const cluster = new FakeCluster(pools);
        for (const each of steps) take(cluster, each);
        const services = [...cluster.services.values()];
        const shuffled = services
          .map((each) => [chance.next().value ?? 0, each] as const)
          .sort(([a], [b]) => a - b)
          .map(([, each]) => each);
        const terms = { pools, allocation, reserved: new Map(), nodeAddresses: () => [] };
        expect(assignments(allocate(terms, shuffled))).to.deep.equal(assignments(allocate(terms, services)));
        // And told again one by one, as if each had been read anew, they stay.
        const settled = new FakeCluster(pools);
        settled.set(...services);
        const before = assignments(settled.allocator);
        for (const each of shuffled) {
          const now = settled.at(each.key);
          settled.allocator.observe([{ ...now, request: { ...now.request } }], []);
          settled.converge();
        }
        expect(assignments(settled.allocator)).to.deep.equal(before);
      }),
      { numRuns: 300 },
    );
  });

  it('never move a Service to another pool unless it asks', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const cluster = new FakeCluster(pools);
        for (const each of steps) {
          const content = [...cluster.allocator.decisions].filter(
            ([, { unsatisfied }]) => unsatisfied === undefined,
          );
          const before = new Map(content.map(([key, { ips }]) => [key, ips]));
          const changed = each.kind === 'set' ? each.service.key : undefined;
          take(cluster, each);
          for (const [key, ips] of before) {
            const after = cluster.allocator.decisions.get(key);
            if (key === changed || after === undefined || ips.length === 0) continue;
            if (cluster.told(key.slice('default/'.length)).includes('AddressConflict')) continue;
            expect(after.ips, key).to.include.members([...ips]);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a pool range', () => {
  it('always finds the lowest free address, as a plain search does', () => {
    const networks = ['198.51.100.0/29', '198.51.100.16/30'].map(parsePrefix);
    const all = [...Array(8).keys()].map((i) => parseIp(`198.51.100.${i}`));
    all.push(...[16, 17, 18, 19].map((i) => parseIp(`198.51.100.${i}`)));
    const reserved = new Map([[parseIp('198.51.100.3'), 'node n1']]);
    const act = fc.record({
      take: fc.nat({ max: 11 }),
      verb: fc.constantFrom('lowest', 'take', 'give'),
      avoid: fc.nat({ max: 11 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const poolRange = new PoolRange(4, networks, { buggy: true, reserved });
        const taken = new Set<Ip>();
        const fit = all.filter((ip) => poolRange.unfit(ip) === undefined);
        for (const { take: i, verb, avoid } of acts) {
          const ip = all[i];
          const odd = all[avoid];
          if (ip === undefined || odd === undefined) continue;
          if (verb === 'take') taken.add(ip);
          else if (verb === 'give') {
            if (taken.delete(ip)) poolRange.released(ip);
          } else {
            const free = fit.filter((each) => !taken.has(each));
            const want = free.find((each) => each !== odd) ?? free[0];
            expect(
              poolRange.lowest(
                (each) => taken.has(each),
                (each) => each === odd,
              ),
            ).to.equal(want);
            if (want !== undefined) taken.add(want);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never counts its way through a large network', () => {
    const poolRange = new PoolRange(6, [parsePrefix('2001:db8::/32')], { buggy: false, reserved: new Map() });
    expect(
      poolRange.lowest(
        () => false,
        () => false,
      ),
    ).to.equal('2001:db8::1');
    poolRange.released(parseIp('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'));
    expect(
      poolRange.lowest(
        (ip) => ip === '2001:db8::1',
        () => false,
      ),
    ).to.equal('2001:db8::2');
  });

  it('gives the subnet-router anycast address of an IPv6 /64 when there is no other', () => {
    const lowest = (network: string, taken: readonly string[]) =>
      new PoolRange(6, [parsePrefix(network)], { buggy: false, reserved: new Map() }).lowest(
        (ip) => taken.includes(ip),
        () => false,
      );
    expect(lowest('2001:db8:e::/127', [])).to.equal('2001:db8:e::1');
    expect(lowest('2001:db8:e::/127', ['2001:db8:e::1'])).to.equal('2001:db8:e::');
    expect(lowest('2001:db8:e::/128', [])).to.equal('2001:db8:e::');
    expect(lowest('2001:db8:e:0:1::/127', [])).to.equal('2001:db8:e:0:1::');
  });
});

describe('what was given', () => {
  it('is read back from the words that say it', () => {
    const ips = ['198.51.100.3', '2001:db8:e::3'].map(parseIp);
    for (const enforce of [false, true]) {
      for (const more of ['', '; asks for 203.0.113.9 from pool other']) {
        const given = { ips, pool: 'a.b-c', enforce };
        const condition = {
          type: 'eiproute.io/Allocated',
          status: 'True' as const,
          reason: 'Allocated',
          message: `${allocatedText(given)}${more}`,
          lastTransitionTime: '',
        };
        expect(
          allocatedTo(service('s1', [], { request: request({ conditions: [condition] }) })),
        ).to.deep.equal(given);
      }
    }
  });
});
