import { expect } from 'chai';
import { nodeObjects } from '../../../src/desire/node.ts';
import { nodeProblems } from '../../../src/desire/node-problems.ts';
import { family, type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { describe as words } from '../../../src/model/iproute.ts';
import type { Listing, Neighbour } from '../../../src/model/listing.ts';
import { inet, nftTable } from '../../../src/model/nft.ts';
import type { NodeAgent } from '../../../src/model/node-agent.ts';
import type { KernelObject, Link } from '../../../src/model/object.ts';
import { agent as sample } from '../../node-agent.ts';
import { listing } from '../../scene.ts';

const agent: NodeAgent = {
  ...sample,
  eips: [parsePrefix('198.51.100.0/24'), parsePrefix('2001:db8:e::/64')],
  gateways: [
    { address: parseIp('10.0.0.1'), table: 101, mark: 0x00100000 },
    { address: parseIp('10.0.0.2'), table: 102, mark: 0x00200000 },
    { address: parseIp('2001:db8:10::1'), table: 101, mark: 0x00100000 },
  ],
};
const lo = link(1, 'lo', '127.0.0.1/8', '::1/128');
const eth0 = link(2, 'eth0', '10.0.0.11/24', '2001:db8:10::11/64');
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
const neighbours: readonly Neighbour[] = [
  { ip: parseIp('10.0.0.1'), link: 2, mac: macs[0] },
  { ip: parseIp('10.0.0.2'), link: 2, mac: macs[1] },
  { ip: parseIp('2001:db8:10::1'), link: 2, mac: macs[0] },
];
/** Ours stands already: only then the rules for EIPs are wanted. */
const guard = nftTable(inet('eiproute'), 86, '');

function link(index: number, name: string, ...addresses: readonly string[]): Link {
  const own = addresses.map((text) => {
    const [ip = '', length = ''] = text.split('/');
    return { ip: parseIp(ip), length: Number(length) };
  });
  return { index, name, up: true, carrier: true, addresses: own };
}

function have(rest: Partial<Listing> = {}, objects: readonly KernelObject[] = [guard]): Listing {
  return { ...listing(objects, { links: [lo, eth0] }), neighbours, ...rest };
}

function wanted(of: NodeAgent = agent, at: Listing = have(), seen: ReadonlyMap<Ip, string> = new Map()) {
  const { objects, problems, unfinished } = nodeObjects(of, at, seen);
  const names = (index: number): string => at.links.find((one) => one.index === index)?.name ?? '?';
  const lines = objects
    .filter(({ object }) => object.kind !== 'nft')
    .map(({ object }) => `${object.kind} ${words(object, names)}`);
  const table = objects.map(({ object }) => object).find(({ kind }) => kind === 'nft');
  return { lines, problems, unfinished, table: table?.kind === 'nft' ? table.content : '' };
}

describe('what a node wants', () => {
  it('is the block that was seen to work', () => {
    expect(wanted().lines).to.deep.equal([
      'route local 198.51.100.0/24 dev lo table 100 proto 86 src 10.0.0.11',
      'route default via 10.0.0.1 dev eth0 table 101 proto 86',
      'route default via 10.0.0.2 dev eth0 table 102 proto 86',
      'rule pref 1001 fwmark 0x100000/0xf00000 lookup 101 protocol 86',
      'rule pref 1002 fwmark 0x200000/0xf00000 lookup 102 protocol 86',
      'rule pref 1100 to 198.51.100.0/24 lookup 100 protocol 86',
      'rule pref 1101 from 198.51.100.0/24 lookup 101 protocol 86',
      'route local 2001:db8:e::/64 dev lo table 100 proto 86 metric 1024',
      'route default via 2001:db8:10::1 dev eth0 table 101 proto 86 metric 1024',
      'rule pref 1001 fwmark 0x100000/0xf00000 lookup 101 protocol 86',
      'rule pref 1100 to 2001:db8:e::/64 fwmark 0xf00000/0xf00000 lookup 100 protocol 86',
      'rule pref 1101 to 2001:db8:e::/64 lookup 101 protocol 86',
      'rule pref 1101 from 2001:db8:e::/64 lookup 101 protocol 86',
    ]);
  });

  it('leads no EIP to the node before its nft table is there', () => {
    const { lines, unfinished } = wanted(agent, have({}, []));
    expect(unfinished).to.equal(true);
    expect(lines.filter((line) => / (to|from) /.test(line))).to.deep.equal([]);
    expect(wanted().unfinished).to.equal(false);
  });

  it('has a line per gateway and family that is known', () => {
    const { table } = wanted();
    const arrivals = table.split('\n').filter((line) => line.includes('ether saddr'));
    expect(arrivals.map((line) => line.trim())).to.deep.equal([
      `iifname "eth0" ether saddr ${macs[0]} ct direction original ct mark set ct mark & 0xff0fffff | 0x00100000`,
      `iifname "eth0" ether saddr ${macs[1]} ct direction original ct mark set ct mark & 0xff0fffff | 0x00200000`,
      `iifname "eth0" ether saddr ${macs[0]} ct direction original ct mark set ct mark & 0xff0fffff | 0x00100000`,
    ]);
  });

  it('has a rule for each network, and no set: lookups of one miss while the table is replaced', () => {
    const { table } = wanted({ ...agent, eips: [...agent.eips, parsePrefix('192.0.2.0/25')] });
    const jumps = table.split('\n').filter((line) => line.includes('jump'));
    expect(jumps.map((line) => line.trim())).to.deep.equal([
      'ip daddr 198.51.100.0/24 jump arrivals4',
      'ip daddr 192.0.2.0/25 jump arrivals4',
      'ip6 daddr 2001:db8:e::/64 jump arrivals6',
      'ip daddr 198.51.100.0/24 jump guard4',
      'ip daddr 192.0.2.0/25 jump guard4',
      'ip6 daddr 2001:db8:e::/64 jump guard6',
    ]);
    expect(table).to.not.match(/@|\bset \w+ \{|[^{]\{ /);
  });

  it('keeps the last known address of a gateway that is silent, and reports it', () => {
    const at = have({ neighbours: neighbours.slice(0, 1) });
    const seen = new Map(neighbours.map(({ ip, mac }) => [ip, mac]));
    const { table, problems } = wanted(agent, at, seen);
    expect(table).to.equal(wanted().table);
    expect(problems.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`)).to.deep.equal([
      'gateway-unresolved warn gateway 10.0.0.2',
      // No other one leads replies over IPv6.
      'gateway-unresolved error gateway 2001:db8:10::1',
    ]);
    expect(wanted(agent, at).table).to.not.include(macs[1]);
    const overIpv4 = { ...agent, eips: agent.eips.filter((network) => family(network) === 4) };
    expect(wanted(overIpv4, at, seen).problems.map(({ severity }) => severity)).to.deep.equal([
      'warn',
      'warn',
    ]);
  });

  it('gives an address that two gateways have had to the one that answers', () => {
    const at = have({ neighbours: [{ ip: parseIp('10.0.0.2'), link: 2, mac: macs[0] }] });
    const { table } = wanted(agent, at, new Map([[parseIp('10.0.0.1'), macs[0]]]));
    expect(table.split('\n').filter((line) => line.includes('ether saddr'))).to.have.length(1);
    expect(table).to.include(
      `${macs[0]} ct direction original ct mark set ct mark & 0xff0fffff | 0x00200000`,
    );
  });

  it('has local 0/0 when asked for, and leads the same there', () => {
    const { lines } = wanted({ ...agent, literalLocal: true });
    expect(lines).to.include('route local default dev lo table 100 proto 86 src 10.0.0.11');
    expect(lines).to.include('route local default dev lo table 100 proto 86 metric 1024');
    expect(lines.filter((line) => line.startsWith('rule'))).to.deep.equal(
      wanted().lines.filter((line) => line.startsWith('rule')),
    );
  });

  it('has nothing of a family that no EIP is of', () => {
    const four = { ...agent, eips: agent.eips.slice(0, 1) };
    const { lines, table } = wanted(four);
    expect(lines.join('\n')).to.not.include('2001:');
    expect(table).to.not.include('ip6');
  });

  it('stays as it is while its interface is away', () => {
    const all = nodeObjects(agent, have(), new Map()).objects.map(({ object }) => object);
    for (const links of [[lo], [lo, { ...eth0, up: false }]]) {
      const at = have({ links }, all);
      const { objects, problems } = nodeObjects(agent, at, new Map());
      expect(objects.map(({ object }) => object)).to.deep.equal(all);
      expect(problems[0]?.subject).to.equal('interface eth0');
    }
  });

  it('takes the address in the network of a gateway as the source, and never an EIP', () => {
    const many = link(2, 'eth0', '192.0.2.11/24', '198.51.100.7/32', '10.0.0.11/24', '2001:db8:10::11/64');
    expect(wanted(agent, have({ links: [lo, many] })).lines[0]).to.include('src 10.0.0.11');
    const few = link(2, 'eth0', '198.51.100.7/32', '192.0.2.11/24', '2001:db8:10::11/64');
    expect(wanted(agent, have({ links: [lo, few] })).lines[0]).to.include('src 192.0.2.11');
  });

  for (const [all, own, expected] of [
    ['0', '0', undefined],
    ['1', '0', '2'],
    ['0', '1', '2'],
    ['2', '1', undefined],
    ['1', '2', undefined],
  ] as const) {
    it(`loosens rp_filter only where it is strict: all=${all} eth0=${own}`, () => {
      const sysctls: readonly KernelObject[] = [
        { kind: 'sysctl', name: 'net/ipv4/conf/all/rp_filter', value: all },
        { kind: 'sysctl', name: 'net/ipv4/conf/eth0/rp_filter', value: own },
      ];
      const { lines } = wanted(agent, have({}, [guard, ...sysctls]));
      const filters = lines.filter((line) => line.startsWith('sysctl'));
      expect(filters).to.deep.equal(
        expected === undefined ? [] : [`sysctl net.ipv4.conf.eth0.rp_filter = ${expected}`],
      );
    });
  }
});

describe('what is wrong between a node and its configuration', () => {
  const codes = (of: NodeAgent, links: readonly Link[]): readonly string[] =>
    nodeProblems(of, links).map(({ code }) => code);

  it('is nothing when all fits', () => {
    expect(codes(agent, [lo, eth0])).to.deep.equal([]);
  });

  it('is its own address as a gateway, which is left out', () => {
    const self = link(3, 'eth1', '10.0.0.2/24');
    expect(codes(agent, [lo, eth0, self])).to.deep.equal(['gateway-is-self']);
    expect(wanted(agent, have({ links: [lo, eth0, self] })).lines.join('\n')).to.not.include('10.0.0.2');
  });

  it('is a network of its own among the EIPs', () => {
    expect(codes(agent, [lo, eth0, link(3, 'eth1', '198.51.100.9/28')])).to.deep.equal([
      'eips-overlap-network',
    ]);
    expect(codes(agent, [lo, eth0, link(3, 'eth1', '198.51.0.9/16')])).to.deep.equal([
      'eips-overlap-network',
    ]);
    // IPVS has every Service's address on an interface of its own.
    expect(codes(agent, [lo, eth0, link(3, 'kube-ipvs0', '198.51.100.9/32')])).to.deep.equal([]);
  });

  it('is an interface without an address of a family that EIPs have', () => {
    expect(codes(agent, [lo, link(2, 'eth0', '10.0.0.11/24')])).to.deep.equal(['no-ipv6-address']);
  });
});
