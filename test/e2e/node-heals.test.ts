import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { gateway, gateway2, node } from '../../lab/network/map.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { type Agent, cluster, host, NodeLan } from './node-lan.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** What the kernel takes along with a link, and whoever set it up brings back; not ours. */
function upAs(name: string): string {
  return [
    `ip link set ${name} up`,
    `ip route replace default via 10.0.0.254 dev ${name}`,
    `ip -6 route replace default via 2001:db8:10::fe dev ${name}`,
    ...[2, 3].flatMap((i) => [
      `ip route replace 10.244.${i}.0/24 via ${node(i).v4} dev ${name}`,
      `ip -6 route replace 2001:db8:244:${i}::/64 via ${node(i).v6} dev ${name}`,
    ]),
  ].join('\n');
}
const networkUp = upAs('eth0');
const kernelRules = `ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default
ip -6 rule add pref 32766 lookup main`;

/** Takes an address, and makes it known: within a second after one change Linux believes no other. */
function arrive(ip: string): string {
  return `ip addr add ${ip}/24 dev eth0; ip neigh flush dev eth0
ping -n -c 5 -i 0.3 -W 1 -I ${ip} ${node(1).v4} >/dev/null`;
}

describe('a node agent', () => {
  const stack = new AsyncDisposableStack();
  let lan: NodeLan;
  let agent: Agent;
  let daemon: GatewayDaemon;
  let good: string;
  let untouched: string;
  before(async function () {
    needRoot(this);
    lan = stack.use(await NodeLan.lay());
    await lan.run('node1', 'echo 1 >/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down');
    agent = await lan.agent('node1', 'pace: { resync: 10m }\n');
    untouched = await agent.kernel();
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    // A fresh one each time: what one test fights over does not slow the next.
    daemon = await agent.start();
    good = await agent.kernel();
  });
  afterEach(async () => {
    await daemon.stop();
    await lan.enterThrough('gateway');
  });

  /**
   * Disturbs, and waits until all is as it was, and so many lines have been said of it.
   *
   * @returns what was repaired
   */
  async function heals(lines: number, deed: () => Promise<unknown>): Promise<readonly string[]> {
    const from = daemon.journal.length;
    const repaired = (): readonly string[] =>
      daemon.journal.slice(from).flatMap(({ msg, object }) => (msg === 'repaired' ? [String(object)] : []));
    await deed();
    await until(
      'the kernel is as it was',
      () => agent.kernel(),
      (now) => now === good,
    );
    await until('it is told', repaired, (said) => said.length >= lines);
    for (const ip of [cluster.v4, cluster.v6, host.v4, host.v6]) {
      expect(await lan.get('client', ip), ip).to.match(/^(web|host)-/);
    }
    expect((await lan.replies())['other']).to.equal(0);
    return repaired();
  }

  it('puts back policy rules that somebody flushed, with one line for each', async () => {
    const said = await heals(9, async () => {
      await lan.run('node1', `ip rule flush; ip -6 rule flush\n${kernelRules}`);
    });
    // Four of IPv4 and five of IPv6, and nothing else.
    expect(said.filter((line) => line.startsWith('rule '))).to.have.length(9);
    expect(said).to.have.length(9);
  });

  it('puts back its table when another program flushes all of nftables', async () => {
    const rest = await lan.run('node1', 'nft list table inet kube-proxy; nft list table inet node-ports');
    const said = await heals(1, async () => {
      await lan.run('node1', 'nft flush ruleset');
      await lan.run('node1', 'nft -f -', rest);
    });
    expect(said).to.deep.equal(['nft table inet eiproute']);
  });

  it('puts back a single rule of its table', async () => {
    const said = await heals(1, () =>
      lan.run(
        'node1',
        `handle=$(nft -a list chain inet eiproute guard4 | sed -n 's/.*tcp reset # handle //p' | head -1)
         nft delete rule inet eiproute guard4 handle $handle`,
      ),
    );
    expect(said).to.deep.equal(['nft table inet eiproute']);
  });

  it('takes out what another program puts into its table', async () => {
    const said = await heals(1, () => lan.run('node1', 'nft insert rule inet eiproute prerouting drop'));
    expect(said).to.deep.equal(['nft table inet eiproute']);
  });

  it('puts back routes that somebody flushed, as systemd-networkd does it', async () => {
    const said = await heals(6, () =>
      lan.run('node1', 'for t in 100 101 102; do ip route flush table $t; ip -6 route flush table $t; done'),
    );
    expect(said).to.have.length(6);
  });

  it('puts back what the kernel takes along with the link', async () => {
    const from = daemon.journal.length;
    await heals(0, () => lan.run('node1', `ip link set eth0 down\n${networkUp}`));
    // With a link the neighbours go, too; any of it may be heard of first.
    await daemon.says(/"why":\[[^\]]*(interface eth0|is not resolved|is at)[^\]]*\],"done":[1-9]/, from);
  });

  it('removes rules in its name that it does not want', async () => {
    await heals(0, () => lan.run('node1', 'ip rule add pref 77 to 192.0.2.0/24 lookup 100 protocol 86'));
  });

  it('follows the address of its node', async () => {
    const source = (): Promise<string> => lan.run('node1', 'ip -N route show table 100');
    await lan.run('node1', `ip addr del ${node(1).v4}/24 dev eth0; ip addr add 10.0.0.99/24 dev eth0`);
    await until('the node has its new address', source, (now) => now.includes('src 10.0.0.99'));
    await lan.run(
      'node1',
      `ip addr del 10.0.0.99/24 dev eth0; ip addr add ${node(1).v4}/24 dev eth0\n${networkUp}`,
    );
    await until('the node has its old address', source, (now) => now.includes(`src ${node(1).v4}`));
    await until(
      'the kernel is as it was',
      () => agent.kernel(),
      (now) => now === good,
    );
  });

  it('follows its interface, which no file names, to another name', async () => {
    const ways = (): Promise<string> =>
      lan.run('node1', 'for t in 101 102; do ip -N route show table $t; ip -N -6 route show table $t; done');
    const rename = (from: string, to: string): Promise<string> =>
      lan.run('node1', `ip link set ${from} down; ip link set ${from} name ${to}\n${upAs(to)}`);
    const isBack = (name: string) => (now: string) => now.split(` dev ${name} `).length === 5;
    await rename('eth0', 'lan0');
    await until('its four ways back lead out of it', ways, isBack('lan0'));
    await until(
      'it is in order',
      () => agent.status(),
      (now) => now?.state === 'OK',
    );
    for (const ip of [cluster.v4, cluster.v6]) expect(await lan.get('client', ip), ip).to.match(/^web-/);
    await rename('lan0', 'eth0');
    await until(
      'the kernel is as it was',
      () => agent.kernel(),
      (now) => now === good,
    );
  });

  it('follows a gateway to another link-layer address, long before it would look by itself', async () => {
    const mac = '02:00:0a:00:00:77';
    // Whoever has a new address asks for those he sends to, and by that they know it.
    await lan.run(
      'gateway',
      `ip link set eth0 address ${mac}; ip neigh flush dev eth0; ping -nc1 -W20 ${node(1).v4} >/dev/null`,
    );
    const status = await until(
      'it is known',
      () => agent.status(),
      (now) => now?.gateways?.[0]?.mac === mac,
    );
    expect(status?.gateways?.[0]?.address).to.equal(gateway.lan.v4);
    await until(
      'the table has it',
      () => lan.run('node1', 'nft list table inet eiproute'),
      (now) => now.includes(mac),
    );
    await lan.run(
      'gateway',
      `ip link set eth0 address ${gateway.lanMac}; ip neigh flush dev eth0
       ping -nc1 -W20 ${node(1).v4} >/dev/null; ping -nc1 -W20 ${node(1).v6} >/dev/null`,
    );
    await until(
      'the kernel is as it was',
      () => agent.kernel(),
      (now) => now === good,
    );
  });

  it('follows an address that moves to another gateway', async () => {
    await lan.enterThrough('gateway2');
    const { v4 } = gateway.lan;
    await lan.run('gateway', `ip addr del ${v4}/24 dev eth0`);
    await lan.run('gateway2', arrive(v4));
    await until(
      'it is known',
      () => agent.status(),
      (now) => now?.gateways?.[0]?.mac === gateway2.lanMac,
    );
    expect(await lan.get('client', cluster.v4)).to.match(/^web-/);
    await lan.run('gateway2', `ip addr del ${v4}/24 dev eth0`);
    await lan.run('gateway', arrive(v4));
    await until(
      'the kernel is as it was',
      () => agent.kernel(),
      (now) => now === good,
    );
  });

  it('leaves all in place when it stops, changes nothing when it starts again, also after SIGKILL', async () => {
    const watch = await lan.agent('node1');
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await daemon.stop(signal);
      expect(await agent.kernel()).to.equal(good);
      expect((await watch.command('plan --commands')).out).to.equal('');
      daemon = await agent.start();
      expect(await agent.kernel()).to.equal(good);
      const [round] = daemon.journal.filter(({ msg }) => msg === 'round');
      expect(round, JSON.stringify(round)).to.equal(undefined);
    }
  });

  it('is refused a second time on one node', async () => {
    const { status, err } = await agent.command('node');
    expect(status).to.equal(1);
    expect(err).to.match(/another eiproute already manages routes of protocol 86/);
    expect(await agent.kernel()).to.equal(good);
  });

  it('names its numbers for iproute2, and never in a file of somebody else', async () => {
    const names = (folder: string): Promise<string> =>
      readFile(join(agent.folder, 'iproute2', folder, 'eiproute-node.conf'), 'utf8');
    expect(await names('rt_protos.d')).to.match(/\n86 eiproute\n$/);
    expect(await names('rt_tables.d')).to.match(
      /\n100 eiproute-local\n101 eiproute-gateway1\n102 eiproute-gateway2\n$/,
    );
  });

  it('loosens a strict reverse path filter, and no other', async () => {
    const filter = '/proc/sys/net/ipv4/conf/eth0/rp_filter';
    const look = (): Promise<string> => lan.run('node1', `cat ${filter}`);
    await lan.run('node1', `echo 1 >${filter}`);
    await until('it is loose', look, (now) => now === '2\n');
    await daemon.stop();
    const { out } = await agent.command('purge --yes');
    expect(out).to.include('net.ipv4.conf.eth0.rp_filter="1"');
    await lan.run('node1', `echo 0 >${filter}`);
    daemon = await agent.start();
    expect(await look()).to.equal('0\n');
  });

  it('is purged without a trace', async () => {
    await daemon.stop();
    const { status, out } = await agent.command('purge --yes');
    expect(status).to.equal(0);
    expect(out).to.match(/^rm .*eiproute-node.conf$/m);
    expect(await agent.kernel()).to.equal(untouched);
    expect((await agent.command('purge --yes')).out).to.equal('');
    const { out: plan, status: code } = await agent.command('plan --commands');
    expect(code).to.equal(2);
    // What it prints does the same.
    await lan.run('node1', plan);
    daemon = await agent.start();
    expect(await agent.kernel()).to.equal(good);
  });
});
