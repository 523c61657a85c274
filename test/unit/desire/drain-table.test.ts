import { expect } from 'chai';
import fc from 'fast-check';
import { drainTables, nextDraining } from '../../../src/desire/drain-table.ts';
import type { KnownGateway } from '../../../src/desire/node-table.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { NodeAgent } from '../../../src/model/node-agent.ts';
import type { Link } from '../../../src/model/object.ts';
import { eth0 } from '../../scene.ts';

const ips = (...texts: readonly string[]): readonly Ip[] => texts.map(parseIp);
const agent: NodeAgent = {
  eips: ['198.51.100.0/24', '192.0.2.0/24', '2001:db8:e::/64'].map(parsePrefix),
  gateways: [],
  interface: 'eth0',
  localTable: 100,
  priorities: { marks: 1001, local: 1100, replies: 1101 },
  markMask: 0x00f00000,
  protocol: 86,
  literalLocal: false,
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

function tables(draining: readonly Ip[] | undefined, at: Link = link, from = known) {
  const own = new Set(at.addresses.map(({ ip }) => ip));
  const whole = draining === undefined ? agent : { ...agent, draining };
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

  it('come to an end wherever each node knows of other drains', () => {
    const anyViews = fc.array(anyDrains, { minLength: nodes.length, maxLength: nodes.length });
    fc.assert(
      fc.property(anyViews, fc.constantFrom(...nodes), (views, first) => {
        let at = first;
        let isFromGateway = true;
        for (let hops = 0; ; hops += 1) {
          expect(hops).to.be.at.most(nodes.length);
          const view = views[nodes.indexOf(at)] ?? [];
          const found = tables(view, eth0(`${at}/24`), known);
          const line = found[0]?.lines.find((each) => each.includes('jump'));
          // The rule asks for the MAC of a gateway, which another node has not.
          if (line === undefined || (line.includes('ether saddr') && !isFromGateway)) break;
          const [, to = ''] = /dup to (\S+)/.exec(found[0]?.lines.join() ?? '') ?? [];
          at = parseIp(to);
          isFromGateway = false;
        }
      }),
    );
  });
});
