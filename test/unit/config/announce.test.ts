import { expect } from 'chai';
import type { GatewayConfig } from '../../../src/config/config.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { printYaml } from '../../../src/config/notation.ts';

function read(text: string) {
  const file = `lan: eth0\nuplink: eth1\n${text}`;
  return readGatewayConfig(Buffer.from(file), { file: 'gw.yaml', env: {}, flags: [], cwd: '/work' });
}

function loaded(text: string): GatewayConfig {
  const result = read(text);
  if (result.kind === 'loaded') return result.config;
  throw new Error(result.errors.map(problemLine).join('\n'));
}

function told(text: string): readonly string[] {
  const result = read(text);
  return (result.kind === 'refused' ? result.errors : result.warnings).map(problemLine);
}

const plain = 'pools: [ { name: public, addresses: [198.51.100.0/24, "2001:db8:e::/64"] } ]\n';
const full = `pools:
  - name: public
    addresses: [198.51.100.0/24, "2001:db8:e::/64"]
    aggregate: { ipv4: 24, ipv6: 64 }
    communities: ["65001:100", "65001:200"]
hashSeed: 7361
announce: { table: 87 }
active: { address: [203.0.113.100, "2001:db8:113::100"] }
`;

const layer2 = 'pools: [ { name: public, addresses: [198.51.100.0/24], announce: layer2 } ]\n';

describe('the configuration of announcements', () => {
  it('is off unless asked for', () => {
    expect(loaded(plain).gateway).not.to.have.any.keys('announce', 'hashSeed');
    expect(loaded(plain).gateway.pools[0]).to.have.all.keys('name', 'addresses');
  });

  it('is on by one word', () => {
    expect(loaded(`${plain}announce: true`).gateway.announce).to.deep.equal({ table: 86, active: [] });
  });

  it('takes every key, and is written as it is read', () => {
    const { gateway } = loaded(full);
    expect(gateway.announce).to.deep.equal({ table: 87, active: ['203.0.113.100', '2001:db8:113::100'] });
    expect(gateway.hashSeed).to.equal(7361);
    const [pool] = gateway.pools;
    expect(pool?.aggregate).to.deep.equal({ 4: 24, 6: 64 });
    expect(pool?.communities).to.deep.equal(['65001:100', '65001:200']);
    const again = read(printYaml(loaded(full)).replace(/^(lan|uplink): .*\n/gm, ''));
    expect(again.kind === 'loaded' && again.config).to.deep.equal(loaded(full));
  });

  it('answers ARP and NDP on the uplink, and tells routing daemons nothing, for a pool with announce: layer2', () => {
    const { gateway } = loaded(layer2);
    expect(gateway.announce).to.deep.equal({ table: undefined, segment: 'eth1', active: [] });
    expect(gateway.pools[0]?.announce).to.equal('layer2');
  });

  it('has pools of every way beside each other, and writes them as they are read', () => {
    const text = `pools:
  - { name: a, addresses: [198.51.100.0/24], announce: layer2 }
  - { name: b, addresses: [192.0.2.0/25] }
  - { name: c, addresses: [192.0.2.128/25], announce: none }
hashSeed: 7361
announce: true
layer2: { interface: vrrp.51 }
active: { address: 203.0.113.100 }
`;
    const { gateway } = loaded(text);
    expect(gateway.announce).to.deep.equal({ table: 86, segment: 'vrrp.51', active: ['203.0.113.100'] });
    expect(gateway.pools.map(({ announce }) => announce)).to.deep.equal(['layer2', undefined, 'none']);
    const again = read(printYaml(loaded(text)).replace(/^(lan|uplink): .*\n/gm, ''));
    expect(again.kind === 'loaded' && again.config).to.deep.equal(loaded(text));
  });

  const cases: readonly (readonly [text: string, told: string])[] = [
    [`${plain}announce: { table: 253 }`, 'announce.table: must be a whole number from 1 to 252, not 253'],
    [
      `${plain}table: 86\nannounce: true`,
      'announce.table: 86 is the table of the routes; announcements need another one',
    ],
    [
      `${plain}active: { address: 203.0.113.100 }\nhashSeed: 1`,
      'active.address: does nothing without announce: true, or a pool with announce: layer2',
    ],
    [
      `${plain}announce: true\nhashSeed: 1\nactive: { address: [203.0.113.1, 203.0.113.2] }`,
      'active.address: 203.0.113.1 and 203.0.113.2 are both IPv4; there is one address per family',
    ],
    [
      `${plain}announce: true\nhashSeed: 1\nactive: { address: 198.51.100.7 }`,
      'active.address: 198.51.100.7 is inside pool "public"; it must not be an EIP',
    ],
    [
      `${plain}announce: true\nactive: { address: 203.0.113.1 }`,
      'hashSeed: is not set: the other gateway picks other nodes for the same flows, and these break when it takes over; set one number on both',
    ],
    [
      layer2.replace('announce: layer2', 'announce: bgp'),
      'pools[0].announce: bgp does nothing without announce: true, the table that routing daemons read',
    ],
    [layer2.replace('layer2', 'arp'), 'pools[0].announce: must be bgp, layer2 or none, not "arp"'],
    [
      layer2.replace('layer2', 'true'),
      'pools[0].announce: must be bgp, layer2 or none, not true; put it in quotes',
    ],
    [
      `${layer2}layer2: { interface: eth0 }`,
      'layer2.interface: eth0 is lan: Linux answers no ARP for what it forwards to the interface that asks',
    ],
    [
      `${plain}layer2: { interface: eth2 }`,
      'layer2.interface: does nothing without a pool with announce: layer2',
    ],
    [
      layer2.replace('layer2', 'layer2, aggregate: { ipv4: 24 }'),
      'pools[0].aggregate: is told to routing daemons, and this pool has announce: layer2',
    ],
    [`${plain}hashSeed: 0`, 'hashSeed: must be a whole number from 1 to 4294967295, not 0'],
    [
      'pools: [ { name: p, addresses: [198.51.100.7-198.51.100.9], aggregate: { ipv4: 24 } } ]',
      'pools[0].aggregate.ipv4: /24 holds more than 198.51.100.7/32: the traffic of addresses outside of the pool would come here; write the pool as networks of /24 or larger',
    ],
    [
      'pools: [ { name: p, addresses: [198.51.100.0/24], aggregate: { ipv6: 64 } } ]',
      'pools[0].aggregate.ipv6: the pool has no IPv6 addresses',
    ],
    [
      'pools: [ { name: p, addresses: [198.51.100.0/24], aggregate: 24 } ]',
      'pools[0].aggregate: must be lengths like { ipv4: 24, ipv6: 64 }, not a number',
    ],
    [
      'pools: [ { name: p, addresses: [198.51.100.0/24], aggregate: { ipv5: 24 } } ]',
      'pools[0].aggregate.ipv5: unknown key (did you mean "ipv4"?)',
    ],
    [
      'pools: [ { name: p, addresses: [198.51.100.0/24], communities: ["65536:1"] } ]',
      'pools[0].communities[0]: must be a text of two numbers up to 65535, like "65001:100", not "65536:1"',
    ],
    [
      'pools: [ { name: p, addresses: [198.51.100.0/24], communities: ["1:1); reject; #"] } ]',
      'pools[0].communities[0]: must be a text of two numbers up to 65535, like "65001:100", not "1:1); reject; #"',
    ],
  ];
  for (const [text, want] of cases)
    it(`says ${want}`, () => {
      expect(told(text).map((line) => line.replace(/^gw\.yaml:\d+:\d+ /, ''))).to.deep.equal([want]);
    });
});
