import { expect } from 'chai';
import type { Load } from '../../lab/load/load.ts';
import { pools } from '../../lab/network/map.ts';
import type { Process } from '../../lab/process/process.ts';
import { late } from '../patience.ts';
import { keepalived, shared } from './keepalived-configuration.ts';
import { countPackets, targetIs } from './packet-counts.ts';
import { needPrograms, needRoot } from './root.ts';
import { eventually, startKeepalived } from './routing-daemons.ts';
import { local, type Part, TwoGateways } from './two-gateways.ts';

const shared6 = '2001:db8:1::100';
const virtualMac = '00:00:5e:00:01:33';
const lines = `hashSeed: 7361\nlayer2: { interface: vrrp.51 }\nactive: { address: [${shared}, "${shared6}"] }`;
/** IPv6 by the same instance: its virtual address, and so its link-layer address, goes along. */
const vrrpLines = ['use_vmac vrrp.51', 'vmac_xmit_base', `virtual_ipaddress_excluded { ${shared6}/64 }`];

/** Where hosts solicit local.v6. */
const group = 'ff02::1:ff00:10';

describe('EIPs behind the virtual MAC of keepalived', () => {
  let two: TwoGateways;
  let load: Load;
  const vrrp = new Map<Part, Process>();
  before(async function () {
    needRoot(this);
    needPrograms(this, 'keepalived', 'ndisc6');
    two = await TwoGateways.lay({ lines: () => lines, layer2: 'all', prepare: startVrrp });
    for (const pool of pools) await two.ip('upstream', `route add ${pool} dev eth1`);
    await eventually('gateway announces', async () => (await stateOf('gateway')) === 'announced');
    load = two.load(local.v4, local.v6);
    await some(50);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    for (const each of vrrp.values()) await each[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const startVrrp = async (on: TwoGateways, part: Part): Promise<void> => {
    const place = on.place(part, 'keepalived');
    vrrp.set(part, await startKeepalived(place, keepalived(part, { lines: vrrpLines })));
  };
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  const stateOf = async (part: Part): Promise<string | undefined> =>
    (await two.status(part)).announce?.ipv4?.state;
  const proxies = async (part: Part): Promise<string> =>
    (await Promise.all(['-4', '-6'].map((of) => two.ip(part, `${of} neigh show proxy dev vrrp.51`)))).join(
      '',
    );
  const standbyFilters = async (part: Part): Promise<number> =>
    (await two.net.run(part, { argv: ['nft', 'list', 'tables'] })).split('eiproute-standby').length - 1;
  const learned = async (eip: string): Promise<string> =>
    /lladdr (\S+)/.exec(await two.ip('upstream', `neigh show ${eip} dev eth1`))?.[1] ?? 'nothing';

  /** Those of the switch behind which the EIP's solicitations are wanted. */
  const ports = async (): Promise<readonly string[]> => {
    const [shown] = JSON.parse(await two.net.run('switch', { argv: ['bridge', '-json', 'mdb', 'show'] }));
    const groups: readonly { readonly grp: string; readonly port: string }[] = shown.mdb;
    return groups.flatMap(({ grp, port }) => (grp === group ? [port] : []));
  };

  it('are at that MAC', async () => {
    for (const eip of [local.v4, local.v6])
      await eventually(eip, async () => (await learned(eip)) === virtualMac);
    expect(await standbyFilters('gateway')).to.equal(0);
    expect(await standbyFilters('gateway2')).to.equal(2);
    for (const part of ['gateway', 'gateway2'] as const)
      for (const eip of [local.v4, local.v6]) expect(await proxies(part)).to.include(eip);
  });

  it('are in the hands of one gateway: the other says nothing of ICMPv6 from that MAC', async () => {
    const question = `icmpv6 type nd-neighbor-solicit ${targetIs(local.v6)}`;
    const asked = await countPackets(two.net, 'gateway2', {
      family: 'ip6',
      hook: 'filter hook prerouting priority -400',
      rules: { questions: `iifname "vrrp.51" ${question}` },
    });
    const tried = await countPackets(two.net, 'gateway2', {
      family: 'inet',
      hook: 'filter hook output priority -2',
      rules: { reports: 'oifname "vrrp.51" icmpv6 type { mld-listener-report, mld2-listener-report }' },
    });
    const seen = await countPackets(two.net, 'switch', {
      family: 'netdev',
      hook: 'filter hook ingress devices = { gateway-up, gateway2-up } priority 0',
      rules: Object.fromEntries(
        (['gateway', 'gateway2'] as const).map((part) => [
          part,
          `iifname "${part}-up" ether saddr ${virtualMac} meta l4proto ipv6-icmp`,
        ]),
      ),
    });
    await two.net.outcome('upstream', { argv: ['ndisc6', '-n', '-r', '1', '-w', '200', local.v6, 'eth1'] });
    await eventually('the standby is asked', async () => ((await asked())['questions'] ?? 0) > 0);
    await eventually('the active answers', async () => ((await seen())['gateway'] ?? 0) > 0);
    // The switch begins to ask for groups, and to send a solicitation only where its group is.
    const snooping = 'mcast_startup_query_interval 100 mcast_query_response_interval 100';
    await two.ip(
      'switch',
      `link set uplink type bridge mcast_snooping 1 ${snooping} mcast_query_interval 360000 mcast_querier 1`,
    );
    await eventually('the standby would report', async () => ((await tried())['reports'] ?? 0) > 0);
    await eventually('the active has reported', async () => (await ports()).includes('gateway-up'));
    expect(await ports()).not.to.include('gateway2-up');
    expect((await seen())['gateway2']).to.equal(0);
  });

  it('keep it when the other gateway takes over, and are reached there', async () => {
    await vrrp.get('gateway')?.[Symbol.asyncDispose]();
    vrrp.delete('gateway');
    await eventually('gateway2 announces', async () => (await stateOf('gateway2')) === 'announced');
    await eventually('gateway2 answers', async () => (await standbyFilters('gateway2')) === 0);
    await some(100);
    for (const eip of [local.v4, local.v6]) {
      expect(await learned(eip)).to.equal(virtualMac);
      expect(await proxies('gateway2')).to.include(eip);
    }
    expect((await two.status('gateway2')).needs).to.deep.equal([]);
  });

  it('are found behind a switch that snoops, by a host that knew nothing', async () => {
    const answered = await countPackets(two.net, 'upstream', {
      family: 'ip6',
      hook: 'filter hook input priority 0',
      rules: {
        adverts: `ether saddr ${virtualMac} icmpv6 type nd-neighbor-advert @th,32,8 0x40 ${targetIs(local.v6)}`,
      },
    });
    // The switch asks again in an hour: it has heard of the group by the report of the takeover.
    await eventually('gateway2 has the group', async () => (await ports()).includes('gateway2-up'));
    await two.net.outcome('upstream', { argv: ['ndisc6', '-n', '-r', '1', '-w', '200', local.v6, 'eth1'] });
    await eventually('the question is answered', async () => ((await answered())['adverts'] ?? 0) > 0);
  });
});
