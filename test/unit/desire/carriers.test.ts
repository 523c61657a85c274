import { expect } from 'chai';
import fc from 'fast-check';
import { type Candidates, candidates, carriers, shared, usable } from '../../../src/desire/carriers.ts';
import { byPlace } from '../../../src/desire/covering.ts';
import type { Endpoint, Node } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, node, service, threeNodes } from '../../scene.ts';

type Policy = 'Cluster' | 'Local';

function chosen(
  policy: Policy,
  endpoints: readonly Endpoint[],
  nodes: readonly Node[] = threeNodes,
  weighing: 'equal' | 'endpoints' = 'equal',
  of: 4 | 6 = 4,
): readonly string[] {
  const web = service('web', [], { externalTrafficPolicy: policy, endpoints });
  return carriers(web, candidates(nodes), of, weighing).map(
    ({ node: name, ip, weight }) => `${name} ${ip} ${weight}`,
  );
}

const ready = { ready: true, serving: true, terminating: false };
const unready = { ready: false, serving: false, terminating: false };
const draining = { ready: false, serving: true, terminating: true };

describe('carriers', () => {
  const all = ['n1', 'n2', 'n3'];
  const cases: readonly {
    readonly name: string;
    readonly policy: Policy;
    readonly endpoints: readonly Endpoint[];
    readonly want: readonly string[];
  }[] = [
    {
      name: 'are all nodes under Cluster, wherever the endpoint is',
      policy: 'Cluster',
      endpoints: [endpoint('n2')],
      want: all,
    },
    {
      name: 'are all nodes under Cluster for an endpoint outside the cluster',
      policy: 'Cluster',
      endpoints: [endpoint(undefined)],
      want: all,
    },
    {
      name: 'are no nodes under Cluster without a ready endpoint',
      policy: 'Cluster',
      endpoints: [endpoint('n1', unready)],
      want: [],
    },
    { name: 'are no nodes without any endpoint', policy: 'Cluster', endpoints: [], want: [] },
    {
      name: 'are all nodes under Cluster while the last endpoint drains',
      policy: 'Cluster',
      endpoints: [endpoint('n1', draining)],
      want: all,
    },
    {
      name: 'are one node under Local with two endpoints on it',
      policy: 'Local',
      endpoints: [endpoint('n2'), endpoint('n2')],
      want: ['n2'],
    },
    {
      name: 'are no nodes under Local when neither endpoint is ready',
      policy: 'Local',
      endpoints: [endpoint('n1', unready), endpoint('n2', unready)],
      want: [],
    },
    {
      name: 'are the node of the ready endpoint under Local, not that of the other',
      policy: 'Local',
      endpoints: [endpoint('n1', unready), endpoint('n2', ready)],
      want: ['n2'],
    },
    {
      name: 'leave out a node under Local that has only draining endpoints while another is ready',
      policy: 'Local',
      endpoints: [endpoint('n1', draining), endpoint('n2', ready)],
      want: ['n2'],
    },
    {
      name: 'are the draining nodes under Local when nothing is ready',
      policy: 'Local',
      endpoints: [endpoint('n1', draining), endpoint('n3', unready)],
      want: ['n1'],
    },
    {
      name: 'include a ready endpoint that says it does not serve',
      policy: 'Local',
      endpoints: [endpoint('n1', { ready: true, serving: false })],
      want: ['n1'],
    },
    {
      name: 'ignore an endpoint without a node under Local',
      policy: 'Local',
      endpoints: [endpoint(undefined), endpoint('n1')],
      want: ['n1'],
    },
    {
      name: 'ignore it also where it is the only one that is ready',
      policy: 'Local',
      endpoints: [endpoint(undefined), endpoint('n1', draining)],
      want: ['n1'],
    },
    {
      name: 'leave out a node under Local that is not there (yet)',
      policy: 'Local',
      endpoints: [endpoint('n9'), endpoint('n1')],
      want: ['n1'],
    },
    {
      name: 'come in the order of their names, whatever the order of the endpoints',
      policy: 'Local',
      endpoints: [endpoint('n3'), endpoint('n1')],
      want: ['n1', 'n3'],
    },
  ];
  for (const { name, policy, endpoints, want } of cases) {
    it(name, () => {
      expect(chosen(policy, endpoints).map((text) => text.split(' ')[0])).to.deep.equal(want);
    });
  }

  it('follow a change from Cluster to Local and the first local endpoint', () => {
    expect(chosen('Cluster', [endpoint('n9')])).to.have.length(3);
    expect(chosen('Local', [endpoint('n9')])).to.deep.equal([]);
    expect(chosen('Local', [endpoint('n9'), endpoint('n1')])).to.deep.equal(['n1 10.0.0.11 1']);
  });

  it('follow from the endpoints of the family asked for, since the slices of both change one by one', () => {
    const moved = [
      endpoint('n1', { ip: parseIp('10.244.0.1') }),
      endpoint('n3', { ip: parseIp('2001:db8:244::3') }),
    ];
    const web = { ...service('web', []), endpoints: moved, externalTrafficPolicy: 'Local' } as const;
    const nodes = candidates(threeNodes);
    const names = (of: 4 | 6): string[] => carriers(web, nodes, of, 'equal').map(({ node }) => node);
    expect(names(4)).to.deep.equal(['n1']);
    expect(names(6)).to.deep.equal(['n3']);
  });

  it('have the address of the family asked for, and leave out nodes without one', () => {
    const nodes = [
      node('both', ['10.0.0.21', '2001:db8:10::21']),
      node('four', ['10.0.0.22']),
      node('six', ['2001:db8:10::23']),
      node('none', []),
    ];
    expect(chosen('Cluster', [endpoint('x')], nodes)).to.deep.equal(['both 10.0.0.21 1', 'four 10.0.0.22 1']);
    const six = ['both 2001:db8:10::21 1', 'six 2001:db8:10::23 1'];
    expect(chosen('Cluster', [endpoint('x')], nodes, 'equal', 6)).to.deep.equal(six);
    const everywhere = nodes.map(({ name }) => endpoint(name));
    expect(chosen('Local', everywhere, nodes, 'equal', 6)).to.deep.equal(six);
  });

  describe('cover for nodes that carried until lately', () => {
    const n1 = node('n1', ['10.0.0.11']);
    const n2 = node('n2', ['10.0.0.12']);
    const n3 = node('n3', ['10.0.0.13']);
    const excluded = { ...n1, excludeLabel: 'true' };
    const covered = new Map([[undefined, { 4: new Set(['n1']), 6: new Set<string>() }]]);
    const without = { deleted: new Map([['n1', n1.addresses]]), covered };
    const parts = (
      policy: Policy,
      on: readonly string[],
      nodes: Candidates,
      former: readonly string[] = [],
    ): readonly string[] => {
      const endpoints = on.map((name) => endpoint(name));
      const web = service('web', [], { externalTrafficPolicy: policy, endpoints });
      return carriers(web, nodes, 4, 'equal', { former: new Set(former) }).map(
        ({ node: name, weight }) => `${name} ${weight}`,
      );
    };

    it('and were deleted', () => {
      const nodes = candidates([n2, n3], without);
      expect(parts('Cluster', ['n2'], nodes)).to.deep.equal(['n2 2', 'n3 1']);
    });

    it('and are registered again, without addresses yet', () => {
      const nodes = candidates([node('n1', []), n2, n3], without);
      expect(parts('Cluster', ['n2'], nodes)).to.deep.equal(['n2 2', 'n3 1']);
      expect(parts('Local', ['n1', 'n2', 'n3'], nodes)).to.deep.equal(['n2 2', 'n3 1']);
    });

    it('and are registered again with another address, by their former place', () => {
      const nodes = candidates([node('n1', ['10.0.0.19']), n2, n3], without);
      expect(parts('Local', ['n2', 'n3'], nodes, ['n1'])).to.deep.equal(['n2 2', 'n3 1']);
    });

    it('and are left out now', () => {
      const nodes = candidates([excluded, n2, n3], { deleted: new Map(), covered });
      expect(parts('Cluster', ['n2'], nodes)).to.deep.equal(['n2 2', 'n3 1']);
    });

    it('under Local, while their endpoints are listed still', () => {
      expect(parts('Local', ['n1', 'n2', 'n3'], candidates([n2, n3], without))).to.deep.equal([
        'n2 2',
        'n3 1',
      ]);
      expect(parts('Local', ['n2', 'n3'], candidates([n2, n3], without))).to.deep.equal(['n2 1', 'n3 1']);
    });

    it('and a node that is made anew with another address has its former place', () => {
      const anew = node('n1', ['10.0.0.19']);
      // The Node of a former name has the address of its machine still.
      const stale = node('n9', ['10.0.0.19']);
      const nodes = candidates([anew, n2, n3, stale], without);
      for (const policy of ['Cluster', 'Local'] as const) {
        const web = service('web', [], {
          externalTrafficPolicy: policy,
          endpoints: ['n1', 'n2', 'n3', 'n9'].map((name) => endpoint(name)),
        });
        const placed = [...carriers(web, nodes, 4, 'equal', { former: new Set() })].sort(byPlace);
        expect(placed.map(({ ip, weight }) => `${ip} ${weight}`)).to.deep.equal([
          '10.0.0.19 1',
          '10.0.0.12 1',
          '10.0.0.13 1',
        ]);
      }
    });

    it('and not for a node that has been left out for long', () => {
      expect(parts('Local', ['n1', 'n2', 'n3'], candidates([excluded, n2, n3]))).to.deep.equal([
        'n2 1',
        'n3 1',
      ]);
    });
  });

  it('have the first address of several of a family', () => {
    const nodes = [node('n1', ['10.0.0.21', '10.0.0.22'])];
    expect(chosen('Cluster', [endpoint('n1')], nodes)).to.deep.equal(['n1 10.0.0.21 1']);
  });

  it('are one where two nodes have the same address, as a node that was made anew under another name', () => {
    const nodes = [node('new', ['10.0.0.21']), node('old', ['10.0.0.21'])];
    expect(chosen('Cluster', [endpoint('new')], nodes)).to.deep.equal(['new 10.0.0.21 1']);
    const both = [endpoint('new'), endpoint('old')];
    expect(chosen('Local', both, nodes)).to.deep.equal(['new 10.0.0.21 1']);
    expect(chosen('Local', both, nodes, 'endpoints')).to.deep.equal(['new 10.0.0.21 2']);
  });

  it('are there under Cluster exactly where the Service has usable endpoints', () => {
    const nodes = candidates([node('n1', ['10.0.0.11', '2001:db8:10::11'])]);
    const anyEndpoint = fc.record({
      ip: fc.constantFrom('10.244.0.1', '2001:db8:244::1').map(parseIp),
      node: fc.constantFrom('n1', undefined),
      ready: fc.boolean(),
      serving: fc.boolean(),
      terminating: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyEndpoint, { maxLength: 3 }), fc.constantFrom(4, 6), (endpoints, of) => {
        const web = { ...service('web', []), endpoints };
        expect(carriers(web, nodes, of, 'equal').length > 0).to.equal(usable(web, of).length > 0);
      }),
    );
  });

  it('weigh as much as they have usable endpoints under Local, when asked to', () => {
    const endpoints = [endpoint('n1'), endpoint('n1'), endpoint('n1', unready), endpoint('n3')];
    expect(chosen('Local', endpoints, threeNodes, 'endpoints')).to.deep.equal([
      'n1 10.0.0.11 2',
      'n3 10.0.0.13 1',
    ]);
    expect(chosen('Local', endpoints)).to.deep.equal(['n1 10.0.0.11 1', 'n3 10.0.0.13 1']);
  });

  it('weigh 256 at most, which is all that a group takes', () => {
    const endpoints = Array.from({ length: 300 }, () => endpoint('n1'));
    expect(chosen('Local', endpoints, threeNodes, 'endpoints')).to.deep.equal(['n1 10.0.0.11 256']);
  });

  it('weigh alike under Cluster, where kube-proxy spreads by itself', () => {
    const endpoints = [endpoint('n1'), endpoint('n1')];
    expect(chosen('Cluster', endpoints, threeNodes, 'endpoints')).to.deep.equal([
      'n1 10.0.0.11 1',
      'n2 10.0.0.12 1',
      'n3 10.0.0.13 1',
    ]);
  });
});

describe('a node', () => {
  const cases: readonly { name: string; rest: Partial<Node>; carries: boolean }[] = [
    { name: 'carries by default', rest: {}, carries: true },
    { name: 'that is being deleted does not', rest: { deleting: true }, carries: false },
    {
      name: 'that the autoscaler is about to delete drains, and carries',
      rest: { autoscalerDeletes: true },
      carries: true,
    },
    { name: 'without a network does not', rest: { networkUnavailable: true }, carries: false },
  ];
  const labels: readonly (readonly [value: string, carries: boolean])[] = [
    ['true', false],
    ['', false],
    ['no', false],
    ['1', false],
    ['fALSE', false],
    [' false', false],
    ['false', true],
    ['False', true],
    ['FALSE', true],
    ['f', true],
    ['F', true],
    ['0', true],
  ];
  const labelled = labels.map(([excludeLabel, carries]) => ({
    name: `with the exclude label "${excludeLabel}" ${carries ? 'carries' : 'does not'}`,
    rest: { excludeLabel },
    carries,
  }));
  for (const { name, rest, carries } of [...cases, ...labelled]) {
    it(name, () => {
      const nodes = [node('n1', ['10.0.0.11'], rest), node('n2', ['10.0.0.12'])];
      const want = carries ? ['n1', 'n2'] : ['n2'];
      for (const policy of ['Cluster', 'Local'] as const) {
        const list = chosen(policy, [endpoint('n1'), endpoint('n2')], nodes);
        expect(list.map((text) => text.split(' ')[0])).to.deep.equal(want);
      }
    });
  }

  it('comes back with its network', () => {
    const at = (networkUnavailable: boolean) =>
      chosen('Cluster', [endpoint('n1')], [node('n1', ['10.0.0.11'], { networkUnavailable })]);
    expect([at(false), at(true), at(false)].map(({ length }) => length)).to.deep.equal([1, 0, 1]);
  });

  describe('whose endpoints all end', () => {
    const ending = { ready: false, serving: true, terminating: true };
    const seen = (leaving: readonly string[], endpoints: readonly Endpoint[]): readonly string[] =>
      carriers(
        service('web', ['198.51.100.10'], { externalTrafficPolicy: 'Local', endpoints }),
        candidates(threeNodes),
        4,
        'endpoints',
        { leaving: new Set(leaving) },
      ).map(({ node: name, weight }) => `${name} ${weight}`);

    it('carries on while it leaves and they serve', () => {
      const endpoints = [endpoint('n1', ending), endpoint('n2'), endpoint('n3', ending)];
      expect(seen([], endpoints)).to.deep.equal(['n2 1']);
      expect(seen(['n1'], endpoints)).to.deep.equal(['n1 1', 'n2 1']);
      expect(seen(['n1'], [endpoint('n1', { ...ending, serving: false }), endpoint('n2')])).to.deep.equal([
        'n2 1',
      ]);
    });

    it('counts those that are ready alone, once it has some again', () => {
      const endpoints = [endpoint('n1', ending), endpoint('n1'), endpoint('n2')];
      expect(seen(['n1'], endpoints)).to.deep.equal(['n1 1', 'n2 1']);
    });
  });

  it('leaves no carrier when every node is excluded', () => {
    const nodes = threeNodes.map((one) => ({ ...one, excludeLabel: '' }));
    expect(chosen('Cluster', [endpoint('n1')], nodes)).to.deep.equal([]);
  });
});

describe('shared carriers', () => {
  const [n1, n2, n3] = carriers(service('any', []), candidates(threeNodes), 4, 'equal');
  if (n1 === undefined || n2 === undefined || n3 === undefined)
    throw new Error('three nodes, three carriers');

  it('are those that can serve every Service', () => {
    expect(
      shared(
        [
          [n1, n2],
          [n2, n3],
          [n1, n2, n3],
        ],
        'equal',
      ),
    ).to.deep.equal([n2]);
  });

  it('are undefined where no node can', () => {
    expect(shared([[n1], [n2]], 'equal')).to.equal(undefined);
  });

  it('weigh alike, and are the very list where all have the same', () => {
    const list = [n1, n2];
    expect(shared([list, list], 'equal')).to.equal(list);
    expect(
      shared(
        [
          [n1, n2],
          [n1, n2, n3],
        ],
        'equal',
      ),
    ).to.deep.equal([n1, n2]);
  });

  it('weigh the sum of all endpoints, when asked to, and no more than a group takes', () => {
    const heavy = (weight: number) => [{ ...n1, weight }];
    expect(shared([heavy(3), heavy(2)], 'endpoints')).to.deep.equal([{ ...n1, weight: 5 }]);
    expect(shared([heavy(200), heavy(100)], 'endpoints')).to.deep.equal([{ ...n1, weight: 256 }]);
  });
});
