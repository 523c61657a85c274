import { expect } from 'chai';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const active = '203.0.113.100';
const announced = [
  'blackhole 198.51.100.10 proto 86 metric 100',
  'blackhole 198.51.100.11 proto 86 metric 100',
  'blackhole 2001:db8:e::10 dev lo proto 86 metric 100 pref medium',
].join('\n');

describe('what a gateway announces', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  before(async function () {
    needRoot(this);
    host = await GatewayHost.make({ settings: 'announce: true\npace: { resync: 1h }' });
    daemon = await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  const table = async (number = 86): Promise<string> => {
    const [v4, v6] = await Promise.all(
      ['-4', '-6'].map((family) => host.within('ip', family, 'route', 'show', 'table', String(number))),
    );
    return `${v4?.out}${v6?.out}`
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join('\n');
  };
  const becomes = (what: string, wanted: string, number = 86): Promise<string> =>
    until(
      what,
      () => table(number),
      (now) => now === wanted,
    );

  it('is one blackhole route for each EIP in a table of its own', async () => {
    // Once the nodes were heard.
    await becomes('all is announced', announced);
    const { announce } = await host.status();
    expect(announce).to.deep.equal({
      table: 86,
      ipv4: { state: 'announced', eips: 2 },
      ipv6: { state: 'announced', eips: 1 },
    });
  });

  it('comes after the route of the EIP and goes before it', async () => {
    await using watch = await host.watch();
    host.put(...serviceOn('more', ['198.51.100.60']));
    await becomes(
      'it is announced',
      [
        announced.split('\n')[0],
        announced.split('\n')[1],
        'blackhole 198.51.100.60 proto 86 metric 100',
        announced.split('\n')[2],
      ].join('\n'),
    );
    host.delete('Service', 'more');
    await becomes('it is not any more', announced);
    const seen = await watch.take();
    const lines = seen.filter((line) => line.includes('198.51.100.60'));
    expect(lines.map((line) => line.replace(/ proto 86.*/, '').replace(/nhid \d+/, 'nhid'))).to.deep.equal([
      '198.51.100.60 nhid',
      'blackhole 198.51.100.60 table 86',
      'Deleted blackhole 198.51.100.60 table 86',
      'Deleted 198.51.100.60 nhid',
    ]);
  });

  it('is nothing while the gateway is drained, over a restart as well', async () => {
    const routing = await host.routing();
    const drained = await host.eiproute('drain');
    expect([drained.status, drained.err]).to.deep.equal([0, '']);
    // The command ends when it is done.
    expect(await table()).to.equal('');
    expect(await host.routing()).to.equal(routing);
    await daemon.stop();
    daemon = await host.start();
    expect(await table()).to.equal('');
    const { announce, summary, state } = await host.status();
    expect(announce?.ipv4).to.deep.equal({ state: 'draining', eips: 0 });
    expect(announce?.drainingSince).to.match(/^20/);
    expect(`${state}: ${summary}`).to.match(/^OK: .*; drained, nothing is announced$/);
    const undrained = await host.eiproute('undrain');
    expect([undrained.status, undrained.out]).to.deep.equal([
      0,
      'not drained any more: 3 entries announce EIPs\n',
    ]);
    expect(await table()).to.equal(announced);
  });

  it('stays when the daemon is killed, and is right after its start', async () => {
    await daemon.stop('SIGKILL');
    expect(await table()).to.equal(announced);
    host.delete('Service', 'mail');
    daemon = await host.start();
    await becomes('what went meanwhile is withdrawn', announced.replace(/.*100.11.*\n/, ''));
    host.put(...standardWorld);
    await becomes('all is announced', announced);
  });

  it('is nothing when the carrier of the LAN is lost', async () => {
    await host.ip('link set eth0-far down');
    await becomes('nothing is announced', '');
    await daemon.says(/announcements: IPv4 no LAN|"event":"announcing".*"no LAN"/);
    await host.ip('link set eth0-far up');
    await becomes('all is announced', announced);
  });

  it('follows an address', async () => {
    await host.configure({ settings: `announce: true\nhashSeed: 7361\nactive: { address: ${active} }` });
    daemon.signal('SIGHUP');
    await becomes('it is on standby', '');
    expect((await host.status()).announce?.ipv4?.state).to.equal('standby');
    expect(host.sysctl('net/ipv4/fib_multipath_hash_seed')).to.equal('7361');
    await host.ip(`address add ${active}/32 dev eth1`);
    await becomes('it announces', announced);
    await host.ip(`address del ${active}/32 dev eth1`);
    await becomes('it is on standby again', '');
    await host.ip(`address add ${active}/32 dev eth1`);
    await becomes('it announces again', announced);
  });

  it('moves to another table with the configuration, and leaves nothing in the former one', async () => {
    await host.configure({ settings: 'announce: { table: 99 }' });
    daemon.signal('SIGHUP');
    await becomes('it is in table 99', announced, 99);
    await becomes('table 86 is empty', '');
    await host.configure({ settings: '' });
    daemon.signal('SIGHUP');
    await becomes('table 99 is empty', '', 99);
    const drained = await host.eiproute('drain');
    expect([drained.status, drained.err]).to.deep.equal([
      1,
      'eiproute: nothing to drain: this gateway announces nothing (announce: false, and no pool has announce: layer2); take its traffic away at the router\n',
    ]);
  });

  it('is told to be in use while a rule looks the table up', async () => {
    await host.configure({ settings: 'announce: true' });
    const inUse = (told: boolean) => (status: { problems: readonly { code: string }[] }) =>
      status.problems.some(({ code }) => code === 'announce-table-in-use') === told;
    await host.ip('rule add pref 500 lookup 86');
    // A rule of another program starts no round by itself.
    daemon.signal('SIGHUP');
    await host.ip(`address add 203.0.113.7/32 dev eth1`);
    await host.statusOf(daemon, 'it is told', inUse(true));
    await host.ip('rule delete pref 500');
    await host.ip(`address delete 203.0.113.7/32 dev eth1`);
    await host.statusOf(daemon, 'it is solved', inUse(false));
  });

  it('is gone after a purge, whatever table the configuration names', async () => {
    await host.configure({ settings: 'announce: true' });
    daemon.signal('SIGHUP');
    await becomes('all is announced', announced);
    await host.eiproute('drain');
    await host.eiproute('undrain');
    await host.eiproute('drain');
    await daemon.stop();
    await host.configure({ settings: '' });
    const { out } = await host.eiproute('purge', '--yes');
    expect(out).to.include(`rm ${host.state}/draining\n`);
    expect(await host.ours()).to.equal('');
  });
});
