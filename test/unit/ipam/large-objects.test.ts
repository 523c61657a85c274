import { expect } from 'chai';
import { claim } from '../../../src/desire/claims.ts';
import { allocate } from '../../../src/ipam/allocator.ts';
import { requestOf } from '../../../src/ipam/request.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import { gateway, service } from '../../scene.ts';
import { allocation, asking, FakeCluster, key, pool } from './fake-cluster.ts';

// An object of the API has room for tens of thousands of addresses or ports, and whoever may edit Services in one
// namespace may write them. What a change of it costs must not be the square of their number: that ends in seconds in
// which the gateway does nothing else, and at last in those of the watchdog.

const many = 60_000;
const wide = pool('wide', ['10.0.0.0/8']);

function addresses(count: number): readonly Ip[] {
  return Array.from({ length: count }, (_, i) => parseIp(`10.0.${i >> 8}.${i & 255}`));
}

function withPorts(name: string, numbers: readonly number[]): Service {
  const ports = numbers.map((port) => ({ name: '', protocol: 'TCP' as const, port, nodePort: undefined }));
  return asking(name, key('together'), { ports });
}

function numbers(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe('the allocation of a Service as large as the API takes one', function () {
  // As long as WatchdogSec lets a gateway hang. Each takes about a second, and took minutes or most of one.
  this.timeout(30_000);

  it('holds the addresses of its spec that are in a pool, and gives those up that went', () => {
    const cluster = new FakeCluster([wide]);
    const of = (externalIps: readonly Ip[]): Service =>
      service('all', [], { type: 'ClusterIP', externalIps });
    const all = addresses(many);
    cluster.set(of(all));
    expect([...cluster.allocator.assigned()]).to.have.length(many);
    cluster.set(of(all.slice(many / 2)));
    expect([...cluster.allocator.assigned()]).to.have.length(many / 2);
  });

  it('is refused when it asks for more than two addresses, before they are compared', () => {
    const all = addresses(30_000);
    const annotations = {
      'eiproute.io/addresses': all.join(','),
      'metallb.io/loadBalancerIPs': all.toReversed().join(','),
    };
    for (const given of [annotations, { 'metallb.io/loadBalancerIPs': all.join(',') }]) {
      const found = requestOf(asking('all', { loadBalancerIp: '10.0.0.1', annotations: given }));
      expect(found.kind === 'invalid' && found.unsatisfied.reason).to.equal('TooManyAddresses');
    }
  });

  it('is told of a pool that it cannot mean in a few words, and nothing of it is for a terminal', () => {
    for (const name of ['eiproute.io/pool', 'metallb.io/address-pool']) {
      const found = requestOf(asking('all', { annotations: { [name]: `\u001b[2J${'x'.repeat(250_000)}` } }));
      const { reason, message } = found.kind === 'invalid' ? found.unsatisfied : {};
      expect(reason).to.equal('UnknownPool');
      expect(message).to.match(/^\S+ asks for pool "\\u001b\[2Jx{76}", which is no name of a pool$/);
    }
  });

  it('shares an address by its ports', () => {
    const cluster = new FakeCluster([wide]);
    cluster.set(withPorts('s1', numbers(1, 32_000)), withPorts('s2', numbers(33_000, 32_000)));
    cluster.set(withPorts('s3', [40_000]), withPorts('s4', [65_500]));
    expect(['s1', 's2', 's3', 's4'].map((name) => cluster.ips(name))).to.deep.equal([
      '10.0.0.0',
      '10.0.0.0',
      '10.0.0.1',
      '10.0.0.0',
    ]);
  });

  it('shares an address with a thousand others', () => {
    const services = numbers(1, 1000).map((port) => withPorts(`s${port}`, [port]));
    const terms = { pools: [wide], allocation, reserved: new Map(), nodeAddresses: () => [] };
    const { decisions } = allocate(terms, services);
    expect([...decisions.values()].every(({ ips }) => ips.join() === '10.0.0.0')).to.equal(true);
  });

  it('has one address with thousands of others in the desire, where each may have it', () => {
    const eip = parseIp('198.51.100.10');
    const services = numbers(1, 4000).map((i) =>
      service(`s${i}`, [], {
        externalIps: [eip],
        ports: [{ name: '', protocol: 'TCP' as const, port: 80, nodePort: undefined }],
      }),
    );
    const { holders, problems } = claim(eip, services, gateway(), gateway().pools[0], new Set());
    expect(holders).to.have.length(4000);
    expect(problems.map(({ code }) => code)).to.deep.equal(['eip-port-twice']);
  });
});
