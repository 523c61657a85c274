import { expect } from 'chai';
import { rawNode } from '../../lab/cluster/manifests.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, neighbours, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** Only what the kernel tells may lead to a repair: the timer is out of the way. */
const noResync = 'pace: { resync: 1h }';

describe('links that go and come', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let desired: string;
  let routing: string;
  let mark = 0;

  before(async function () {
    needRoot(this);
    // The others cover for a node that is deleted as long as this.
    const covering = 'drain: { limit: 1s }';
    host = await GatewayHost.make({
      settings: `${noResync}\n${covering}\ndefaultRoute: { via: 203.0.113.254 }`,
    });
    daemon = await host.start();
    desired = await host.ours();
    routing = await host.routing();
  });
  beforeEach(() => {
    mark = daemon.journal.length;
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('has routes to look after', () => {
    expect(desired.split('\n').map((line) => line.replace(/ proto 86.*/, ''))).to.deep.equal([
      'default via 203.0.113.254 dev eth1',
      'unreachable 198.51.100.0/24',
      '198.51.100.10 nhid 260000001',
      '198.51.100.11 nhid 260000000',
      '2001:db8:e::10 nhid 260000002',
      'unreachable 2001:db8:e::/64 dev lo',
      'id 250000000 via 10.0.0.12 dev eth0 scope link',
      'id 250000001 via 10.0.0.11 dev eth0 scope link',
      'id 250000002 via 10.0.0.13 dev eth0 scope link',
      'id 250000003 via 2001:db8:10::11 dev eth0 scope link',
      'id 250000004 via 2001:db8:10::12 dev eth0 scope link',
      'id 250000005 via 2001:db8:10::13 dev eth0 scope link',
      'id 260000000 group 250000000',
      'id 260000001 group 250000001/250000000/250000002',
      'id 260000002 group 250000003/250000004/250000005',
    ]);
  });

  it('brings all back after the LAN was down and up', async () => {
    await host.ip('link set eth0 down');
    await daemon.says(/interface eth0 is down; no EIP can be routed until it is back/, mark);
    expect(await host.routing()).to.equal('');
    await host.batch(['link set eth0 up', ...neighbours()]);
    await until(
      'IPv4 is back',
      () => host.routing(),
      (now) => /^198.51.100.10 > .*\n198.51.100.11 > .*/.test(now),
    );
    // Linux takes the IPv6 addresses of a link that goes down along; whoever gave them gives them again.
    await host.ip('address replace 2001:db8:10::1/64 dev eth0');
    await host.becomes(desired);
    // Which notification led to the round is not said: a dump for another one may have read the link first.
    await daemon.says(/interface-down interface eth0.*"solved"/, mark);
  });

  it('brings all back after a LAN that flaps, with what the cluster said meanwhile', async () => {
    const more = serviceOn('more', ['198.51.100.60']);
    await host.batch(['link set eth0-far down', 'link set eth0-far up', 'link set eth0-far down']);
    await daemon.says(/interface eth0 has no carrier/, mark);
    host.put(...more);
    host.delete('Service', 'web');
    await host.batch(Array.from({ length: 11 }, (_, i) => `link set eth0-far ${i % 2 ? 'down' : 'up'}`));
    await until(
      'the new EIP is routed and the old one is not',
      () => host.routing(),
      (now) => now === '198.51.100.11 > 10.0.0.12\n198.51.100.60 > 10.0.0.11 10.0.0.12 10.0.0.13',
    );
    host.put(...standardWorld);
    host.delete('Service', 'more');
    await until(
      'all is as before',
      () => host.routing(),
      (now) => now === routing,
    );
    desired = await host.ours();
  });

  it('brings all back after the carrier of the LAN was lost', async () => {
    await host.ip('link set eth0-far down');
    await daemon.says(/interface eth0 has no carrier; no EIP can be routed until it is back/, mark);
    expect(await host.routing()).to.equal('');
    await host.ip('link set eth0-far up');
    await host.becomes(desired);
    await daemon.says(/interface-down interface eth0.*"solved"/, mark);
  });

  it('keeps what stands when the last address of the LAN goes, and adds nodes when it is back', async () => {
    await host.batch(['address delete 10.0.0.1/24 dev eth0', ...neighbours()]);
    host.put(rawNode('n4', { addresses: ['10.0.0.14'] }));
    await daemon.says(/node n4 .10.0.0.14. cannot be a nexthop on eth0: the kernel says ENETUNREACH/, mark);
    expect(await host.routing()).to.include('198.51.100.10 > 10.0.0.11 10.0.0.12 10.0.0.13\n');
    await host.ip('address add 10.0.0.1/24 dev eth0');
    await until(
      'n4 takes part',
      () => host.routing(),
      (now) => now.includes('10.0.0.14'),
    );
    host.delete('Node', 'n4');
    await host.becomes(desired);
  });

  it('brings all back on a LAN that was deleted and made anew', async () => {
    const index = async (): Promise<string> => (await host.ip('-o link show dev eth0')).split(':')[0] ?? '';
    const before = await index();
    await host.ip('link delete eth0');
    await daemon.says(/interface eth0 does not exist/, mark);
    await host.addLink('eth0');
    await host.becomes(desired);
    expect(await index()).not.to.equal(before);
    await host.synced(daemon);
    expect(host.sysctl('net/ipv4/conf/eth0/rp_filter')).to.equal('0');
  });

  it('brings the default route back on an uplink that was deleted and made anew', async () => {
    await host.ip('link delete eth1');
    await daemon.says(/interface eth1 does not exist/, mark);
    await host.addLink('eth1');
    await host.becomes(desired);
    await host.synced(daemon);
    expect(host.sysctl('net/ipv4/conf/eth1/rp_filter')).to.equal('0');
  });

  it('starts without a LAN, says so, and routes when it appears', async () => {
    await daemon.stop();
    await host.ip('link delete eth0');
    daemon = host.launch();
    await daemon.says(/interface eth0 does not exist; no EIP can be routed until it appears/);
    const { problems } = await host.statusOf(daemon, 'the lists are in', ({ feeds }) =>
      feeds.every(({ synced }) => synced),
    );
    expect(problems.map(({ code, subject }) => `${code} ${subject}`)).to.deep.equal([
      'interface-missing interface eth0',
    ]);
    await host.addLink('eth0');
    await host.becomes(desired);
    await daemon.says(/interface-missing interface eth0.*"solved"/);
  });
});

describe('routes and nexthops that others touch', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let desired: string;
  let mark = 0;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make({ settings: noResync });
    host.put(...serviceOn('third', ['198.51.100.12'], ['n1', 'n2']));
    daemon = await host.start();
    desired = await host.ours();
  });
  beforeEach(() => {
    mark = daemon.journal.length;
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('heals a nexthop that was deleted, with the groups it was in', async () => {
    await host.ip('nexthop delete id 250000000');
    await host.becomes(desired);
    await daemon.says(/nexthop deleted: id 250000000 by pid \d+.*"round"/, mark);
    await daemon.says(/nexthop id 250000000 via 10.0.0.12 dev eth0.*"repaired"/, mark);
  });

  it('heals a group that was deleted, with the routes that went along', async () => {
    await host.ip('nexthop delete id 260000001');
    await host.becomes(desired);
    await daemon.says(/nexthop deleted: id 260000001 by pid \d+.*"round"/, mark);
    await daemon.says(/"eip":"198.51.100.10".*"EIP repaired"/, mark);
  });

  it('heals a flush of all nexthops, which takes all routes along', async () => {
    await host.ip('nexthop flush');
    await host.becomes(desired);
    await host.synced(daemon);
  });

  it('heals a flush of all our routes', async () => {
    await host.ip('route flush proto 86');
    await host.ip('-6 route flush proto 86');
    await host.becomes(desired);
    // Why it looked may be the end of the flush before: a round names the first three of its reasons. And the line
    // of an EIP that was repaired less than a minute ago is folded.
    await daemon.says(/"eips":[1-9]\d*,"repaired":[1-9]/, mark);
  });

  it('leaves a foreign route that replaces ours, names it, and follows when it is gone', async () => {
    await host.ip('route replace 198.51.100.11 via 10.0.0.99 proto static');
    await daemon.says(
      /"eip":"198.51.100.11".*"holder":"198.51.100.11 via 10.0.0.99 dev eth0 proto 4".*"conflict: /,
      mark,
    );
    const { conflicts, state } = await host.status();
    expect(conflicts.map(({ object, why }) => `${object} (${why})`)).to.deep.equal([
      '198.51.100.11 nhid 260000000 proto 86 (Service default/mail)',
    ]);
    expect(state).to.equal('DEGRADED');
    expect(await host.ip('route show 198.51.100.11')).to.match(/via 10.0.0.99 dev eth0 proto static/);
    await host.ip('route delete 198.51.100.11 proto static');
    await host.becomes(desired);
    await daemon.says(/conflict route.*198.51.100.11.*"solved"/, mark);
  });

  it('goes around a foreign nexthop that takes the id of ours, and leaves it alone', async () => {
    const before = await host.routing();
    await host.ip('nexthop replace id 250000001 via 10.0.0.99 dev eth0 proto static');
    await until(
      'all EIPs lead to their nodes again',
      () => host.routing(),
      (now) => now === before,
    );
    expect(await host.ip('nexthop show id 250000001')).to.include(
      'via 10.0.0.99 dev eth0 scope link proto static',
    );
    await daemon.says(/nexthop replaced: id 250000001 by pid \d+/, mark);
    await host.ip('nexthop delete id 250000001');
    expect((await host.eiproute('plan', '--commands')).out).to.equal('');
    desired = await host.ours();
  });

  it('looks again after more notifications than its socket holds', async () => {
    daemon.signal('SIGSTOP');
    const flood = Array.from(
      { length: 60_000 },
      (_, i) => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
    );
    const lines = flood.map((dst) => `route add blackhole ${dst} table 999 proto 4`);
    await host.batch(lines);
    // Told when there is no room for it any more.
    await host.ip('route delete 198.51.100.12');
    daemon.signal('SIGCONT');
    await host.becomes(desired);
    await daemon.says(/notifications were lost: too many at once.*"round"/, mark);
    await host.synced(daemon);
  });

  it('names a program that undoes its work again and again, and slows down', async () => {
    // Twice repaired by now, or never: five is a fight.
    for (let i = 0; i < 5 && !/another program keeps/.test(daemon.text(mark)); i += 1) {
      const from = daemon.journal.length;
      await host.ip('route delete 198.51.100.12');
      // Of what comes again and again the EIP's own line is folded. The last one is not repaired, and told instead.
      await daemon.says(/198\.51\.100\.12.*"repaired":1|another program keeps/, from);
    }
    await daemon.says(/another program keeps changing route .*198.51.100.12.*five minutes/, mark);
    // It is gone already where the fifth repair was told only after one more was asked for.
    await host.ip('route flush exact 198.51.100.12');
    const { held } = await host.statusOf(daemon, 'it waits', (status) => status.held.length > 0);
    expect(held.map(({ object, reason }) => `${object} ${reason}`)).to.deep.equal([
      '198.51.100.12 nhid 260000001 proto 86 fight',
    ]);
  });
});

describe('what was there before we came', () => {
  it('leaves foreign routes and nexthops where ours would be, and names the route', async function () {
    needRoot(this);
    await using host = await GatewayHost.make({ settings: noResync });
    await host.ip('route add 198.51.100.10 via 10.0.0.99 proto bird');
    await host.ip('nexthop add id 250000000 via 10.0.0.98 dev eth0 proto static');
    await host.ip('nexthop add id 260000000 group 250000000 proto static');
    const daemon = host.launch();
    await host.statusOf(daemon, 'all else is in the kernel', ({ eips }) => eips.routed === 2);
    await daemon.says(/"eip":"198.51.100.10".*via 10.0.0.99 dev eth0 proto 12.*"conflict: /);
    expect(await host.routing()).to.equal(
      '198.51.100.11 > 10.0.0.12\n2001:db8:e::10 > 2001:db8:10::11 2001:db8:10::12 2001:db8:10::13',
    );
    expect(await host.ip('nexthop show id 250000000')).to.include(
      'via 10.0.0.98 dev eth0 scope link proto static',
    );
    expect(await host.ip('nexthop show id 260000000')).to.include('group 250000000 proto static');
    await host.ip('route delete 198.51.100.10 proto bird');
    await until(
      'the EIP is ours',
      () => host.routing(),
      (now) => now.startsWith('198.51.100.10 > 10.0.0.11'),
    );
  });
});

describe('settings that others change', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make({ settings: noResync });
    daemon = await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  for (const [name, wrong, right] of [
    ['net/ipv4/conf/eth0/forwarding', '0', '1'],
    ['net/ipv4/conf/eth1/forwarding', '0', '1'],
    // It takes those of the interfaces along, and what is repaired again is told with a count, once a minute.
    ['net/ipv4/ip_forward', '0', '1'],
    ['net/ipv4/conf/all/rp_filter', '1', '0'],
    ['net/ipv4/conf/eth0/rp_filter', '1', '0'],
    ['net/ipv4/conf/eth1/rp_filter', '2', '0'],
    ['net/ipv6/conf/all/forwarding', '0', '1'],
  ] as const) {
    it(`puts ${name} right at once`, async () => {
      const mark = daemon.journal.length;
      expect(host.sysctl(name)).to.equal(right);
      host.setSysctl(name, wrong);
      await until(
        `${name} is ${right}`,
        () => host.sysctl(name),
        (value) => value === right,
      );
      await daemon.says(new RegExp(`sysctl ${name.replaceAll('/', '.')} = ${right}.*"repaired"`), mark);
    });
  }

  it('puts right by timer what the kernel tells nobody', async () => {
    await daemon.stop();
    await host.configure({ settings: 'pace: { resync: 1s }' });
    daemon = await host.start();
    const silent = {
      'net/ipv4/conf/all/send_redirects': ['1', '0'],
      'net/ipv4/conf/eth0/send_redirects': ['1', '0'],
      'net/ipv4/neigh/eth0/base_reachable_time_ms': ['30000', '300'],
      'net/ipv4/neigh/eth0/delay_first_probe_time': ['5', '0'],
      'net/ipv6/neigh/eth0/retrans_time_ms': ['1000', '100'],
      'net/ipv4/fib_multipath_hash_policy': ['1', '0'],
      'net/ipv4/nexthop_compat_mode': ['1', '0'],
    } as const;
    const values = (): readonly string[] => Object.keys(silent).map((name) => host.sysctl(name));
    const right = Object.values(silent).map(([, value]) => value);
    expect(values()).to.deep.equal(right);
    for (const [name, [wrong]] of Object.entries(silent)) host.setSysctl(name, wrong);
    await until('the settings are right', values, (seen) => seen.join() === right.join());
    await daemon.says(/"why":\["resync"\].*"repaired":7/);
  });
});
