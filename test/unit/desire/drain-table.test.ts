import { expect } from 'chai';
import fc from 'fast-check';
import { drainTables, nextDraining, onwardOf } from '../../../src/desire/drain-table.ts';
import type { KnownGateway } from '../../../src/desire/node-table.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { NodeAgent } from '../../../src/model/node-agent.ts';
import type { Link } from '../../../src/model/object.ts';
import type { LeavingNodes } from '../../../src/model/publication.ts';
import { agent as sample } from '../../node-agent.ts';
import { eth0 } from '../../scene.ts';

const ips = (...texts: readonly string[]): readonly Ip[] => texts.map(parseIp);
const agent: NodeAgent = {
  ...sample,
  eips: ['198.51.100.0/24', '192.0.2.0/24', '2001:db8:e::/64'].map(parsePrefix),
  gateways: [],
};
const link = eth0('10.0.0.11/24', '2001:db8:10::11/64');
const gateway = (address: string, mac: string): KnownGateway => ({
  gateway: { address: parseIp(address), table: 101, mark: 0x00100000 },
  mac,
});
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
const known = [
  gateway('10.0.0.1', macs[0]),
  gateway('10.0.0.2', macs[1]),
  gateway('2001:db8:10::1', macs[0]),
];

function tables(draining: readonly Ip[] | undefined, at: Link = link, from = known, leaving?: LeavingNodes) {
  const own = new Set(at.addresses.map(({ ip }) => ip));
  const told = draining === undefined ? agent : { ...agent, draining };
  const whole = leaving === undefined ? told : { ...told, leaving };
  return drainTables(whole, at, own, from).map(({ family, name, content }) => ({
    name: `${family} ${name}`,
    lines: content.split('\n').map((line) => line.trim()),
  }));
}

describe('packets of connections that a node does not know', () => {
  it('go to a node that drains, when a gateway sent them', () => {
    const [four, six, ...others] = tables(ips('10.0.0.13', '2001:db8:10::13'));
    expect(others).to.deep.equal([]);
    const away = 'dup to 10.0.0.13 device "eth0" drop';
    expect(four).to.deep.equal({
      name: 'ip eiproute-drain4',
      lines: [
        'chain prerouting {',
        'type filter hook prerouting priority -149; policy accept;',
        `iifname "eth0" ether saddr { ${macs.join(', ')} } ip daddr { 198.51.100.0/24, 192.0.2.0/24 } jump unknown`,
        '}',
        'chain unknown {',
        `ct state new tcp flags & (fin | syn | rst) == 0 ${away}`,
        `ct state invalid tcp flags & (fin | rst) != 0 ${away}`,
        `ct state invalid icmp type { 3, 11, 12 } ${away}`,
        '}',
        '',
      ],
    });
    expect(six?.name).to.equal('ip6 eiproute-drain6');
    expect(six?.lines).to.include(
      `iifname "eth0" ether saddr { ${macs[0]} } ip6 daddr { 2001:db8:e::/64 } jump unknown`,
    );
    expect(six?.lines).to.include(
      'ct state invalid icmpv6 type { 1, 2, 3, 4 } dup to 2001:db8:10::13 device "eth0" drop',
    );
  });

  const cases: readonly (readonly [what: string, found: ReturnType<typeof tables>])[] = [
    ['nobody drains', tables([])],
    ['nobody tells', tables(undefined)],
    ['it is the last that drains', tables(ips('10.0.0.9', '10.0.0.11', '2001:db8:10::11'))],
    ['the node that drains is behind a router', tables(ips('10.9.9.13', '2001:db8:99::13'))],
    ['no gateway is known', tables(ips('10.0.0.13'), link, [])],
  ];
  for (const [what, found] of cases) {
    it(`stay when ${what}`, () => {
      expect(found).to.deep.equal([]);
    });
  }

  it('go on from a node that drains to the next, whoever sent them', () => {
    const [four, ...others] = tables(ips('10.0.0.9', '10.0.0.11', '10.0.0.100', '10.0.0.20'), link, []);
    expect(others).to.deep.equal([]);
    expect(four?.lines).to.include('iifname "eth0" ip daddr { 198.51.100.0/24, 192.0.2.0/24 } jump unknown');
    expect(four?.lines.join()).to.include('dup to 10.0.0.20 ').and.not.include('10.0.0.100');
  });

  const left = (of: Readonly<Record<string, string>>): LeavingNodes =>
    new Map(Object.entries(of).map(([eip, nodes]) => [parseIp(eip), ips(...nodes.split(' '))]));

  it('go to the node that leaves their EIP, and those of the other EIPs stay', () => {
    const leaving = left({ '198.51.100.10': '10.0.0.13', '2001:db8:e::10': '2001:db8:10::13' });
    const [four, six, ...others] = tables([], link, known, leaving);
    expect(others).to.deep.equal([]);
    const away = 'dup to ip daddr map @leaving device "eth0" drop';
    expect(four?.lines).to.deep.equal([
      'map leaving {',
      'type ipv4_addr : ipv4_addr',
      'elements = { 198.51.100.10 : 10.0.0.13 }',
      '}',
      'chain prerouting {',
      'type filter hook prerouting priority -149; policy accept;',
      `iifname "eth0" ether saddr { ${macs.join(', ')} } ip daddr { 198.51.100.10 } goto left`,
      '}',
      'chain left {',
      `ct state new tcp flags & (fin | syn | rst) == 0 ${away}`,
      `ct state invalid tcp flags & (fin | rst) != 0 ${away}`,
      `ct state invalid icmp type { 3, 11, 12 } ${away}`,
      '}',
      '',
    ]);
    expect(six?.lines.join()).to.include('{ 2001:db8:e::10 : 2001:db8:10::13 }');
  });

  it('go by way of the nodes that drain and those that leave their EIP, in the order of the addresses', () => {
    const leaving = left({
      '198.51.100.10': '10.0.0.12',
      '198.51.100.11': '10.0.0.11 10.0.0.12',
      '198.51.100.12': '10.0.0.11',
      '203.0.113.1': '10.0.0.12',
      '198.51.100.13': '10.9.9.9',
    });
    const [four] = tables(ips('10.0.0.10'), link, known, leaving);
    // .12 is kept: this node leaves it, and nobody is asked after it.
    expect(four?.lines.slice(0, 10)).to.deep.equal([
      'map leaving {',
      'type ipv4_addr : ipv4_addr',
      'elements = { 198.51.100.11 : 10.0.0.12, 198.51.100.10 : 10.0.0.10 }',
      '}',
      'chain prerouting {',
      'type filter hook prerouting priority -149; policy accept;',
      'iifname "eth0" ip daddr { 198.51.100.11 } goto left',
      `iifname "eth0" ether saddr { ${macs.join(', ')} } ip daddr { 198.51.100.10 } goto left`,
      'iifname "eth0" ip daddr { 198.51.100.12 } accept',
      `iifname "eth0" ether saddr { ${macs.join(', ')} } ip daddr { 198.51.100.0/24, 192.0.2.0/24 } jump unknown`,
    ]);
  });

  const nodes = Array.from({ length: 8 }, (_, i) => parseIp(`10.0.0.${7 + i}`));
  const anyDrains = fc.subarray(nodes as Ip[]);
  const self = (ip: Ip): ReadonlySet<Ip> => new Set([ip]);

  it('reach every node that drains, once each, where all know of the same drains', () => {
    fc.assert(
      fc.property(anyDrains, fc.constantFrom(...nodes), (draining, first) => {
        const visited = [first];
        for (;;) {
          const next = nextDraining(draining, self(visited.at(-1) ?? first), 4);
          if (next === undefined) break;
          visited.push(next);
          expect(visited.length).to.be.at.most(nodes.length + 1);
        }
        const after = draining.includes(first)
          ? draining.slice(draining.indexOf(first))
          : [first, ...draining];
        expect(visited).to.deep.equal(after);
      }),
    );
  });

  it('go on from a node of an EIP that others leave as the draining nodes and these together say', () => {
    fc.assert(
      fc.property(anyDrains, anyDrains, anyDrains, (draining, leaving, own) => {
        const all = [...new Set([...draining, ...leaving])];
        const mine = new Set(own);
        expect(onwardOf(draining.toReversed(), mine, 4)(leaving.toReversed())).to.deep.equal({
          to: nextDraining(all, mine, 4),
          isAsked: all.some((ip) => mine.has(ip)),
        });
      }),
    );
  });

  /** Where the table of a node sends an unknown packet for an EIP; undefined: nowhere. */
  function sentOn(lines: readonly string[], eip: Ip, isFromGateway: boolean): Ip | undefined {
    const rule = lines.find((line) => {
      const [, set = ''] = /ip daddr \{ ([^}]*) \}/.exec(line) ?? [];
      const isFor = set
        .split(', ')
        .some((one) => (one.includes('/') ? one === '198.51.100.0/24' : one === eip));
      // The rule asks for the MAC of a gateway, which another node has not.
      return isFor && (isFromGateway || !line.includes('ether saddr'));
    });
    const [, verdict] = / (accept|goto left|jump unknown)$/.exec(rule ?? '') ?? [];
    if (verdict === undefined || verdict === 'accept') return undefined;
    const text = lines.join();
    const [, to = ''] =
      verdict === 'goto left'
        ? (new RegExp(`[{,] ${eip.replaceAll('.', '[.]')} : ([0-9.]+)`).exec(text) ?? [])
        : (/dup to ([0-9.]+) /.exec(text) ?? []);
    return parseIp(to);
  }

  const eip = parseIp('198.51.100.10');
  const anyView = fc.record({ draining: anyDrains, leaving: anyDrains });
  const viewed = ({ draining, leaving }: { draining: readonly Ip[]; leaving: readonly Ip[] }, at: Ip) =>
    tables(draining, eth0(`${at}/24`), known, new Map(leaving.length === 0 ? [] : [[eip, leaving]]))[0]
      ?.lines ?? [];

  it('reach every node that drains or leaves their EIP, once each, where all know of the same', () => {
    fc.assert(
      fc.property(anyView, fc.constantFrom(...nodes), (view, first) => {
        const asked = nodes.filter((ip) => view.draining.includes(ip) || view.leaving.includes(ip));
        const visited = [first];
        for (;;) {
          const next = sentOn(viewed(view, visited.at(-1) ?? first), eip, visited.length === 1);
          if (next === undefined) break;
          visited.push(next);
          expect(visited.length).to.be.at.most(nodes.length + 1);
        }
        expect(visited).to.deep.equal(
          asked.includes(first) ? asked.slice(asked.indexOf(first)) : [first, ...asked],
        );
      }),
    );
  });

  it('come to an end wherever each node knows of other drains', () => {
    const anyViews = fc.array(anyView, { minLength: nodes.length, maxLength: nodes.length });
    fc.assert(
      fc.property(anyViews, fc.constantFrom(...nodes), (views, first) => {
        let at = first;
        for (let hops = 0; ; hops += 1) {
          expect(hops).to.be.at.most(nodes.length);
          const view = views[nodes.indexOf(at)] ?? { draining: [], leaving: [] };
          const next = sentOn(viewed(view, at), eip, hops === 0);
          if (next === undefined) break;
          at = next;
        }
      }),
    );
  });
});
