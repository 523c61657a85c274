import { expect } from 'chai';
import { gatewayObjects } from '../../../src/desire/gateway.ts';
import { paths } from '../../../src/desire/paths.ts';
import type { Node, Service } from '../../../src/model/cluster.ts';
import { endpoint, gateway, listing, node, service, snapshot } from '../../scene.ts';

const eip = '198.51.100.10';
const six = '2001:db8:e::10';
const n1 = node('n1', ['10.0.0.11']);
const n4 = node('n4', []);

function local(name: string, on: readonly (string | undefined)[], eips = [eip]): Service {
  return service(name, eips, {
    externalTrafficPolicy: 'Local',
    endpoints: on.map((name) => endpoint(name)),
  });
}

/** `severity: reason` of each EIP that no node can carry. */
function reasons(services: readonly Service[], nodes: readonly Node[]): readonly string[] {
  return paths(snapshot(nodes, services), gateway())
    .problems.filter(({ code }) => code === 'eip-no-node')
    .map(({ severity, message }) => `${severity}: ${message}`);
}

describe('an EIP that no node can carry, although its Service has ready endpoints', () => {
  const say = (severity: string, reason: string, ip = eip): string =>
    `${severity}: no node can carry ${ip} of Service default/web, which has ready endpoints: ${reason}`;
  const web = service('web', [eip]);
  const cases: readonly {
    readonly name: string;
    readonly service: Service;
    readonly nodes: readonly Node[];
    readonly want: readonly string[];
  }[] = [
    {
      name: 'is told when no node has an InternalIP of its family',
      service: service('web', [eip, six]),
      nodes: [n1, n4],
      want: [say('error', 'no node of the cluster has an IPv6 InternalIP', six)],
    },
    {
      name: 'is told when Kubernetes leaves all nodes out',
      service: web,
      nodes: [{ ...n1, excludeLabel: '' }],
      want: [say('error', 'the cluster has no node that a load balancer may use')],
    },
    {
      name: 'is told when the node of its endpoint has no InternalIP',
      service: local('web', ['n4']),
      nodes: [n1, n4],
      want: [say('error', 'node n4 has no IPv4 InternalIP')],
    },
    {
      name: 'is a warning when its pods are where no load balancer leads to',
      service: local('web', ['n5', 'n6', undefined]),
      nodes: [n1, { ...node('n5', ['10.0.0.15']), excludeLabel: 'true' }],
      want: [
        say(
          'warn',
          'nodes n5, n6 are gone, or left out of load balancers, endpoints name no node, which externalTrafficPolicy Local needs',
        ),
      ],
    },
    {
      name: 'is none when a node carries it',
      service: local('web', ['n4', 'n1']),
      nodes: [n1, n4],
      want: [],
    },
    {
      name: 'is none without endpoints',
      service: service('web', [eip], { endpoints: [] }),
      nodes: [n4],
      want: [],
    },
  ];
  for (const { name, service: one, nodes, want } of cases) {
    it(name, () => {
      expect(reasons([one], nodes)).to.deep.equal(want);
    });
  }

  const problems = (services: readonly Service[], nodes: readonly Node[], complete = true) =>
    gatewayObjects(
      snapshot(nodes, services, { complete }),
      gateway(),
      listing([]),
      new Map(),
    ).problems.filter(({ code }) => code === 'eip-no-node');

  it('is one problem for all that have one reason', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const all = names.map((name, i) => service(name, [`198.51.100.${10 + i}`]));
    expect(problems(all, [n4]).map(({ message }) => message)).to.deep.equal([
      'no node can carry 198.51.100.10, 198.51.100.11, 198.51.100.12 and 2 more, whose Services have ready endpoints: no node of the cluster has an IPv4 InternalIP',
    ]);
  });

  it('is none as long as lists are to come', () => {
    expect(problems([web], [], false)).to.deep.equal([]);
    expect(problems([web], [])).to.have.length(1);
  });
});
