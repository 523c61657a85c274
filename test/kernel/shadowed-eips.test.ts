import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { expect } from 'chai';
import { LinuxLookups } from '../../src/kernel/linux-lookups.ts';
import type { Gateway } from '../../src/model/gateway.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import type { Link } from '../../src/model/object.ts';
import { ShadowedEips } from '../../src/probe/shadowed-eips.ts';
import { late } from '../patience.ts';
import { gateway } from '../scene.ts';
import { ip, ipBatch } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

const [first, second, sixth, seventh] = [
  '198.51.100.10',
  '198.51.100.11',
  '2001:db8:e::10',
  '2001:db8:e::11',
].map(parseIp) as [Ip, Ip, Ip, Ip];
const eips = [first, second, sixth, seventh];

describeOnKernel('EIPs whose route the kernel does not take', () => {
  let fixture: LinuxFixture;
  let port: LinuxLookups;
  let links: readonly Link[];

  beforeEach(async () => {
    fixture = await LinuxFixture.make();
    port = new LinuxLookups();
    await fixture.setSysctl('net/ipv4/ip_forward', '1');
    await fixture.setSysctl('net/ipv6/conf/all/forwarding', '1');
    await fixture.addLink('eip-lan', '10.0.0.1/24', '2001:db8:10::1/64');
    await fixture.addLink('eip-up', '203.0.113.1/24', '2001:db8:c::1/64');
    await fixture.addLink('eip-third', '192.0.2.1/24');
    await ipBatch([
      'nexthop add id 250000001 via 10.0.0.11 dev eip-lan proto 86',
      'nexthop add id 250000002 via 2001:db8:10::11 dev eip-lan proto 86',
      'nexthop add id 260000001 group 250000001 proto 86',
      'nexthop add id 260000002 group 250000002 proto 86',
    ]);
    links = await fixture.kernel.links(late());
  });
  afterEach(async () => {
    await port[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  /** Our routes, as a round would have made them. */
  async function route(table = 254): Promise<void> {
    await ipBatch(
      eips.map(
        (eip) =>
          `route add ${eip} nhid ${eip.includes(':') ? 260_000_002 : 260_000_001} table ${table} proto 86`,
      ),
    );
  }

  /** What is told after two looks, with a dump between them. */
  async function told(settings: Partial<Gateway> = {}): Promise<readonly string[]> {
    const settled = gateway({ lan: 'eip-lan', uplink: 'eip-up', ...settings });
    const stop = new AbortController();
    let looked = Promise.withResolvers<void>();
    const shadowed = new ShadowedEips({
      port,
      gateway: () => settled,
      links: () => links,
      names: fixture.names,
      routed: () => eips,
      isRouted: () => true,
      doubted: () => {},
      changed: () => {},
      looked: () => looked.resolve(),
    });
    const running = shadowed.run(stop.signal);
    for (let look = 0; look < 2; look += 1) {
      looked = Promise.withResolvers();
      shadowed.rounding();
      shadowed.rounded({ dumped: true, isDue: true });
      await looked.promise;
    }
    stop.abort();
    await running;
    return shadowed.problems.map(({ message }) => message);
  }

  it('are none as long as nobody else has a route or a rule', async () => {
    await route();
    expect(await told()).to.deep.equal([]);
  });

  it('are those of a route with a lower metric, of a table that is looked up earlier, and of a rule', async () => {
    await route();
    await ipBatch([
      `route add ${sixth} via 2001:db8:10::12 dev eip-lan metric 10`,
      `route add 198.51.100.8/30 via 10.0.0.12 dev eip-lan table 200`,
      'rule add pref 50 lookup 200',
    ]);
    await ip(`-6 rule add pref 40 to ${seventh} blackhole`);
    const messages = await told();
    expect(messages).to.have.length(3);
    expect(messages.join('\n')).to.match(
      /198\.51\.100\.10, 198\.51\.100\.11: .* "198\.51\.100\.8\/30 via 10\.0\.0\.12 dev eip-lan table 200 proto 3"/,
    );
    expect(messages.join('\n')).to.match(/2001:db8:e::10: .*proto 3 metric 10"/);
    expect(messages.join('\n')).to.match(/2001:db8:e::11: .*EINVAL/);
  });

  it('are those that a rule takes from packets of clients alone', async () => {
    await route();
    await ipBatch([
      `rule add pref 50 iif eip-up to ${first} prohibit`,
      `rule add pref 51 iif eip-up to ${second} blackhole`,
    ]);
    const messages = await told();
    expect(messages.join('\n')).to.match(/198\.51\.100\.10: .*EACCES/);
    expect(messages.join('\n')).to.match(/198\.51\.100\.11: .*EINVAL/);
  });

  it('are not those that a rule takes from what this host sends, or from another interface', async () => {
    await route();
    await ipBatch([
      'rule add pref 50 iif lo to 198.51.100.0/24 prohibit',
      'rule add pref 51 iif eip-third prohibit',
    ]);
    expect(await told()).to.deep.equal([]);
  });

  it('are not those of clients beyond the uplink where a rule takes the packets of its own network', async () => {
    await route();
    await ipBatch([
      'route add default via 203.0.113.254 dev eip-up',
      'route add default via 203.0.113.254 dev eip-up table 200',
      'rule add pref 100 from 203.0.113.0/24 lookup 200',
    ]);
    await ip('-6 rule add pref 100 from 2001:db8:c::/64 blackhole');
    expect(await told()).to.deep.equal([]);
    expect(await told({ defaultRoutes: [parseIp('203.0.113.254')] })).to.deep.equal([]);
  });

  it('are an address that this host has', async () => {
    await route();
    await fixture.addAddress('eip-lan', `${second}/32`);
    const [message] = await told();
    expect(message).to.match(
      /198\.51\.100\.11: the kernel takes "local 198\.51\.100\.11 dev eip-lan table 255/,
    );
  });

  const rules = ['iif eip-up', 'fwmark 7', 'iif eip-up fwmark 7/0xff', 'to 198.51.0.0/16', 'from all'];
  for (const rule of rules)
    it(`are none with a table of its own that a rule looks up: ${rule}`, async () => {
      await route(100);
      await ip(`rule add pref 100 ${rule} lookup 100`);
      await ip(`-6 rule add pref 100 ${rule.startsWith('to') ? 'to 2001:db8:e::/64' : rule} lookup 100`);
      expect(await told({ table: 100 })).to.deep.equal([]);
      await ip(`rule add pref 50 to ${first} prohibit`);
      expect(await told({ table: 100 })).to.have.length(1);
    });

  it('are all with a table of its own that no rule looks up', async () => {
    await route(100);
    expect((await told({ table: 100 })).join('\n')).to.match(
      /198\.51\.100\.10, 198\.51\.100\.11: .*ENETUNREACH/,
    );
  });

  it('are none where rp_filter rejects the client that the question is about', async () => {
    await route();
    await fixture.setSysctl('net/ipv4/conf/eip-up/rp_filter', '1');
    expect(await told({ defaultRoutes: [parseIp('192.0.2.77')] })).to.deep.equal([]);
  });

  it('are none over IPv6 when a route is gone whose copy serves the others', async () => {
    await route();
    const gone = '2001:db8:e::99';
    await ipBatch([`route add ${gone} nhid 260000002 proto 86`]);
    for (let cpu = 0; cpu < cpus().length; cpu += 1)
      execFileSync('taskset', ['-c', `${cpu}`, 'ip', '-6', 'route', 'get', gone]);
    await ipBatch([`route del ${gone}`]);
    expect(await told()).to.deep.equal([]);
  });
});
