import { expect } from 'chai';
import { poolsText } from '../../../src/cli/pools.ts';
import { poolsStatus } from '../../../src/daemon/pools.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { paths } from '../../../src/desire/paths.ts';
import { apiServices } from '../../../src/desire/reserved.ts';
import type { ApiPeer, Service } from '../../../src/model/cluster.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, gateway, request, service, snapshot, threeNodes } from '../../scene.ts';
import { allocation, asking, key, named, pool, port } from '../ipam/fake-cluster.ts';

const pools = [
  pool('public', ['198.51.100.0/30', '2001:db8:e::/64']),
  pool('tenants', ['192.0.2.0/31'], { autoAssign: false, namespaces: ['a', 'b'], priority: 5 }),
];

function text(
  services: readonly Service[],
  rest: Partial<Gateway> = { allocation },
  apiPeers: readonly ApiPeer[] = [],
): string {
  const settings = gateway({ pools, ...rest });
  const found = paths(snapshot(threeNodes, services), settings);
  const inputs = {
    nodes: threeNodes,
    apis: apiServices(readerOf(snapshot(threeNodes, services))),
    apiPeers,
    services: () => services,
    paths: () => found.paths,
    gateway: settings,
    links: [],
  };
  return poolsText(poolsStatus(inputs, undefined, undefined));
}

describe('the pools', () => {
  const shared = key('k');
  const services = [
    service('api', ['198.51.100.1'], { ...port(1), request: request(shared) }),
    service('web', ['198.51.100.1'], { ...port(2), request: request(shared) }),
    service('mail', ['198.51.100.2'], { request: request(named('198.51.100.1')) }),
    asking('late', { annotations: { 'eiproute.io/pool': 'tenants' } }),
  ];

  it('show who holds what, and who waits for what and why', () => {
    expect(text(services)).to.equal(`this gateway assigns addresses; it is the only one

pool public: 198.51.100.0/30 2001:db8:e::/64
  IPv4: 2 of 4 in use; IPv6: 0 in use
  198.51.100.1  default/api, default/web
  198.51.100.2  default/mail

pool tenants: 192.0.2.0/31 (only on request; priority 5; for namespaces a, b)
  IPv4: 0 of 2 in use

Waiting for an address:
  default/late: pool tenants is not for namespace default

Not as they ask:
  default/mail has 198.51.100.2: asks for 198.51.100.1 (eiproute.io/addresses), but 198.51.100.1 is held by default/api, and they do not both have a sharing key
`);
  });

  it('show what is held where somebody else gives addresses', () => {
    expect(text(services.slice(2, 3), {}))
      .to.include('eiproute assigns no addresses here')
      .and.to.include('198.51.100.2  default/mail');
  });

  it('show every Service that holds an address, also two that cannot share it', () => {
    const twins = [service('web0', ['198.51.100.1']), service('dup', ['198.51.100.1'])];
    expect(text(twins, {})).to.include('  198.51.100.1  default/dup, default/web0\n');
  });

  it('know that the API, a node and the router are nobody’s', () => {
    const kubernetes = service('kubernetes', [], {
      type: 'ClusterIP',
      endpoints: [endpoint(undefined, { ip: parseIp('198.51.100.0') })],
    });
    const defaultRoutes = [parseIp('198.51.100.3')];
    expect(text([kubernetes], { allocation, defaultRoutes })).to.include('IPv4: 0 of 2 in use; IPv6');
    const server = { ip: parseIp('198.51.100.1'), from: 'server' as const };
    expect(text([kubernetes], { allocation, defaultRoutes }, [server])).to.include(
      'IPv4: 0 of 1 in use; IPv6',
    );
  });

  it('say who gives addresses', () => {
    const inputs = {
      nodes: [],
      apis: [],
      services: () => [],
      paths: () => [],
      gateway: gateway({ pools, allocation }),
      links: [],
    };
    const head = (lease: { leads: boolean; holder: string | undefined }) =>
      poolsText(poolsStatus(inputs, lease, undefined)).split('\n')[0];
    expect(head({ leads: true, holder: 'gw1' })).to.equal(
      'this gateway holds the Lease and assigns addresses',
    );
    expect(head({ leads: false, holder: 'gw2' })).to.equal(
      'gw2 holds the Lease and assigns addresses; this gateway only routes',
    );
  });
});
