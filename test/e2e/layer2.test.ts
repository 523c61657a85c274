import { expect } from 'chai';
import type { Load } from '../../lab/load/load.ts';
import { gateway, pools } from '../../lab/network/map.ts';
import { inside } from '../../lab/process/namespace.ts';
import { LinuxSegment } from '../../src/kernel/linux-segment.ts';
import { late } from '../patience.ts';
import { countPackets, targetIs } from './packet-counts.ts';
import { needPrograms, needRoot } from './root.ts';
import { eventually } from './routing-daemons.ts';
import { local, type Part, parts, TwoGateways } from './two-gateways.ts';

const shared = '203.0.113.100';
const lines = `hashSeed: 7361\nactive: { address: ${shared} }`;

describe('EIPs that are on-link for their clients', () => {
  let two: TwoGateways;
  let load: Load;
  before(async function () {
    needRoot(this);
    needPrograms(this, 'ndisc6');
    two = await TwoGateways.lay({ lines: () => lines, layer2: 'all' });
    // The router is a host on the segment of the EIPs: it asks for each by ARP or NDP.
    for (const pool of pools) await two.ip('upstream', `route add ${pool} dev eth1`);
    await two.ip('gateway', `address add ${shared}/24 dev eth1`);
    await answers('gateway');
    load = two.load(local.v4, local.v6);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const macOf = async (part: string): Promise<string> =>
    JSON.parse(await two.ip(part, '-json link show eth1'))[0].address;
  const isFiltered = async (part: Part): Promise<boolean> =>
    /eiproute-standby4-86[\s\S]*eiproute-standby6-86/.test(
      await two.net.run(part, { argv: ['nft', 'list', 'tables'] }),
    );
  /** The proxy neighbours of a gateway that are answered for. */
  const proxies = async (part: Part): Promise<string> =>
    (await isFiltered(part)) ? '' : await standing(part);
  const standing = async (part: Part): Promise<string> =>
    (await Promise.all(['-4', '-6'].map((family) => two.ip(part, `${family} neigh show proxy dev eth1`))))
      .join('')
      .split('\n')
      .flatMap((line) => line.split(' ')[0] || [])
      .join(' ');
  const answers = (part: Part): Promise<void> =>
    eventually(`${part} answers`, async () => (await proxies(part)) === `${local.v4} ${local.v6}`);
  const falls = (part: Part): Promise<void> =>
    eventually(`${part} has no proxies`, async () => (await proxies(part)) === '');
  /** Where a host of the segment has learned that the EIPs are. */
  const learned = async (): Promise<readonly string[]> => {
    const shown = await Promise.all(
      [local.v4, local.v6].map((eip) => two.ip('upstream', `neigh show ${eip} dev eth1`)),
    );
    return shown.map((line) => /lladdr (\S+)/.exec(line)?.[1] ?? line.trim());
  };
  const leadsTo = async (part: Part): Promise<void> => {
    const mac = await macOf(part);
    await eventually(`hosts know ${part}`, async () => (await learned()).every((one) => one === mac));
  };
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  const needs = async (part: Part): Promise<readonly string[]> => {
    const { needs: all } = await two.status(part);
    return all.map((need) => JSON.stringify(need));
  };

  it('are found by ARP and NDP at the active gateway, and reached', async () => {
    await some(40);
    await leadsTo('gateway');
    await eventually(
      'the standby is ready',
      async () => (await standing('gateway2')) === `${local.v4} ${local.v6}`,
    );
    expect(await isFiltered('gateway2')).to.equal(true);
    const { announce } = await two.status('gateway');
    expect(announce).to.deep.equal({
      segment: 'eth1',
      claimed: 0,
      claims: 0,
      ipv4: { state: 'announced', eips: 1 },
      ipv6: { state: 'announced', eips: 1 },
    });
    expect((await two.status('gateway2')).announce?.ipv4?.state).to.equal('standby');
    for (const part of parts) expect(await needs(part), part).to.deep.equal([]);
  });

  it('are answered for by one gateway, as RFC 4861 wants it of a proxy', async () => {
    const solicited = '@th,32,8 0x40';
    const advert = `icmpv6 type nd-neighbor-advert ${targetIs(local.v6)}`;
    const [active, standby] = [await macOf('gateway'), await macOf('gateway2')];
    const asked = await countPackets(two.net, 'gateway2', {
      family: 'ip6',
      hook: 'filter hook prerouting priority -400',
      rules: { questions: `icmpv6 type nd-neighbor-solicit ${targetIs(local.v6)}` },
    });
    const heard = await countPackets(two.net, 'upstream', {
      family: 'ip6',
      hook: 'filter hook input priority 0',
      rules: {
        // Solicited, no router, and without override: a host that has the address itself would win.
        active: `ether saddr ${active} ${solicited} ${advert}`,
        standby: `ether saddr ${standby} ${advert}`,
        // What tells all hosts of an EIP that is new is no answer.
        either: `@th,33,1 1 ${advert}`,
      },
    });
    const ask = (of: string) =>
      two.net.outcome('upstream', { argv: ['ndisc6', '-n', '-m', '-r', '1', '-w', '200', of, 'eth1'] });
    await eventually('one question is answered', async () => {
      const before = await heard();
      const told = await ask(local.v6);
      // ndisc6 1.0.5 takes no advertisement whose source is not its target: no proxy's.
      expect(told.out + told.err).to.include('No response');
      return ((await heard())['active'] ?? 0) > (before['active'] ?? 0);
    });
    expect((await asked())['questions']).to.be.greaterThan(0);
    const { active: ofActive, standby: ofStandby, either } = await heard();
    expect(ofStandby).to.equal(0);
    expect(either).to.equal(ofActive);
    const itself = await ask(gateway.uplink.v6);
    expect(itself.out.toLowerCase()).to.include(active);
  });

  it('are not answered for where nobody has them', async () => {
    const reached = await two.net.outcome('upstream', { argv: ['ping', '-c1', '-W1', '198.51.100.200'] });
    expect(reached.status).not.to.equal(0);
    const shown = await two.ip('upstream', 'neigh show 198.51.100.200 dev eth1');
    expect(shown).not.to.match(/lladdr/);
  });

  it('move to the other gateway with its address, and hosts learn it without a question', async () => {
    await two.ip('gateway', `address del ${shared}/24 dev eth1`);
    await falls('gateway');
    await two.ip('gateway2', `address add ${shared}/24 dev eth1`);
    await answers('gateway2');
    await leadsTo('gateway2');
    await some(40);
    for (const part of parts) expect(await needs(part), part).to.deep.equal([]);
  });

  it('are let go by a drain, and come back after it', async () => {
    const drained = await two.eiproute('gateway2', 'drain');
    expect(drained.out + drained.err).to.match(/^drained/);
    expect(await proxies('gateway2')).to.equal('');
    const undrained = await two.eiproute('gateway2', 'undrain');
    expect(undrained.out).to.equal('not drained any more: 2 entries announce EIPs\n');
    await answers('gateway2');
  });

  it('are let go when the LAN is lost', async () => {
    await two.ip('gateway2', 'link set eth0 down');
    await falls('gateway2');
    await two.ip('gateway2', 'link set eth0 up');
    await two.ip('gateway2', 'address replace 2001:db8:10::2/64 dev eth0 nodad');
    await answers('gateway2');
  });

  it('stay when a host claims one, which is told with its MAC, and the hosts are told again', async () => {
    const stranger = await macOf('other');
    await two.ip('other', `address add ${local.v4}/32 dev eth1`);
    await two.ip('other', `address add ${local.v6}/128 dev eth1 nodad`);
    // It asks for its neighbours, with the addresses that it has taken.
    await two.net.outcome('other', { argv: ['ping', '-c1', '-W1', '-I', local.v4, '203.0.113.77'] });
    await two.net.outcome('other', { argv: ['ping', '-6', '-c1', '-W1', '-I', local.v6, '2001:db8:1::77'] });
    await eventually(
      'the claims are told',
      async () => (await needs('gateway2')).filter((one) => one.includes(stranger)).length === 2,
    );
    const told = (await needs('gateway2')).join();
    for (const [eip, protocol] of [
      [local.v4, 'ARP'],
      [local.v6, 'NDP'],
    ])
      expect(told).to.include(
        `${eip} is claimed by ${stranger} on eth1 (${protocol}); this gateway answers for it too`,
      );
    expect(await proxies('gateway2')).to.equal(`${local.v4} ${local.v6}`);
    expect((await two.status('gateway2')).announce).to.deep.include({ claimed: 2 });
    const traced = await two.eiproute('gateway2', 'trace', local.v4);
    expect(traced.out).to.include(stranger);
    // What the advice names finds the host.
    expect(told).to.include(`ndisc6 ${local.v6} eth1`);
    const found = await two.net.outcome('gateway2', { argv: ['ndisc6', local.v6, 'eth1'] });
    expect(found.out.toLowerCase(), found.err).to.include(stranger);
  });

  it('are not answered for by a gateway that finds a host with one when it starts', async () => {
    await two.kill('gateway2');
    await two.ip('gateway2', `neigh del proxy ${local.v4} dev eth1`);
    await two.ip('gateway2', `neigh del proxy ${local.v6} dev eth1`);
    await using ear = new LinuxSegment();
    const { ifindex } = JSON.parse(await two.ip('other', '-json link show eth1'))[0];
    inside(two.net.namespace('other'), () => ear.bind(ifindex));
    const end = new AbortController();
    const heard: string[] = [];
    const listening = (async () => {
      const own = await macOf('gateway2');
      for await (const all of ear.heard(end.signal))
        for (const { kind, ip, mac } of all) if (mac === own) heard.push(`${kind} ${ip}`);
    })();
    await two.start('gateway2');
    await two.synced('gateway2');
    await eventually(
      'both are found',
      async () =>
        (await needs('gateway2')).filter((one) => one.includes('this gateway does not answer for it'))
          .length === 2,
    );
    end.abort();
    await listening;
    expect(await proxies('gateway2')).to.equal('');
    for (const eip of [local.v4, local.v6]) {
      expect(heard, heard.join(', ')).to.include(`probe ${eip}`);
      expect(heard).not.to.include(`claim ${eip}`);
    }
    await two.ip('other', `address del ${local.v4}/32 dev eth1`);
    await two.ip('other', `address del ${local.v6}/128 dev eth1`);
  });

  it('are left in the kernel by a daemon that is killed, and kept by the next', async () => {
    await two.kill('gateway2');
    await two.start('gateway2');
    await two.synced('gateway2');
    await eventually(
      'both are answered for',
      async () => (await proxies('gateway2')) === `${local.v4} ${local.v6}`,
    );
  });
});
