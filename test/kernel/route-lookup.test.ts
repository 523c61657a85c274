import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { expect } from 'chai';
import { lookUpRoute } from '../../src/kernel/route-lookup.ts';
import { parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { ipBatch } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('the question where a packet goes', () => {
  const first = parseIp('2001:db8:e::1');
  const second = parseIp('2001:db8:e::2');
  const nobody = parseIp('2001:db8:f::1');
  const client = { from: parseIp('2001:db8:c::99'), iif: 'eip-up' };
  let fixture: LinuxFixture;
  beforeEach(async () => {
    fixture = await LinuxFixture.make();
    // Whatever comes later, as the end of a search for a twin of an address, makes Linux forget its copies.
    await fixture.setSysctl('net/ipv6/conf/default/accept_dad', '0');
    await fixture.setSysctl('net/ipv6/conf/all/forwarding', '1');
    await fixture.addLink('eip-lan', '2001:db8:10::1/64');
    await fixture.addLink('eip-up', '2001:db8:c::1/64');
    await ipBatch([
      'nexthop add id 1 via 2001:db8:10::11 dev eip-lan',
      'nexthop add id 10 group 1',
      `route add ${first} nhid 10 proto 86`,
      `route add ${second} nhid 10 proto 86`,
    ]);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  /** A copy of the route of this address, for its nexthop, on every processor: a packet makes one as well. */
  function copied(): void {
    for (let cpu = 0; cpu < cpus().length; cpu += 1)
      execFileSync('taskset', ['-c', `${cpu}`, 'ip', '-6', 'route', 'get', first]);
  }

  it('has an answer over IPv6 when the route is gone whose copy serves the others of its nexthop', async () => {
    copied();
    await ipBatch([`route del ${first}`]);
    for (const forwarded of [undefined, client]) {
      const { kind } = await lookUpRoute(second, forwarded, late());
      expect(kind, forwarded?.iif).to.equal('unnamed');
    }
  });

  it('is refused over IPv6 where there is no route, copies or not', async () => {
    copied();
    await ipBatch([`route del ${first}`]);
    for (const forwarded of [undefined, client])
      expect(await lookUpRoute(nobody, forwarded, late())).to.deep.equal({
        kind: 'refused',
        why: 'Network is unreachable',
      });
  });

  it('names the route that the kernel takes', async () => {
    const found = await lookUpRoute(second, undefined, late());
    expect(found).to.deep.include({ kind: 'route' });
    expect(found.kind === 'route' ? found.route : found).to.deep.include({
      dst: second,
      nhid: 10,
      protocol: 86,
      hops: [{ via: '2001:db8:10::11', dev: 'eip-lan' }],
    });
  });
});
