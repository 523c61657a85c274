import { expect } from 'chai';
import { paths } from '../../../src/desire/paths.ts';
import type { Service } from '../../../src/model/cluster.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, gateway, request, service, snapshot, threeNodes } from '../../scene.ts';

const eip = '198.51.100.10';

/** Each Service has a port of its own: of two with the same one, claims.test.ts tells. */
function apart(services: readonly Service[]): readonly Service[] {
  return services.map((one, i) => ({ ...one, ports: one.ports.map((port) => ({ ...port, port: 80 + i })) }));
}

/** `EIP <- services -> nodes with weights`, idle EIPs without nodes, then the codes of problems. */
function routed(services: readonly Service[], settings: Gateway = gateway()): readonly string[] {
  const { paths: found, idle, problems } = paths(snapshot(threeNodes, apart(services)), settings);
  return [
    ...found.map(
      (path) =>
        `${path.eip} <- ${path.services.join(' ')} -> ${path.carriers.map(({ node, weight }) => `${node}*${weight}`).join(' ')}`,
    ),
    ...idle.map((one) => `${one.eip} <- ${one.services.join(' ')}`),
    ...problems.map(({ code, subject }) => `${code}: ${subject}`),
  ];
}

function local(name: string, on: readonly string[], rest: Partial<Service> = {}): Service {
  return service(name, [eip], {
    externalTrafficPolicy: 'Local',
    endpoints: on.map((node) => endpoint(node)),
    ...rest,
  });
}

describe('an EIP', () => {
  const everywhere = 'n1*1 n2*1 n3*1';
  const cases: readonly {
    readonly name: string;
    readonly services: readonly Service[];
    readonly want: readonly string[];
  }[] = [
    { name: 'has no path before the Service has an address', services: [service('web', [])], want: [] },
    {
      name: 'leads to all nodes under Cluster',
      services: [service('web', [eip])],
      want: [`${eip} <- default/web -> ${everywhere}`],
    },
    {
      name: 'of each family leads to the nodes of that family',
      services: [service('web', [eip, '2001:db8:e::10'])],
      want: [`${eip} <- default/web -> ${everywhere}`, `2001:db8:e::10 <- default/web -> ${everywhere}`],
    },
    {
      name: 'is idle, with its Service, when no node can serve it',
      services: [service('web', [eip], { endpoints: [] })],
      want: [`${eip} <- default/web`],
    },
    {
      name: 'outside the pools is refused, and the one beside it is not',
      services: [service('web', ['203.0.113.77', eip])],
      want: [
        `${eip} <- default/web -> ${everywhere}`,
        'eip-outside-pools: 203.0.113.77 of Service default/web',
      ],
    },
    {
      name: 'outside the pools is told for each Service that request',
      services: [service('a', ['203.0.113.77']), service('b', ['203.0.113.77'])],
      want: [
        'eip-outside-pools: 203.0.113.77 of Service default/a',
        'eip-outside-pools: 203.0.113.77 of Service default/b',
      ],
    },
    { name: 'goes with its Service', services: [service('web', [eip], { deleting: true })], want: [] },
    {
      name: 'is nothing to an ExternalName Service',
      services: [service('web', [], { type: 'ExternalName', externalIps: [parseIp(eip)] })],
      want: [],
    },
    {
      name: 'in a status that is left over after the type was changed counts no more',
      services: [service('web', [eip], { type: 'ClusterIP' }), service('api', [eip], { type: 'NodePort' })],
      want: [],
    },
    {
      name: 'in externalIPs counts for a ClusterIP Service',
      services: [service('web', [], { type: 'ClusterIP', externalIps: [parseIp(eip)] })],
      want: [`${eip} <- default/web -> ${everywhere}`],
    },
    {
      name: 'in both fields counts once',
      services: [service('web', [eip], { externalIps: [parseIp(eip)] })],
      want: [`${eip} <- default/web -> ${everywhere}`],
    },
    {
      name: 'that its status leaves to a proxy stays routed, and is told: kube-proxy takes no packet for it',
      services: [service('web', [eip], { proxied: [parseIp(eip)] })],
      want: [`${eip} <- default/web -> ${everywhere}`, `eip-left-to-proxy: ${eip} of Service default/web`],
    },
    {
      name: 'that its status leaves to a proxy, and its spec names, is served as any',
      services: [service('web', [eip], { proxied: [parseIp(eip)], externalIps: [parseIp(eip)] })],
      want: [`${eip} <- default/web -> ${everywhere}`],
    },
    {
      name: 'that is twice in one field counts once',
      services: [service('web', [eip, eip])],
      want: [`${eip} <- default/web -> ${everywhere}`],
    },
    {
      name: 'of two Services leads to the nodes that can serve both, in the order of the names',
      services: [local('web', ['n1', 'n2']), local('api', ['n2', 'n3'])],
      want: [`${eip} <- default/api default/web -> n2*1`],
    },
    {
      name: 'of a Cluster and a Local Service leads to the nodes of the Local one',
      services: [service('web', [eip]), local('api', ['n3'])],
      want: [`${eip} <- default/api default/web -> n3*1`],
    },
    {
      name: 'of two Services stays with the one that can be served',
      services: [local('a', []), local('b', ['n2'])],
      want: [`${eip} <- default/a default/b -> n2*1`],
    },
    {
      name: 'of two Services that no node can serve is idle',
      services: [local('a', []), local('b', [])],
      want: [`${eip} <- default/a default/b`],
    },
    {
      name: 'of Services without a common node goes to the first that can be served, and says so',
      services: [local('a', []), local('b', ['n2']), local('c', ['n3'])],
      want: [`${eip} <- default/a default/b default/c -> n2*1`, `eip-no-common-node: ${eip}`],
    },
    {
      name: 'of Services without a common node goes to the oldest, whatever the names',
      services: [local('a', ['n2'], { request: request({ created: 9 }) }), local('b', ['n3'])],
      want: [`${eip} <- default/a default/b -> n3*1`, `eip-no-common-node: ${eip}`],
    },
    {
      name: 'of Services without a common node goes to one that has it in its status, before one that request for it',
      services: [
        local('a', ['n2'], { ingress: [], externalIps: [parseIp(eip)] }),
        local('b', ['n3'], { request: request({ created: 9 }) }),
      ],
      want: [`${eip} <- default/a default/b -> n3*1`, `eip-no-common-node: ${eip}`],
    },
    {
      name: 'of a Service that left it to the other stays with the other',
      services: [service('web', [eip], { deleting: true }), local('api', ['n3'])],
      want: [`${eip} <- default/api -> n3*1`],
    },
  ];
  for (const { name, services, want } of cases) {
    it(name, () => {
      expect(routed(services)).to.deep.equal(want);
    });
  }

  it('of mode nat is served by a NodePort, also when its status leaves it to a proxy', () => {
    const services = [service('web', [eip], { proxied: [parseIp(eip)] })];
    expect(routed(services, gateway({ mode: 'nat' }))).to.deep.equal([
      `${eip} <- default/web -> ${everywhere}`,
    ]);
  });

  it('names in the message only the Services that it is about', () => {
    const { problems } = paths(
      snapshot(
        threeNodes,
        apart([local('a', []), local('b', ['n2'], { request: request({ created: 9 }) }), local('c', ['n3'])]),
      ),
      gateway(),
    );
    expect(problems.map(({ message }) => message)).to.deep.equal([
      `no node can serve all of default/c, default/b, which share ${eip}; it goes to the nodes of default/c alone, whose claim comes first`,
    ]);
  });

  it('is weighed by the endpoints of all its Services, when asked to', () => {
    const services = [local('a', ['n1', 'n1', 'n2']), local('b', ['n1', 'n2'])];
    expect(routed(services, gateway({ weighByEndpoints: true }))).to.deep.equal([
      `${eip} <- default/a default/b -> n1*3 n2*2`,
    ]);
  });

  it('of the same name in two namespaces belongs to both', () => {
    const services = [
      local('web', ['n1']),
      { ...local('web', ['n1']), key: 'other/web', namespace: 'other' },
    ];
    expect(routed(services)).to.deep.equal([`${eip} <- default/web other/web -> n1*1`]);
  });
});
