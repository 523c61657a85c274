import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { gateway, gateway2, upstream } from '../../lab/network/map.ts';
import { outcome, run, within } from '../../lab/process/run.ts';
import type { Check } from '../../src/explain/check.ts';
import { ownBird } from './bird-configurations.ts';
import { needPrograms, needRoot } from './root.ts';
import { Bird, eventually, Frr } from './routing-daemons.ts';
import { local, type Part, parts, TwoGateways } from './two-gateways.ts';

/** A pool of one address, which no Service has: FRR must not take its unreachable route for an EIP. */
const single = '192.0.2.200';

/** FRR as the upstream router. */
const upstreamFrr = `router bgp 65000
 bgp router-id ${upstream.outer.v4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 timers bgp 3 9
${[gateway, gateway2]
  .flatMap(({ uplink }) => [uplink.v4, uplink.v6])
  .map((ip) => ` neighbor ${ip} remote-as 65001\n neighbor ${ip} timers connect 1\n`)
  .join('')} address-family ipv4 unicast
${[gateway, gateway2].map(({ uplink }) => `  neighbor ${uplink.v4} activate\n`).join('')} exit-address-family
 address-family ipv6 unicast
${[gateway, gateway2].map(({ uplink }) => `  neighbor ${uplink.v6} activate\n`).join('')} exit-address-family
`;

/** What a person writes beside what `eiproute frr` prints: docs/high-availability.md has the same. */
const ownFrr = `router bgp 65001
 bgp router-id ${gateway2.uplink.v4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 timers bgp 3 9
 neighbor ${upstream.outer.v4} remote-as 65000
 neighbor ${upstream.outer.v4} timers connect 1
 neighbor ${upstream.outer.v6} remote-as 65000
 neighbor ${upstream.outer.v6} timers connect 1
 address-family ipv4 unicast
  redistribute kernel route-map EIP4
  neighbor ${upstream.outer.v4} activate
 exit-address-family
 address-family ipv6 unicast
  redistribute kernel route-map EIP6
  neighbor ${upstream.outer.v6} activate
 exit-address-family
`;

describe('BIRD on one gateway and FRR on the other, with FRR upstream', () => {
  let two: TwoGateways;
  let router: Frr;
  let bird: Bird;
  let frr: Frr;
  before(async function () {
    needRoot(this);
    needPrograms(this, 'bird', '/usr/lib/frr/zebra', 'keepalived');
    two = await TwoGateways.lay({
      lines: (part) => (part === 'gateway' ? 'announce: true' : ''),
      pools: [`{ name: single, addresses: [${single}], communities: ["65001:300"] }`],
    });
    router = await Frr.start(two.place('upstream', 'frr'), upstreamFrr);
    const include = join(two.folder('gateway'), 'eips.conf');
    await writeFile(include, (await two.eiproute('gateway', 'bird')).out);
    bird = await Bird.start(
      two.place('gateway', 'bird'),
      ownBird('gateway', include).replaceAll('bfd on; ', ''),
    );
    frr = await Frr.start(
      two.place('gateway2', 'frr'),
      `${(await two.eiproute('gateway2', 'frr')).out}${ownFrr}`,
    );
  });
  after(async () => {
    await frr?.[Symbol.asyncDispose]();
    await bird?.[Symbol.asyncDispose]();
    await router?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  /** The gateways that announce a route to the router: `203.0.113.1 203.0.113.2`. */
  const from = async (route: string): Promise<string> => {
    const of = route.includes(':') ? 'ipv6' : 'ipv4';
    const shown = await router.ask(`show bgp ${of} unicast ${route} json`);
    const { paths = [] }: { paths?: readonly { peer: { peerId: string } }[] } = JSON.parse(shown || '{}');
    return paths
      .map(({ peer }) => peer.peerId)
      .sort()
      .join(' ');
  };
  const comes = (route: string, peers: string): Promise<void> =>
    eventually(`${route} comes from ${peers || 'nobody'}`, async () => (await from(route)) === peers);
  const uplinks = (family: 'v4' | 'v6'): string =>
    [gateway, gateway2].map(({ uplink }) => uplink[family]).join(' ');

  it('announce every EIP, in both families', async () => {
    await comes(`${local.v4}/32`, uplinks('v4'));
    await comes(`${local.v6}/128`, uplinks('v6'));
  });

  describe('are asked by eiproute doctor', () => {
    /** What it finds of the routing daemon. @param prefix a command that runs another one */
    const found = async (part: Part, ...prefix: readonly string[]): Promise<string> => {
      const argv = [...prefix, program, 'doctor', '--json', '--config', two.config(part)];
      const { out, err } = await outcome({ argv: within(two.net.namespace(part), argv) });
      if (out === '') throw new Error(err);
      const { checks }: { checks: readonly Check[] } = JSON.parse(out);
      const own = checks.filter(({ name }) => name === 'routing daemon');
      return own.map(({ state, finding }) => `${state} ${finding}`).join('\n');
    };
    const ctl = (): string => join(two.folder('gateway'), 'bird', 'bird.ctl');

    it('which finds as many routes as there are to announce', async () => {
      expect(await found('gateway')).to.equal('ok BIRD has all 2 routes of table 86; established: up4, up6');
      expect(await found('gateway2')).to.equal(
        `ok FRR has all 2 routes of EIPs; established: ${upstream.outer.v4}, ${upstream.outer.v6}`,
      );
    });

    it('which finds what a BIRD has not read', async () => {
      await bird.ask('disable eiproute4');
      expect(await found('gateway')).to.equal('FAIL BIRD has 0 of 1 routes of table 86 (IPv4)');
      await bird.ask('enable eiproute4');
      await comes(`${local.v4}/32`, uplinks('v4'));
    });

    it('which finds what an FRR does not redistribute', async () => {
      const redistribute = async (no: 'no ' | ''): Promise<void> => {
        const file = join(two.folder('gateway2'), 'change.conf');
        const lines = `router bgp 65001\n address-family ipv6 unicast\n  ${no}redistribute kernel${no === '' ? ' route-map EIP6' : ''}\n`;
        await writeFile(file, lines);
        await frr.read(file);
      };
      await redistribute('no ');
      await comes(`${local.v6}/128`, gateway.uplink.v6);
      expect(await found('gateway2')).to.equal('FAIL FRR has 0 of 1 routes of EIPs (IPv6)');
      await redistribute('');
      await comes(`${local.v6}/128`, uplinks('v6'));
    });

    it('which tells of a session that is not established', async () => {
      await bird.ask('disable up6');
      expect(await found('gateway')).to.match(/^warn BIRD has all 2 routes of table 86; up6 is \w+$/);
      await bird.ask('enable up6');
      await comes(`${local.v6}/128`, uplinks('v6'));
    });

    it('which does not wait for one that is frozen', async () => {
      bird.signal('SIGSTOP');
      expect(await found('gateway')).to.equal(
        '? BIRD runs and does not answer: birdc had no answer after 5 s',
      );
      bird.signal('SIGCONT');
      frr.signal('SIGSTOP');
      expect(await found('gateway2')).to.equal(
        '? FRR runs and does not answer: vtysh had no answer after 5 s',
      );
      frr.signal('SIGCONT');
      for (const family of ['v4', 'v6'] as const)
        await comes(`${local[family]}/${family === 'v4' ? 32 : 128}`, uplinks(family));
    });

    it('which says that it may not ask', async () => {
      await run({ argv: ['chown', 'nobody', ctl()] });
      await run({ argv: ['chmod', '600', ctl()] });
      const without = (...capabilities: readonly string[]): readonly string[] => [
        'setpriv',
        `--bounding-set=${capabilities.map((name) => `-${name}`).join(',')}`,
      ];
      expect(await found('gateway', ...without('dac_override', 'dac_read_search'))).to.equal(
        `? BIRD may not be asked: birdc: Unable to connect to server control socket (${ctl()}): Permission denied`,
      );
      expect(await found('gateway', ...without('sys_ptrace'))).to.match(
        /BIRD may not be asked: only root sees whether process \d+ works in this network namespace/,
      );
    });

    it('which finds that the socket is gone', async () => {
      await rename(ctl(), `${ctl()}.away`);
      expect(await found('gateway')).to.equal(
        `? BIRD runs and does not answer: birdc: Unable to connect to server control socket (${ctl()}): No such file or directory`,
      );
      await rename(`${ctl()}.away`, ctl());
    });

    it('which finds that no daemon runs', async () => {
      await bird.kill();
      expect(await found('gateway')).to.match(/^warn neither BIRD nor FRR runs in this network namespace/);
      await bird.again();
      await comes(`${local.v4}/32`, uplinks('v4'));
      await comes(`${local.v6}/128`, uplinks('v6'));
    });
  });

  it('announce the communities of its pool', async () => {
    const shown = await router.ask(`show bgp ipv4 unicast ${local.v4}/32`);
    expect(shown.match(/Community: 65001:100/g)).to.have.length(2);
  });

  it('announce nothing of a pool that has no EIP', async () => {
    expect(await from(`${single}/32`)).to.equal('');
    const { out } = await outcome({
      argv: ['ip', '-n', two.net.namespace('gateway2'), 'route', 'show', single],
    });
    expect(out).to.match(/^unreachable 192.0.2.200 /);
  });

  it('announce an EIP that comes, and no more once it is gone', async () => {
    const file = join(two.net.folder, 'cluster.json');
    const list = JSON.parse(await readFile(file, 'utf8'));
    const more = [
      rawService('more', { eips: [single] }),
      rawSlice('more', [{ ip: '10.244.1.11', node: 'node1', ready: true }]),
    ];
    await writeFile(file, JSON.stringify({ ...list, items: [...list.items, ...more] }));
    await comes(`${single}/32`, uplinks('v4'));
    await writeFile(file, JSON.stringify(list));
    await comes(`${single}/32`, '');
    expect(await from(`${local.v4}/32`)).to.equal(uplinks('v4'));
  });

  it('announce every EIP after FRR has restarted: it reads our nexthop ids', async () => {
    await frr.kill();
    await comes(`${local.v4}/32`, gateway.uplink.v4);
    await frr.begin();
    await comes(`${local.v4}/32`, uplinks('v4'));
    await comes(`${local.v6}/128`, uplinks('v6'));
  });

  it('announce every EIP after BIRD has restarted, without nexthopCompatMode', async () => {
    await bird.kill();
    await bird.again();
    await comes(`${local.v4}/32`, uplinks('v4'));
    await comes(`${local.v6}/128`, uplinks('v6'));
    for (const part of parts)
      expect(await two.net.run(part, { argv: ['sysctl', '-n', 'net.ipv4.nexthop_compat_mode'] })).to.equal(
        '0\n',
      );
  });
});
