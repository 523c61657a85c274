import { expect } from 'chai';
import { node } from '../../lab/network/map.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { cluster, host, hostPort, local, NodeLan, nodePort, unserved } from './node-lan.ts';
import { needRoot } from './root.ts';

describe('nodes with agents', () => {
  let lan: NodeLan;
  const stack = new AsyncDisposableStack();
  before(async function () {
    needRoot(this);
    lan = stack.use(await NodeLan.lay());
    const agents = await Promise.all(lan.net.nodes.map((name) => lan.agent(name)));
    const daemons: GatewayDaemon[] = await Promise.all(agents.map((agent) => agent.start()));
    for (const daemon of daemons) stack.use(daemon);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => lan.enterThrough('gateway'));
  // Whatever a test did: nothing has ever left by the other router.
  afterEach(async () => {
    expect((await lan.replies())['other']).to.equal(0);
  });

  const inside = ['node1', 'node2', 'node3', 'web-1', 'web-2', 'web-3'];
  for (const from of ['client', 'gateway', 'gateway2', ...inside]) {
    it(`let ${from} reach every kind of Service by IPv4 and IPv6`, async () => {
      for (const [at, answer] of [
        [cluster, /^web-[123] /],
        [local, /^web-[23] /],
        [host, /^host-1 /],
      ] as const) {
        for (const ip of [at.v4, at.v6]) expect(await lan.get(from, ip), ip).to.match(answer);
      }
    });

    it(`refuse ${from} at once what no Service serves`, async () => {
      const before = await lan.sentAgain(from);
      for (const [what, ip, port] of [
        ['a closed port', cluster.v4, 81],
        ['a closed port', cluster.v6, 81],
        ['an EIP that nobody has', unserved.v4, 80],
        ['an EIP that nobody has', unserved.v6, 80],
        ['a socket of the node', host.v4, hostPort],
        ['a socket of the node', host.v6, hostPort],
        ['the port of a host-network pod', host.v4, 9090],
        ['the port of a host-network pod', host.v6, 9090],
        ['a nodePort', cluster.v4, nodePort],
        ['a nodePort', cluster.v6, nodePort],
      ] as const) {
        expect(await lan.get(from, ip, port), `${what} ${ip}:${port}`).to.equal('7');
      }
      // The first packet has got the answer, and none a second later.
      expect(await lan.sentAgain(from)).to.equal(before);
    });
  }

  it('still serve on their own addresses what is theirs', async () => {
    for (const ip of [node(1).v4, node(1).v6]) {
      expect(await lan.get('gateway', ip, nodePort)).to.match(/^web-1 /);
      expect(await lan.get('gateway', ip, hostPort)).to.match(/^sshd-1 /);
    }
  });

  it('show the pods of a Local Service the address of the client', async () => {
    expect(await lan.get('client', local.v4)).to.match(/^web-2 192\.0\.2\.1\d\d$/);
    expect(await lan.get('client', local.v6)).to.match(/^web-2 2001:db8:c::1\d\d$/);
  });

  for (const [way, idle] of [
    ['gateway', 'gateway2'],
    ['gateway2', 'gateway'],
  ] as const) {
    it(`answer through ${way} what came through ${way}, refusals as well`, async () => {
      await lan.enterThrough(way);
      const before = await lan.replies();
      for (const { v4, v6 } of [cluster, local, host]) {
        for (const ip of [v4, v6]) {
          expect(await lan.get('client', ip)).to.match(/^(web|host)-/);
          expect(await lan.get('client', ip, 81)).to.equal('7');
        }
      }
      const after = await lan.replies();
      expect((after[way] ?? 0) - (before[way] ?? 0)).to.be.greaterThan(20);
      expect(after[idle]).to.equal(before[idle]);
    });
  }

  it('move the replies of open flows to the gateway that their packets come through', async () => {
    // A server that echoes on every node, behind a Service of its own.
    const moving = stack.use(await lan.echo());
    await moving.open([cluster.v4, cluster.v6], 10);
    expect(await moving.round()).to.equal(20);
    await lan.enterThrough('gateway2');
    const before = await lan.replies();
    for (let i = 0; i < 3; i += 1) expect(await moving.round()).to.equal(20);
    const after = await lan.replies();
    expect(after['gateway']).to.equal(before['gateway']);
    expect((after['gateway2'] ?? 0) - (before['gateway2'] ?? 0)).to.be.at.least(60);
    await lan.enterThrough('gateway');
    expect(await moving.round()).to.equal(20);
  });

  for (const [what, ip] of [
    ['an EIP that a Service has', cluster.v4],
    ['an EIP that a Service has', cluster.v6],
    ['an EIP that nobody has', unserved.v4],
    ['an EIP that nobody has', unserved.v6],
  ] as const) {
    it(`keep a ping of ${what} (${ip}) from looping`, async () => {
      // What the gateway forwards, and not its frames: it also speaks for itself, ARP and NDP above all.
      const forwarded = async (): Promise<number> => {
        if (ip.includes(':')) {
          const six = await lan.run('gateway', 'cat /proc/net/snmp6');
          return Number(/^Ip6OutForwDatagrams\s+(\d+)$/m.exec(six)?.[1]);
        }
        const [names, values] = (await lan.run('gateway', 'cat /proc/net/snmp'))
          .split('\n')
          .filter((line) => line.startsWith('Ip: '))
          .map((line) => line.split(' '));
        return Number(values?.[names?.indexOf('ForwDatagrams') ?? -1]);
      };
      await lan.get('client', ip);
      const before = await forwarded();
      const { out } = await lan.outcome('client', `ping -n -c 1 -W ${ip.includes(':') ? 20 : 1} ${ip}`);
      // IPv4 sends nothing from an address that is in no `local` table of its own, so there is no echo.
      expect(out).to.match(ip.includes(':') ? /1 received/ : /0 received/);
      // One that loops is forwarded some 30 times; a few are the end of the request before.
      expect((await forwarded()) - before).to.be.within(1, 15);
    });
  }

  it('have nothing left to do', async () => {
    const { status, out } = await (await lan.agent('node1')).command('plan --commands');
    expect(out).to.equal('');
    expect(status).to.equal(0);
  });
});
