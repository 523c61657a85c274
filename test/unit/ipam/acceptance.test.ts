import { expect } from 'chai';
import { Assignments } from '../../../src/ipam/assignments.ts';
import type { Service } from '../../../src/model/cluster.ts';
import type { Pool } from '../../../src/model/gateway.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { request, service } from '../../scene.ts';
import { allocation, asking, dual, FakeCluster, four, key, named, pool, port } from './fake-cluster.ts';

const A = '198.51.100.1';
const B = '198.51.100.2';
const local = { externalTrafficPolicy: 'Local' } as const;
const sharing = (name: string, ips: readonly string[], shared: string, rest: Partial<Service> = {}) =>
  asking(name, { annotations: { ...named(...ips).annotations, ...key(shared).annotations } }, rest);

describe('the allocator, by the cases of acceptance', () => {
  it('1. who holds an address and asks for it again keeps it, and nothing is written', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1', named(A)));
    expect(cluster.ips('s1')).to.equal(A);
    cluster.writes = 0;
    cluster.change('s1', {});
    cluster.restart();
    expect([cluster.ips('s1'), cluster.writes]).to.deep.equal([A, 0]);
  });

  it('2. what is held is refused to others, who may have another; then that one is refused to the first', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1', named(A)), asking('s2', named(A)));
    expect([cluster.ips('s2'), cluster.unsatisfied('s2')]).to.deep.equal(['', 'AddressInUse']);
    cluster.change('s2', { how: named(B) });
    expect(cluster.ips('s2')).to.equal(B);
    cluster.change('s1', { how: named(B) });
    expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal([A, 'AddressInUse']);
  });

  it('3. what is freed is granted', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1', named(A)), asking('s2', named(A)));
    cluster.delete('s1');
    expect([cluster.ips('s2'), cluster.unsatisfied('s2')]).to.deep.equal([A, undefined]);
  });

  it('4. a pool that avoids buggy addresses refuses .0 and .255, and gives the others', () => {
    const cluster = new FakeCluster([pool('p', ['198.51.100.0/24'], { avoidBuggyIps: true })]);
    cluster.set(asking('s1', named('198.51.100.0')), asking('s2', named('198.51.100.255')), asking('s3'));
    expect([cluster.unsatisfied('s1'), cluster.unsatisfied('s2')]).to.deep.equal([
      'AddressUnfit',
      'AddressUnfit',
    ]);
    expect(cluster.ips('s3')).to.equal('198.51.100.1');
  });

  it('5. the sharing key of one who is alone on an address may change in place', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(sharing('s4', [A], 'k1'));
    cluster.writes = 0;
    cluster.set({
      ...cluster.at('s4'),
      request: { ...cluster.at('s4').request, annotations: sharing('s4', [A], 'k2').request.annotations },
    });
    expect([cluster.ips('s4'), cluster.writes]).to.deep.equal([A, 0]);
  });

  const partner = (name: string, shared: string, number: number, app: string): Service => {
    const one = sharing(name, [A], shared, { ...port(number), ...local });
    return { ...one, request: { ...one.request, selector: { app } } };
  };
  const together: readonly { name: string; s3: Service; why?: string }[] = [
    { name: '6. the same port is refused', s3: partner('s3', 'k', 80, 'b1'), why: 'both have port TCP/80' },
    { name: '7. another key is refused', s3: partner('s3', 'j', 81, 'b1'), why: 'their sharing keys differ' },
    {
      name: '8. another selector under Local is refused',
      s3: partner('s3', 'k', 81, 'b2'),
      why: 'under externalTrafficPolicy Local they must have the same selector',
    },
    { name: '9. the same key and backends on another port are granted', s3: partner('s3', 'k', 81, 'b1') },
  ];
  for (const { name, s3, why } of together) {
    it(`${name}, beside one who shares`, () => {
      const cluster = new FakeCluster([four]);
      cluster.set(partner('s2', 'k', 80, 'b1'), s3);
      expect(cluster.ips('s2')).to.equal(A);
      expect(cluster.ips('s3')).to.equal(why === undefined ? A : '');
      if (why !== undefined) expect(cluster.decision('s3')?.unsatisfied?.message).to.include(why);
    });
  }

  it('9. a sharer may change its ports and keep the address, but neither key nor backends', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(sharing('s2', [A], 'k', port(80)), sharing('s3', [A], 'k', port(81)));
    cluster.change('s3', port(82));
    expect(cluster.ips('s3')).to.equal(A);
    cluster.change('s3', { how: sharing('s3', [A], 'j').request });
    expect([cluster.ips('s2'), cluster.ips('s3'), cluster.unsatisfied('s3')]).to.deep.equal([
      A,
      '',
      'AddressInUse',
    ]);
    expect(cluster.told('s3')).to.include.members(['AddressConflict', 'ClearAssignment', 'AllocationFailed']);
    cluster.change('s3', { how: sharing('s3', [A], 'k').request });
    expect(cluster.ips('s3')).to.equal(A);
    cluster.change('s3', local);
    expect([cluster.ips('s2'), cluster.ips('s3')]).to.deep.equal([A, A]);
    cluster.change('s3', { how: { selector: { app: 'other' } } });
    expect([cluster.ips('s2'), cluster.ips('s3')]).to.deep.equal([A, '']);
  });

  describe('10. two families', () => {
    const pools = [pool('p', ['198.51.100.0/30', '2001:db8:e::/126']), pool('q', ['2001:db8:f::/126'])];
    const cases: readonly { name: string; ips: readonly string[]; unsatisfied?: string }[] = [
      { name: 'from one pool are granted', ips: [A, '2001:db8:e::1'] },
      { name: 'from two pools are refused', ips: [A, '2001:db8:f::1'], unsatisfied: 'TwoPools' },
      { name: 'that are one are refused', ips: [A, B], unsatisfied: 'SameFamily' },
      {
        name: 'and a third address are refused',
        ips: [A, B, '2001:db8:e::1'],
        unsatisfied: 'TooManyAddresses',
      },
    ];
    for (const { name, ips, unsatisfied } of cases) {
      it(name, () => {
        const cluster = new FakeCluster(pools);
        cluster.set(asking('s1', { ...dual, ...named(...ips) }));
        expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal([
          unsatisfied ? '' : ips.join(' '),
          unsatisfied,
        ]);
      });
    }
  });

  describe('11. a pool for namespaces and labels', () => {
    const choosy = pool('p', ['198.51.100.0/30'], {
      namespaces: ['default'],
      serviceSelector: { tier: 'public' },
    });
    const labels = { tier: 'public' };
    const cases: readonly { name: string; how: object; namespace: string; granted: boolean }[] = [
      { name: 'is for who matches both', how: { labels }, namespace: 'default', granted: true },
      { name: 'is not for another namespace', how: { labels }, namespace: 'other', granted: false },
      {
        name: 'is not for other labels',
        how: { labels: { tier: 'x' } },
        namespace: 'default',
        granted: false,
      },
    ];
    for (const { name, how, namespace, granted } of cases) {
      for (const request of [{}, named(A), { annotations: { 'eiproute.io/pool': 'p' } }]) {
        it(`${name} (${JSON.stringify(request)})`, () => {
          const cluster = new FakeCluster([choosy]);
          cluster.set(asking('s1', { ...how, ...request }, { namespace }));
          expect(cluster.ips(`${namespace}/s1`) !== '').to.equal(granted);
          if (!granted) expect(cluster.unsatisfied(`${namespace}/s1`)).to.be.oneOf(['NotAllowed', 'NoPool']);
        });
      }
    }

    it('goes before one for everybody', () => {
      const cluster = new FakeCluster([pool('open', ['192.0.2.0/30']), choosy]);
      cluster.set(asking('s1', { labels }), asking('s2'));
      expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['198.51.100.0', '192.0.2.0']);
    });

    it('goes after one with a smaller priority', () => {
      const cluster = new FakeCluster([choosy, pool('open', ['192.0.2.0/30'], { priority: 1 })]);
      cluster.set(asking('s1', { labels }));
      expect(cluster.ips('s1')).to.equal('192.0.2.0');
    });
  });

  const families: readonly {
    name: string;
    how: object;
    nets: readonly string[];
    want: (i: number) => string;
  }[] = [
    { name: 'IPv4', how: {}, nets: ['198.51.100.0/30'], want: (i) => `198.51.100.${i}` },
    {
      name: 'IPv6',
      how: { clusterIps: [parseIp('2001:db8:c::1')] },
      nets: ['2001:db8:e::4/126'],
      want: (i) => `2001:db8:e::${4 + i}`,
    },
    {
      name: 'both',
      how: dual,
      nets: ['198.51.100.0/30', '2001:db8:e::4/126'],
      want: (i) => `198.51.100.${i} 2001:db8:e::${4 + i}`,
    },
  ];
  for (const { name, how, nets, want } of families) {
    it(`12. four addresses are for four; who waits longest is next, and sharing helps (${name})`, () => {
      const cluster = new FakeCluster([pool('four', nets)]);
      cluster.set(
        asking('s1', { ...how, ...key('k') }, port(1)),
        ...['s2', 's3', 's4'].map((s) => asking(s, how)),
      );
      cluster.set(asking('s5', how));
      cluster.now = '2026-01-01T00:00:05Z';
      cluster.set(asking('s6', how, port(6)));
      const [s1, , s3] = ['s1', 's2', 's3', 's4'].map((s) => cluster.ips(s));
      expect([1, 2, 3, 4].map((i) => cluster.ips(`s${i}`))).to.deep.equal([0, 1, 2, 3].map(want));
      expect([cluster.unsatisfied('s5'), cluster.unsatisfied('s6')]).to.deep.equal([
        'NoFreeAddress',
        'NoFreeAddress',
      ]);
      cluster.delete('s3');
      expect([cluster.ips('s5'), cluster.ips('s6')]).to.deep.equal([s3, '']);
      cluster.change('s6', { how: key('k') });
      expect(cluster.ips('s6')).to.equal(s1);
    });
  }

  describe('13. a new configuration', () => {
    const cluster = (): FakeCluster => {
      const made = new FakeCluster([pool('p', ['198.51.100.0/29'])]);
      made.set(asking('s1', named(A)), asking('s2', named('198.51.100.6')));
      made.writes = 0;
      return made;
    };

    it('that is the same changes nothing', () => {
      const it = cluster();
      it.restart();
      expect(it.writes).to.equal(0);
    });

    it('with a larger pool changes nothing', () => {
      const it = cluster();
      it.restart([pool('p', ['198.51.100.0/24'])]);
      expect([it.ips('s1'), it.ips('s2'), it.writes]).to.deep.equal([A, '198.51.100.6', 0]);
    });

    it('with a smaller pool leaves what is in use, with a warning', () => {
      const it = cluster();
      it.restart([pool('p', ['198.51.100.0/30'])]);
      expect([it.ips('s1'), it.ips('s2')]).to.deep.equal([A, '198.51.100.6']);
      expect([it.told('s1').at(-1), it.told('s2').at(-1)]).to.deep.equal(['IPAllocated', 'AddressKept']);
      it.writes = 0;
      it.restart();
      expect(it.writes, 'told once').to.equal(0);
      it.change('s2', { how: { annotations: {} } });
      expect(it.ips('s2'), 'until the Service asks for something else').to.equal('198.51.100.6');
      it.change('s2', { how: named(B) });
      expect(it.ips('s2')).to.equal(B);
    });

    it('with a smaller pool leaves what is in use also with a Service that asks for this pool', () => {
      // Found by 7,848 random histories: its address seemed to be of another pool than the one that it asks for.
      const it = new FakeCluster([four]);
      it.set(asking('s8'), asking('s2'));
      it.set(asking('s1', { annotations: { 'eiproute.io/pool': 'four' } }));
      expect(it.ips('s1')).to.equal(B);
      it.delete('s8');
      it.restart([pool('four', ['198.51.100.0/31'])]);
      expect([it.ips('s1'), it.told('s1').at(-1)]).to.deep.equal([B, 'AddressKept']);
      it.reload([pool('four', ['198.51.100.0/31'])]);
      expect(it.ips('s1')).to.equal(B);
      it.change('s1', { how: named(A) });
      expect(it.ips('s1'), 'until it asks for something else').to.equal(A);
    });

    it('with a smaller pool that enforces its bounds takes back what is outside', () => {
      const it = new FakeCluster([pool('p', ['198.51.100.0/29'], { enforce: true })]);
      it.set(asking('s1', named(A)), asking('s2'), asking('s3', named('198.51.100.6')));
      it.change('s3', { how: { annotations: {} } });
      it.restart([pool('p', ['198.51.100.0/30'], { enforce: true })]);
      expect([it.ips('s1'), it.ips('s3')]).to.deep.equal([A, '198.51.100.2']);
      expect(it.told('s3').slice(-2)).to.deep.equal(['ClearAssignment', 'IPAllocated']);
    });

    it('with a newly avoided address leaves it, unless the pool enforces', () => {
      for (const enforce of [false, true]) {
        const it = new FakeCluster([four]);
        it.set(asking('s1'));
        it.restart([pool('four', ['198.51.100.0/30'], { avoidBuggyIps: true, enforce })]);
        expect(it.ips('s1')).to.equal(enforce ? A : '198.51.100.0');
      }
    });

    it('with a pool of another name moves the allocation to it', () => {
      const it = cluster();
      it.restart([pool('q', ['198.51.100.0/29'])]);
      expect([it.ips('s1'), it.decision('s1')?.pool]).to.deep.equal([A, 'q']);
    });

    it('with the pool split follows the address', () => {
      const it = cluster();
      it.restart([pool('q', ['198.51.100.0/30']), pool('r', ['198.51.100.4/30'])]);
      expect([it.decision('s1')?.pool, it.decision('s2')?.pool]).to.deep.equal(['q', 'r']);
      expect([it.ips('s1'), it.ips('s2')]).to.deep.equal([A, '198.51.100.6']);
    });
  });

  it('14. a pool without autoAssign is only for who asks for it', () => {
    const cluster = new FakeCluster([pool('p', ['198.51.100.0/30'], { autoAssign: false })]);
    const byPool = { annotations: { 'metallb.io/address-pool': 'p' } };
    cluster.set(asking('s1'), asking('s2', byPool), asking('s3', named('198.51.100.3')));
    expect(['s1', 's2', 's3'].map((s) => cluster.ips(s))).to.deep.equal(['', '198.51.100.0', '198.51.100.3']);
    expect(cluster.unsatisfied('s1')).to.equal('NoPool');
  });

  describe('15. the count of a pool', () => {
    const counts: readonly (readonly [networks: readonly string[], buggy: boolean, size: number])[] = [
      [['198.51.100.0/24'], false, 256],
      [['198.51.100.0/24', '203.0.113.0/25'], false, 384],
      [['198.51.100.0/24', '203.0.113.0/25'], true, 381],
      [['198.51.100.128/25'], true, 127],
      [['10.8.0.0/16'], true, 65_536 - 512],
      [['198.51.100.4/30'], true, 4],
      [['198.51.100.255/32'], true, 0],
      [['2001:db8:e::/64'], false, Number.MAX_SAFE_INTEGER],
      [['2001:db8::/32', '2001:db9::/120'], false, Number.MAX_SAFE_INTEGER],
      [['2001:db8:e::/120'], true, 256],
    ];
    for (const [networks, avoidBuggyIps, size] of counts) {
      it(`is ${size} for ${networks.join(', ')}${avoidBuggyIps ? ' without buggy ones' : ''}`, () => {
        const assignments = new Assignments([pool('p', networks, { avoidBuggyIps })], {
          reserved: new Map(),
        });
        expect(assignments.use()[0]?.size).to.equal(size);
      });
    }

    it('leaves out reserved addresses', () => {
      const reserved = new Map([[parseIp(A), 'node n1']]);
      expect(new Assignments([four], { reserved }).use()[0]?.size).to.equal(3);
    });
  });

  it('16. what is in use counts addresses, not Services, and comes to 0', () => {
    const cluster = new FakeCluster([four]);
    const used = () => cluster.allocator.assignments.use().map((use) => use.used);
    cluster.set(sharing('s1', [A], 'k', port(1)), sharing('s2', [A], 'k', port(2)), asking('s3'));
    expect(used()).to.deep.equal([2]);
    cluster.delete('s1', 's3');
    expect(used()).to.deep.equal([1]);
    cluster.delete('s2');
    expect(used()).to.deep.equal([0]);
    cluster.restart([]);
    expect(used()).to.deep.equal([]);
  });

  it('17. a Service that is no LoadBalancer is left alone', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1', named(A), { type: 'NodePort' }), asking('s2', {}, { type: 'ClusterIP' }));
    expect([cluster.decision('s1'), cluster.decision('s2'), cluster.writes]).to.deep.equal([
      undefined,
      undefined,
      0,
    ]);
  });

  it('18. what is no LoadBalancer any more is cleared, its address freed, and given to who waits', () => {
    const cluster = new FakeCluster([pool('one', ['198.51.100.1/32'])]);
    cluster.set(asking('s1'), asking('s2'));
    cluster.change('s1', { type: 'NodePort' });
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['', A]);
    expect(cluster.at('s1').request).to.deep.include({ conditions: [], finalizer: false });
    expect(cluster.told('s1').at(-1)).to.equal('ClearAssignment');
  });

  describe('19. a request', () => {
    const spec = { loadBalancerIp: A };
    it('by spec.loadBalancerIP is honoured', () => {
      const cluster = new FakeCluster([four]);
      cluster.set(asking('s1', spec));
      expect(cluster.ips('s1')).to.equal(A);
    });
    for (const name of ['eiproute.io/addresses', 'metallb.io/loadBalancerIPs']) {
      it(`by ${name} is honoured`, () => {
        const cluster = new FakeCluster([four]);
        cluster.set(asking('s1', { annotations: { [name]: ` ${A} ` } }));
        expect(cluster.ips('s1')).to.equal(A);
      });
    }
    it('by spec.externalIPs of a LoadBalancer is honoured', () => {
      const cluster = new FakeCluster([four]);
      cluster.set(asking('s1', {}, { externalIps: [parseIp(A)] }));
      expect(cluster.ips('s1')).to.equal(A);
    });
    it('by two ways that agree is honoured', () => {
      const cluster = new FakeCluster([four]);
      cluster.set(asking('s1', { ...spec, ...named(A) }));
      expect(cluster.ips('s1')).to.equal(A);
    });

    const bad: readonly { name: string; how: object; unsatisfied: string }[] = [
      { name: 'by two ways that differ', how: { ...spec, ...named(B) }, unsatisfied: 'Contradiction' },
      { name: 'that is no address', how: named('198.51.100.300'), unsatisfied: 'InvalidAddress' },
      { name: 'that is empty', how: named(''), unsatisfied: 'InvalidAddress' },
      { name: 'outside the pools', how: named('203.0.113.9'), unsatisfied: 'OutsidePools' },
    ];
    for (const { name, how, unsatisfied } of bad) {
      it(`${name} leaves it without, with an event`, () => {
        const cluster = new FakeCluster([four]);
        cluster.set(asking('s1', how));
        expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['', unsatisfied]);
        expect(cluster.told('s1')).to.deep.equal(['AllocationFailed']);
      });
    }
  });

  it('20. an address and a pool that do not fit leave it without', () => {
    const cluster = new FakeCluster([four, pool('q', ['192.0.2.0/30'])]);
    cluster.set(asking('s1', { annotations: { 'eiproute.io/addresses': A, 'eiproute.io/pool': 'q' } }));
    expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['', 'Contradiction']);
  });

  it('21. another pool asked for is another address', () => {
    const cluster = new FakeCluster([four, pool('q', ['192.0.2.0/30'])]);
    cluster.set(asking('s1'));
    cluster.change('s1', { how: { annotations: { 'eiproute.io/pool': 'q' } } });
    expect(cluster.ips('s1')).to.equal('192.0.2.0');
    expect(cluster.told('s1')).to.deep.equal(['IPAllocated', 'ClearAssignment', 'IPAllocated']);
  });

  it('22. a pool that there is not leaves it pending; who has an address keeps it', () => {
    const cluster = new FakeCluster([four]);
    const lost = { annotations: { 'eiproute.io/pool': 'nowhere' } };
    cluster.set(asking('s1', lost), asking('s2'));
    expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['', 'UnknownPool']);
    cluster.change('s2', { how: lost });
    expect([cluster.ips('s2'), cluster.unsatisfied('s2')]).to.deep.equal(['198.51.100.0', 'UnknownPool']);
  });

  it('23. an address of no pool that we did not give is replaced, and so is a host name', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(service('s1', ['203.0.113.9']), asking('s2', { hostnames: ['lb.example'] }));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['198.51.100.0', '198.51.100.1']);
    expect(cluster.at('s2').request.hostnames).to.deep.equal([]);
  });

  it('24. without a cluster IP it waits', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1', { clusterIps: [] }));
    expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['', 'NoClusterIP']);
    cluster.change('s1', { how: { clusterIps: [parseIp('10.96.0.9')] } });
    expect(cluster.ips('s1')).to.equal('198.51.100.0');
  });

  it('25. the wrong family is refused when asked for, and replaced when it is there', () => {
    const cluster = new FakeCluster([pool('p', ['198.51.100.0/30', '2001:db8:e::/64'])]);
    cluster.set(asking('s1', named('2001:db8:e::1')), service('s2', ['2001:db8:e::2']));
    expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['', 'WrongFamily']);
    expect(cluster.ips('s2')).to.equal('198.51.100.0');
  });

  describe('26. PreferDualStack', () => {
    const prefer = { ...dual, familyPolicy: 'PreferDualStack' } as const;
    const sixFirst = { ...prefer, clusterIps: [...(dual.clusterIps ?? [])].reverse() };
    const v4 = pool('v4', ['198.51.100.0/30']);
    const v6 = pool('v6', ['2001:db8:6::/64']);
    const both = pool('both', ['192.0.2.0/30', '2001:db8:e::/64']);
    const get = (pools: readonly Pool[], how: object): string => {
      const cluster = new FakeCluster(pools);
      cluster.set(asking('s1', how));
      return cluster.ips('s1');
    };
    it('prefers a pool of both', () => expect(get([v4, both], prefer)).to.equal('192.0.2.0 2001:db8:e::1'));
    it('else takes its first family', () => {
      expect(get([v6, v4], prefer)).to.equal('198.51.100.0');
      expect(get([v4, v6], sixFirst)).to.equal('2001:db8:6::1');
    });
    it('else the other one', () => expect(get([v6], prefer)).to.equal('2001:db8:6::1'));

    it('gets a second address of the same pool when that gets the family, and never of another pool', () => {
      const cluster = new FakeCluster([v4]);
      cluster.set(asking('s1', prefer));
      cluster.restart([v4, both]);
      expect(cluster.ips('s1')).to.equal('198.51.100.0');
      cluster.restart([pool('v4', ['198.51.100.0/30', '2001:db8:4::/64']), both]);
      expect(cluster.ips('s1')).to.equal('198.51.100.0 2001:db8:4::1');
    });

    it('gives the second one back when it is SingleStack again', () => {
      const cluster = new FakeCluster([both]);
      cluster.set(asking('s1', prefer));
      cluster.change('s1', { how: { familyPolicy: 'SingleStack' } });
      expect(cluster.ips('s1')).to.equal('192.0.2.0');
    });

    it('is completed when it names one of two addresses', () => {
      expect(get([both], { ...prefer, ...named('192.0.2.2') })).to.equal('192.0.2.2 2001:db8:e::1');
    });

    it('gets its second address as soon as one comes free, not only after a restart', () => {
      const cluster = new FakeCluster([pool('both', ['192.0.2.0/32', '2001:db8:e::/127'])]);
      cluster.set(asking('s1'), asking('s2', prefer));
      expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['192.0.2.0', '2001:db8:e::1']);
      cluster.delete('s1');
      expect(cluster.ips('s2')).to.equal('192.0.2.0 2001:db8:e::1');
    });

    it('names the Service that holds its address now', () => {
      const cluster = new FakeCluster([four]);
      cluster.set(asking('s2', { ...dual, ...named(A) }));
      expect(cluster.unsatisfied('s2')).to.equal('NoFreeAddress');
      cluster.set(asking('s1', named(A)));
      expect([cluster.ips('s1'), cluster.unsatisfied('s2')]).to.deep.equal([A, 'AddressInUse']);
    });

    it('RequireDualStack with one cluster IP is an error, and with a pool of one family has to wait', () => {
      const cluster = new FakeCluster([v4]);
      cluster.set(asking('s1', { familyPolicy: 'RequireDualStack' }), asking('s2', dual));
      expect([cluster.unsatisfied('s1'), cluster.unsatisfied('s2')]).to.deep.equal([
        'NotDualStack',
        'NoFreeAddress',
      ]);
    });
  });

  it('27. a deleted Service lets the one that waits converge', () => {
    const cluster = new FakeCluster([pool('one', ['198.51.100.1/32'])]);
    cluster.set(asking('s1'), asking('s2'));
    expect(cluster.ips('s2')).to.equal('');
    cluster.delete('s1');
    expect(cluster.ips('s2')).to.equal(A);
  });

  it('28. after a restart every Service keeps its address, whatever waits beside it', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(...['s5', 's6', 's7', 's8'].map((s) => asking(s)));
    const before = ['s5', 's6', 's7', 's8'].map((s) => cluster.ips(s));
    // Older than all of them, and told first: a greedy restart would serve these.
    cluster.services.clear();
    for (const one of ['s1', 's2', 's3']) cluster.services.set(`default/${one}`, asking(one));
    before.forEach((ip, i) => {
      cluster.services.set(
        `default/s${i + 5}`,
        service(`s${i + 5}`, [ip], { request: request({ created: 9000 + i }) }),
      );
    });
    cluster.restart();
    expect(['s5', 's6', 's7', 's8'].map((s) => cluster.ips(s))).to.deep.equal(before);
    expect(['s1', 's2', 's3'].map((s) => cluster.unsatisfied(s))).to.deep.equal(
      Array(3).fill('NoFreeAddress'),
    );
  });

  it('29. a removed pool leaves its addresses; one that enforces takes them back for those of another', () => {
    for (const enforce of [false, true]) {
      const cluster = new FakeCluster([
        pool('old', ['203.0.113.0/30'], { enforce }),
        pool('new', ['192.0.2.0/30']),
      ]);
      cluster.set(asking('s1'));
      cluster.restart([pool('new', ['192.0.2.0/30'])]);
      expect(cluster.ips('s1')).to.equal(enforce ? '192.0.2.0' : '203.0.113.0');
      expect(cluster.told('s1').at(-1)).to.equal(enforce ? 'IPAllocated' : 'AddressKept');
    }
  });

  it('30. when a partner on an address changes its policy, they are evaluated again', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(sharing('s1', [A], 'k', port(1)), sharing('s2', [A], 'k', port(2)));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, A]);
    cluster.change('s1', { ...local, how: { selector: { app: 'one' } } });
    expect([cluster.ips('s1'), cluster.ips('s2')], 'the older one keeps it').to.deep.equal([A, '']);
    cluster.change('s1', { externalTrafficPolicy: 'Cluster' });
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, A]);
  });

  describe('31. a class', () => {
    const matrix: readonly (readonly [string | undefined, boolean, boolean])[] = [
      [undefined, true, true],
      [undefined, false, false],
      ['eiproute.io/gateway', true, true],
      ['eiproute.io/gateway', false, true],
      ['other.example/lb', true, false],
      ['other.example/lb', false, false],
    ];
    for (const [loadBalancerClass, classless, ours] of matrix) {
      it(`${loadBalancerClass ?? 'that is not there'} is ${ours ? '' : 'not '}ours${classless ? '' : ' without classless'}`, () => {
        const cluster = new FakeCluster([four], { allocation: { ...allocation, classless } });
        cluster.set(asking('s1', {}, { loadBalancerClass }));
        expect([cluster.ips('s1') !== '', cluster.writes > 0]).to.deep.equal([ours, ours]);
      });
    }

    it('of others keeps its addresses to itself', () => {
      const cluster = new FakeCluster([four]);
      const theirs = service('s1', ['198.51.100.0'], { loadBalancerClass: 'other.example/lb' });
      cluster.set(theirs, asking('s2'));
      expect([cluster.at('s1'), cluster.ips('s2')]).to.deep.equal([theirs, A]);
    });
  });

  it('32. nothing is written when nothing changed', () => {
    const cluster = new FakeCluster([four]);
    cluster.routed = () => true;
    cluster.set(...['s1', 's2', 's3', 's4', 's5'].map((s) => asking(s)));
    cluster.writes = 0;
    cluster.restart();
    for (const one of cluster.services.values()) cluster.set({ ...one, endpoints: [] });
    expect(cluster.writes).to.equal(0);
  });
});

describe('the allocator', () => {
  it('gives no address that is a node, the gateway or the API, also when asked by name', () => {
    const reserved = new Map([[parseIp('198.51.100.0'), 'node n1']]);
    const cluster = new FakeCluster([four], { reserved });
    const taken = service('s3', ['198.51.100.0'], { request: request({ created: 3000 }) });
    cluster.set(asking('s1'), asking('s2', named('198.51.100.0')), taken);
    expect([cluster.ips('s1'), cluster.ips('s2'), cluster.unsatisfied('s2')]).to.deep.equal([
      A,
      '',
      'AddressUnfit',
    ]);
    expect(cluster.ips('s3')).to.equal(B);
  });

  it('takes no address back that a node claims since it was given, and says so', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1'), asking('s2'));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['198.51.100.0', A]);
    const both = ['198.51.100.0', A].map(parseIp);
    const reserved = new Map(both.map((ip) => [ip, 'node n1']));
    for (const again of [
      () => cluster.reload([four], { reserved, claimed: new Set(both) }),
      () => cluster.restart(),
    ]) {
      again();
      expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['198.51.100.0', A]);
      expect(cluster.allocator.decisions.get('default/s1')?.warnings).to.deep.equal([
        '198.51.100.0 belongs to node n1',
      ]);
    }
    // Nobody else gets it, and who has it without having been given it does not keep it.
    cluster.delete('s1');
    cluster.set(asking('s3'), service('s4', ['198.51.100.0'], { request: request({ created: 4000 }) }));
    expect([cluster.ips('s3'), cluster.ips('s4')]).to.deep.equal([B, '198.51.100.3']);
    // An address of the gateway itself leads nowhere.
    cluster.reload([four], { reserved: new Map([[parseIp(A), 'this gateway (eth0)']]), claimed: new Set() });
    expect(cluster.ips('s2')).to.equal('198.51.100.0');
  });

  it('leaves to others what they ask for by name, as long as there is another', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s1'), asking('s2', named('198.51.100.0')));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, '198.51.100.0']);
  });

  it('gives no address that spec.externalIPs of another Service claims, and takes none away for it', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(asking('s2', {}, { type: 'ClusterIP', externalIps: [parseIp('198.51.100.0')] }));
    cluster.set(asking('s1'));
    expect(cluster.ips('s1')).to.equal(A);
    cluster.set(asking('s0', {}, { type: 'ClusterIP', externalIps: [parseIp(A)] }));
    expect([
      cluster.ips('s1'),
      cluster.allocator.assignments.holders(parseIp(A)).map((one) => one.key),
    ]).to.deep.equal([A, ['default/s1']]);
  });

  it('keeps a promise while it is on the way, whatever else changes', () => {
    const cluster = new FakeCluster([four]);
    const { allocator } = cluster;
    allocator.observe([asking('s1'), asking('s2')], []);
    cluster.converge();
    const decided = allocator.decisions.get('default/s2')?.ips;
    expect(decided).to.deep.equal([A]);
    allocator.observe([], ['default/s1']);
    allocator.observe([asking('s2', { finalizer: true }), asking('s3')], []);
    cluster.converge();
    expect(allocator.decisions.get('default/s2')?.ips).to.deep.equal(decided);
    for (const one of [asking('s2', { finalizer: true }), asking('s3')]) {
      cluster.services.set(`default/${one.name}`, one);
    }
    cluster.reload([four, pool('later', ['192.0.2.0/30'], { priority: 1 })]);
    expect(cluster.ips('s2')).to.equal(A);
  });

  it('holds the address of a Service that is being deleted until its finalizer goes', () => {
    const cluster = new FakeCluster([pool('one', ['198.51.100.1/32'])]);
    cluster.routed = () => true;
    cluster.set(asking('s1'), asking('s2'));
    cluster.change('s1', { deleting: true });
    expect([cluster.at('s1').request.finalizer, cluster.ips('s2')]).to.deep.equal([true, '']);
    cluster.routed = () => false;
    cluster.settle();
    expect([cluster.at('s1').request.finalizer, cluster.ips('s2')]).to.deep.equal([false, A]);
  });

  it('of two with one address leaves it to the one it was given to, else to the older one', () => {
    const cluster = new FakeCluster([four]);
    cluster.set(
      service('s1', [A], { request: request({ created: 1 }) }),
      service('s2', [A], { request: request({ created: 2 }) }),
    );
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, '198.51.100.0']);
    const other = new FakeCluster([four]);
    other.set(asking('s2', named(A)));
    other.set(service('s1', [A], { request: request({ created: 1 }) }));
    expect([other.ips('s1'), other.ips('s2')]).to.deep.equal(['198.51.100.0', A]);
  });

  it('gives away no address that a Service of another class shows, also when there was a write conflict before', () => {
    const cluster = new FakeCluster([pool('two', ['198.51.100.0/31'])]);
    cluster.set(asking('s1', named(A)));
    cluster.set(service('s2', [A], { loadBalancerClass: 'other.example/lb' }));
    expect(cluster.allocator.assignments.holders(parseIp(A)).map((one) => one.key)).to.deep.equal([
      'default/s1',
    ]);
    cluster.set(asking('s3'));
    cluster.set(asking('s4'));
    cluster.delete('s1');
    expect([cluster.ips('s3'), cluster.ips('s4')]).to.deep.equal(['198.51.100.0', '']);
  });

  describe('with the addresses of the nodes', () => {
    const nodes = [pool('nodes', [], { nodeAddresses: true })];
    const ips = ['10.0.0.11', '10.0.0.12'].map(parseIp);

    it('gives those that can serve, and follows them', () => {
      let able = ips;
      const cluster = new FakeCluster(nodes, { nodeAddresses: () => able });
      cluster.set(asking('s1'));
      expect(cluster.ips('s1')).to.equal('10.0.0.11 10.0.0.12');
      able = ips.slice(1);
      cluster.restart();
      expect(cluster.ips('s1')).to.equal('10.0.0.12');
      able = [];
      cluster.writes = 0;
      cluster.restart();
      expect([cluster.ips('s1'), cluster.writes], 'until none can').to.deep.equal(['10.0.0.12', 0]);
    });

    it('gives each port once, and none that the nodes live by', () => {
      const cluster = new FakeCluster(nodes, { nodeAddresses: () => ips });
      cluster.set(asking('s1'), asking('s2'), asking('s3', {}, port(22)), asking('s4', {}, port(81)));
      expect(
        ['s1', 's2', 's3', 's4'].map((s) => [cluster.ips(s) !== '', cluster.unsatisfied(s)]),
      ).to.deep.equal([
        [true, undefined],
        [false, 'PortInUse'],
        [false, 'PortInUse'],
        [true, undefined],
      ]);
      cluster.delete('s1');
      expect(cluster.ips('s2')).to.equal('10.0.0.11 10.0.0.12');
    });

    it('lets a Service go to another pool and back, with its port', () => {
      const cluster = new FakeCluster([...nodes, pool('q', ['192.0.2.0/30'], { autoAssign: false })], {
        nodeAddresses: () => ips,
      });
      cluster.set(asking('s1'), asking('s2'));
      cluster.change('s1', { how: { annotations: { 'eiproute.io/pool': 'q' } } });
      expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['192.0.2.0', '10.0.0.11 10.0.0.12']);
      cluster.change('s1', { how: { annotations: { 'eiproute.io/pool': 'nodes' } } });
      expect([cluster.ips('s1'), cluster.unsatisfied('s1')]).to.deep.equal(['192.0.2.0', 'PortInUse']);
      cluster.delete('s2');
      expect(cluster.ips('s1')).to.equal('10.0.0.11 10.0.0.12');
    });

    it('comes in its place among the pools', () => {
      const cluster = new FakeCluster([pool('one', ['198.51.100.1/32'], { priority: 1 }), ...nodes], {
        nodeAddresses: () => ips,
      });
      cluster.set(asking('s1'), asking('s2'));
      expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, '10.0.0.11 10.0.0.12']);
    });
  });
});
