import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { expect } from 'chai';
import { KernelError } from '../../src/kernel/kernel.ts';
import { LinuxLookups } from '../../src/kernel/linux-lookups.ts';
import type { Lookup } from '../../src/kernel/lookup-port.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { ip, ipBatch } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('the question which route a packet matches', () => {
  const first = parseIp('2001:db8:e::1');
  const second = parseIp('2001:db8:e::2');
  const nobody = parseIp('2001:db8:f::1');
  const four = parseIp('198.51.100.10');
  let client6: { from: Ip; iif: number };
  let client4: { from: Ip; iif: number };
  let fixture: LinuxFixture;
  let port: LinuxLookups;
  beforeEach(async () => {
    fixture = await LinuxFixture.make();
    port = new LinuxLookups();
    // Whatever comes later, as the end of a search for a twin of an address, makes Linux forget its copies.
    await fixture.setSysctl('net/ipv6/conf/default/accept_dad', '0');
    await fixture.setSysctl('net/ipv6/conf/all/forwarding', '1');
    await fixture.setSysctl('net/ipv4/ip_forward', '1');
    await fixture.addLink('eip-lan', '2001:db8:10::1/64', '10.0.0.1/24');
    const iif = await fixture.addLink('eip-up', '2001:db8:c::1/64', '203.0.113.1/24');
    client6 = { from: parseIp('2001:db8:c::99'), iif };
    client4 = { from: parseIp('203.0.113.99'), iif };
    await ipBatch([
      'nexthop add id 1 via 2001:db8:10::11 dev eip-lan',
      'nexthop add id 2 via 10.0.0.11 dev eip-lan',
      'nexthop add id 10 group 1',
      'nexthop add id 20 group 2',
      `route add ${first} nhid 10 proto 86`,
      `route add ${second} nhid 10 proto 86`,
      `route add ${four} nhid 20 proto 86`,
    ]);
  });
  afterEach(async () => {
    await port[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  async function ask(dst: Ip, terms: object = {}): Promise<Lookup | undefined> {
    const [found] = await port.ask([{ dst, ...terms }], late());
    return found;
  }

  /** A copy of the route of this address, for its nexthop, on every processor: a packet makes one as well. */
  function copied(): void {
    for (let cpu = 0; cpu < cpus().length; cpu += 1)
      execFileSync('taskset', ['-c', `${cpu}`, 'ip', '-6', 'route', 'get', first]);
  }

  it('has an answer over IPv6 when the route is gone whose copy serves the others of its nexthop', async () => {
    copied();
    await ipBatch([`route del ${first}`]);
    for (const terms of [{}, client6]) expect(await ask(second, terms)).to.deep.equal({ kind: 'unnamed' });
  });

  it('is refused over IPv6 where there is no route, copies or not', async () => {
    copied();
    await ipBatch([`route del ${first}`]);
    for (const terms of [{}, client6])
      expect(await ask(nobody, terms)).to.deep.equal({ kind: 'refused', code: 'ENETUNREACH' });
  });

  it('names the routes that the kernel takes, of both families, in one batch', async () => {
    const found = await port.ask(
      [{ dst: second }, { dst: second, ...client6 }, { dst: four }, { dst: four, ...client4 }],
      late(),
    );
    const route = { table: 254, protocol: 86, type: 'unicast' };
    expect(found.map((one) => (one.kind === 'route' ? { ...one.route } : one))).to.containSubset([
      { ...route, dst: `${second}/128`, nhid: 10 },
      { ...route, dst: `${second}/128`, nhid: 10 },
      { ...route, dst: `${four}/32`, nhid: 20 },
      { ...route, dst: `${four}/32`, nhid: 20 },
    ]);
  });

  it('names the table, and the route of another program that wins', async () => {
    await ipBatch([
      `route add ${second} via 2001:db8:10::12 dev eip-lan metric 10`,
      `route add ${four} via 10.0.0.12 dev eip-lan table 200`,
    ]);
    await ip('rule add pref 50 lookup 200');
    expect(await ask(second, client6)).to.containSubset({
      route: { metric: 10, protocol: 3, nhid: undefined },
    });
    expect(await ask(four, client4)).to.containSubset({
      route: { table: 200, protocol: 3, nhid: undefined },
    });
  });

  const actions = [
    { action: 'prohibit', code: 'EACCES' },
    { action: 'blackhole', code: 'EINVAL' },
    { action: 'unreachable', code: 'ENETUNREACH' },
  ];
  for (const { action, code } of actions)
    it(`is refused by a rule that says ${action}, in both families`, async () => {
      await ip(`rule add pref 50 to ${four} ${action}`);
      await ip(`-6 rule add pref 50 to ${second} ${action}`);
      for (const [dst, terms] of [
        [four, client4],
        [second, client6],
      ] as const)
        expect(await ask(dst, terms)).to.deep.equal({ kind: 'refused', code });
    });

  it('is answered where the hops of the route have no room in an answer', async () => {
    const ids = Array.from({ length: 300 }, (_, i) => 1000 + i);
    await ipBatch(ids.map((id) => `nexthop add id ${id} via 10.0.0.${id % 250} dev eip-lan`));
    const members = ids.map((id) => ({ id, weight: 1 }));
    // ip(8) has no room for as many.
    const want = { kind: 'group', id: 30, protocol: 86, members, resilience: undefined } as const;
    expect(await fixture.kernel.apply([{ verb: 'add', want }], late())).to.deep.equal([undefined]);
    await ipBatch(['route add 198.51.100.12 nhid 30 proto 86']);
    await fixture.setSysctl('net/ipv4/nexthop_compat_mode', '1');
    expect(await ask(parseIp('198.51.100.12'), client4)).to.deep.equal({ kind: 'unnamed' });
  });

  it('fails where it is not of a packet that it has no route', async () => {
    const error = await ask(four, { ...client4, iif: 9999 }).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(KernelError);
    expect(error).to.have.property('code', 'ENODEV');
  });

  it('goes by the interface and the mark of a rule', async () => {
    await ipBatch([`route add ${four} via 10.0.0.12 dev eip-lan table 200`]);
    await ip('rule add pref 50 iif eip-up fwmark 7 lookup 200');
    expect(await ask(four, client4)).to.containSubset({ route: { table: 254 } });
    expect(await ask(four, { mark: 7 })).to.containSubset({ route: { table: 254 } });
    expect(await ask(four, { ...client4, mark: 7 })).to.containSubset({ route: { table: 200 } });
  });

  it('lists the rules that look tables up', async () => {
    await ip('rule add pref 50 iif eip-up fwmark 7 lookup 200');
    await ip('rule add pref 51 from 203.0.113.0/24 lookup 201');
    await ip('rule add pref 52 to 198.51.100.0/24 prohibit');
    const rules = await port.rules(4, late());
    expect(rules.filter(({ table }) => table >= 200 && table < 250)).to.deep.equal([
      { table: 200, mark: 7, isSelective: false },
      { table: 201, mark: undefined, isSelective: true },
    ]);
  });
});
