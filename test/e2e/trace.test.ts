import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawService } from '../../lab/cluster/manifests.ts';
import { outcome } from '../../lab/process/run.ts';
import type { Trace } from '../../src/explain/trace.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** The answer of `eiproute trace --json WORDS` about one address. */
async function traced(host: GatewayHost, ...words: readonly string[]) {
  const { status, out, err } = await host.eiproute('trace', '--json', ...words);
  if (out === '') throw new Error(err);
  const { version, traces }: { version: number; traces: readonly Trace[] } = JSON.parse(out);
  expect(version).to.equal(1);
  const [first] = traces;
  if (first === undefined) throw new Error('no trace');
  const broken = first.brokenAt === undefined ? undefined : first.steps[first.brokenAt - 1]?.name;
  return { status, broken, trace: first, traces };
}

describe('eiproute trace', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('says of an address that works how its packets go, and exits with 0', async () => {
    const { status, out, err } = await host.eiproute('trace', '198.51.100.10');
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    expect(out).to.match(/^198\.51\.100\.10 {2}default\/web {2}TCP 80 {2}WORKS\n/);
    expect(out).to.match(/^ {2}1 ok {4}daemon {7}OK: 3 of 3 EIPs routed over 3 nodes$/m);
    expect(out).to.match(/^ {2}2 ok {4}pool {9}public \(198\.51\.100\.0\/24, 2001:db8:e::\/64\)$/m);
    expect(out).to.match(
      /^ {2}3 ok {4}service {6}default\/web, LoadBalancer, policy Cluster, 3 ready endpoints on 3 nodes$/m,
    );
    expect(out).to.match(/^ {2}4 ok {4}carriers {5}n1, n2, n3$/m);
    expect(out).to.match(
      /^ {2}5 ok {4}route {8}198\.51\.100\.10 nhid 26000000\d proto 86; ip route get agrees$/m,
    );
    expect(out).to.match(
      /^ {2}6 ok {4}forwarding {3}net\.ipv4\.ip_forward 1; eth1 -> eth0; no forward hook of nft drops it$/m,
    );
    expect(out).to.match(/^ {2}7 ok {4}neighbours {3}n1 10\.0\.0\.11 PERMANENT$/m);
    expect(out).to.match(/^ {2}8 - {5}return path {2}not asked/m);
    expect(out).to.match(/^ {2}Story eiproute events --eip 198\.51\.100\.10$/m);
  });

  it('says from another network namespace that it cannot know, as do doctor and plan, and what to do', async () => {
    const there = `nsenter --net=/proc/${daemon.pid}/ns/net eiproute ...`;
    const file = join(host.folder, 'world.json');
    await writeFile(file, JSON.stringify({ kind: 'List', items: standardWorld }));
    // Without the two words that enter the namespace of the gateway.
    const outside = (...words: readonly string[]) =>
      outcome({ argv: ['unshare', '--net', ...host.argv(...words).slice(2)] });
    const seen = await outside('trace', '198.51.100.10');
    expect(seen.status).to.equal(2);
    expect(seen.out).to.match(/^198\.51\.100\.10 {2}default\/web {2}TCP 80 {2}NOT KNOWN\n/);
    expect(seen.out).to.match(
      / {2}5 \? {5}route {8}not looked at: the daemon is in another network namespace/,
    );
    expect(seen.out).to.include(there);
    const doctor = await outside('doctor');
    expect(doctor.status).to.equal(1);
    expect(doctor.out).to.match(/^FAIL {2}namespace /m);
    expect(doctor.out).to.include(there);
    const plan = await outside('plan', '--from', file);
    expect(plan.err).to.match(
      /^warning: the daemon \(process \d+\) is in another network namespace than this command/m,
    );
    for (const words of [['doctor'], ['plan', '--from', file]])
      expect((await host.eiproute(...words)).err, words.join(' ')).to.not.include('namespace');
  });

  it('takes a Service, by its whole name or by its name alone, and traces each of its addresses', async () => {
    for (const name of ['default/web', 'web']) {
      const { status, traces } = await traced(host, name);
      expect(traces.map(({ eip, verdict }) => `${eip} ${verdict}`)).to.deep.equal([
        '198.51.100.10 works',
        '2001:db8:e::10 works',
      ]);
      expect(status).to.equal(0);
    }
    expect((await traced(host, '198.51.100.10:80')).status).to.equal(0);
    expect((await traced(host, '[2001:db8:e::10]:80')).status).to.equal(0);
  });

  it('refuses what is neither, as a wrong command line', async () => {
    const { status, out, err } = await host.eiproute('trace', '198.51.100.10/24');
    expect({ status, out }).to.deep.equal({ status: 64, out: '' });
    expect(err).to.match(/"198\.51\.100\.10\/24" is no address, .*see "eiproute trace --help"\n$/);
  });

  it('finds a port that no Service has', async () => {
    const { status, broken, trace } = await traced(host, '198.51.100.10:81');
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'service' });
    expect(trace.why).to.equal(
      'port 81 of 198.51.100.10 belongs to no Service; there are TCP 80 (default/web)',
    );
  });

  it('finds an address that no Service holds, and a Service that is not there', async () => {
    const free = await traced(host, '198.51.100.77');
    expect([free.status, free.broken]).to.deep.equal([1, 'service']);
    expect(free.trace.why).to.match(/no Service has 198\.51\.100\.77/);
    const none = await traced(host, 'default/nobody');
    expect([none.status, none.broken]).to.deep.equal([1, 'service']);
    expect(none.trace.why).to.equal('the cluster has no Service default/nobody');
  });

  it('finds an address outside of the pools', async () => {
    host.put(...serviceOn('outside', ['192.0.2.99']));
    await until(
      'the Service is known',
      () => traced(host, 'outside'),
      ({ traces }) => traces.length === 1 && traces[0]?.eip !== undefined,
    );
    const { status, broken, trace } = await traced(host, '192.0.2.99');
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'pool' });
    expect(trace.advice).to.match(/add its network to pools/);
    host.delete('Service', 'outside');
  });

  it('finds a Service without an address', async () => {
    host.put(rawService('bare', { eips: [] }));
    const { status, broken, trace } = await until(
      'the Service is known',
      () => traced(host, 'default/bare'),
      ({ trace: { why } }) => !/the cluster has no Service/.test(why ?? ''),
    );
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'service' });
    expect(trace.why).to.match(/gives no addresses here \(allocate: false\)/);
    host.delete('Service', 'bare');
  });

  it('finds a Service without a ready endpoint', async () => {
    host.put(...serviceOn('idle', ['198.51.100.30'], []));
    const { status, broken, trace } = await until(
      'the Service is known',
      () => traced(host, '198.51.100.30'),
      ({ trace: { services } }) => services.length === 1,
    );
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'service' });
    expect(trace.why).to.equal('default/idle has no ready endpoint: no pod could answer');
    expect(trace.advice).to.match(
      /^kubectl get endpointslices -n default -l kubernetes.io\/service-name=idle;/,
    );
    host.delete('Service', 'idle');
  });

  it('finds a route of another program in its place, and says how to delete it', async () => {
    await host.ip('route add 198.51.100.41 via 10.0.0.99 proto static');
    host.put(...serviceOn('taken', ['198.51.100.41']));
    await until(
      'the conflict is told',
      () => host.status(),
      ({ conflicts }) => conflicts.length === 1,
    );
    const { status, broken, trace } = await traced(host, '198.51.100.41');
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'route' });
    expect(trace.advice).to.equal(
      'delete it, and eiproute installs its own: ip route delete 198.51.100.41 via 10.0.0.99 dev eth0 proto 4',
    );
    host.delete('Service', 'taken');
    await host.ip('route delete 198.51.100.41 via 10.0.0.99 proto static');
    await until(
      'all is well',
      () => host.status(),
      ({ synced }) => synced,
    );
  });

  it('finds a policy rule that leads elsewhere', async () => {
    await host.batch([
      'route add blackhole 198.51.100.10 table 77',
      'rule add pref 10 to 198.51.100.10 lookup 77',
    ]);
    const { status, broken, trace } = await traced(host, '198.51.100.10');
    expect({ status, broken }, trace.why).to.deep.equal({ status: 1, broken: 'route' });
    await host.batch(['route delete blackhole 198.51.100.10 table 77', 'rule delete pref 10']);
    expect((await traced(host, '198.51.100.10')).status).to.equal(0);
  });

  it('finds a node that does not answer, where no other carries the address', async () => {
    await host.ip('neigh delete 10.0.0.12 dev eth0');
    const alone = await traced(host, '198.51.100.11');
    expect([alone.status, alone.broken], alone.trace.why).to.deep.equal([1, 'neighbours']);
    expect(alone.trace.why).to.match(
      /^n2 does not answer ARP or NDP on eth0, and no other node carries 198\.51\.100\.11$/,
    );
    const others = await traced(host, '198.51.100.10');
    expect(others.status, JSON.stringify(others.trace)).to.equal(0);
    const step = others.trace.steps.find(({ name }) => name === 'neighbours');
    expect(step?.state).to.equal('warn');
    expect(step?.finding).to.match(/^n2 10\.0\.0\.12 FAILED/);
    expect(step?.more).to.include('n1 10.0.0.11 PERMANENT');
    await host.ip('neigh replace 10.0.0.12 lladdr 02:00:5e:00:53:12 dev eth0 nud permanent');
    await until(
      'all is well',
      () => host.status(),
      ({ synced }) => synced,
    );
  });

  it('finds a forward chain that drops it, and not one that lets it pass', async () => {
    const chain = async (rule: string): Promise<void> => {
      const script = `table inet filter {\nchain forward {\ntype filter hook forward priority 0; policy drop;\n${rule}\n}\n}\n`;
      const { status, err } = await host.within('nft', script);
      expect(status, err).to.equal(0);
    };
    await chain('iifname "eth1" tcp dport 443 accept');
    const { status, broken, trace } = await traced(host, '198.51.100.10');
    expect({ status, broken }).to.deep.equal({ status: 1, broken: 'forwarding' });
    expect(trace.why).to.equal(
      'the firewall of this gateway drops it: chain inet filter forward, its policy drop',
    );
    await chain('ip daddr 198.51.100.0/24 tcp dport { 80, 443 } accept');
    expect((await traced(host, '198.51.100.10')).status).to.equal(0);
    await host.within('nft', 'flush chain inet filter forward');
    await chain('meta mark 7 accept');
    const unclear = await traced(host, '198.51.100.10');
    expect([unclear.status, unclear.broken], unclear.trace.why).to.deep.equal([2, undefined]);
    expect(unclear.trace.why).to.match(
      /^whether the firewall lets it pass depends on chain inet filter forward/,
    );
    await host.within('nft', 'delete table inet filter');
  });

  it('works without the daemon, by its last known state: it is not known whether that is true still', async () => {
    await daemon.stop();
    const { status, broken, trace } = await traced(host, '198.51.100.10');
    expect({ status, broken }).to.deep.equal({ status: 2, broken: undefined });
    expect(trace.why).to.match(
      /^no gateway daemon answers at .*; pool, service and carriers are as of 20\d\d-/,
    );
    expect(trace.steps.map(({ name, state }) => `${name} ${state}`)).to.include.members([
      'daemon ?',
      'service ok',
      'carriers ok',
      'route ok',
      'forwarding ok',
      'neighbours ok',
    ]);
  });

  it('finds forwarding that is off, and rp_filter that drops a client', async () => {
    host.setSysctl('net/ipv4/ip_forward', '0');
    const off = await traced(host, '198.51.100.10');
    expect([off.status, off.broken]).to.deep.equal([1, 'forwarding']);
    expect(off.trace.advice).to.match(/^sysctl -w net\.ipv4\.ip_forward=1/);
    host.setSysctl('net/ipv4/ip_forward', '1');
    host.setSysctl('net/ipv4/conf/all/rp_filter', '1');
    const strict = await traced(host, '198.51.100.10', '--from', '192.0.2.77');
    expect([strict.status, strict.broken]).to.deep.equal([1, 'forwarding']);
    expect(strict.trace.why).to.match(/^rp_filter 1 on eth1 drops what comes from 192\.0\.2\.77/);
    host.setSysctl('net/ipv4/conf/all/rp_filter', '0');
    expect((await traced(host, '198.51.100.10', '--from', '192.0.2.77')).broken).to.equal(undefined);
  });

  it('finds a route that is gone, and an interface that is gone', async () => {
    await host.ip('route delete 198.51.100.10');
    const gone = await traced(host, '198.51.100.10');
    expect([gone.status, gone.broken]).to.deep.equal([1, 'route']);
    await host.ip('link delete eth1');
    const link = await traced(host, '198.51.100.11');
    expect([link.status, link.broken]).to.deep.equal([1, 'forwarding']);
    expect(link.trace.why).to.equal('interface eth1 does not exist: no packet of a client comes in');
  });

  it('looks at the kernel alone where nothing was ever known', async () => {
    await using other = await GatewayHost.make();
    const { status, trace } = await traced(other, '198.51.100.10');
    expect(status).to.equal(1);
    expect(trace.steps.slice(0, 5).map(({ name, state }) => `${name} ${state}`)).to.deep.equal([
      'daemon ?',
      'pool ok',
      'service ?',
      'carriers ?',
      'route FAIL',
    ]);
  });
});
