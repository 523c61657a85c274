import { expect } from 'chai';
import type { GatewayConfig } from '../../../src/config/config.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { changedKeys, printYaml } from '../../../src/config/notation.ts';

const plain = 'lan: eth0\nuplink: eth1\npools: [{ name: public, addresses: [198.51.100.0/24] }]\n';

function read(text: string) {
  return readGatewayConfig(Buffer.from(text), { file: 'gw.yaml', env: {}, flags: [], cwd: '/etc' });
}

function loaded(text: string): GatewayConfig {
  const result = read(text);
  if (result.kind === 'refused') throw new Error(result.errors.map(problemLine).join('\n'));
  return result.config;
}

describe('the configuration of NAT', () => {
  it('is off unless asked for', () => {
    expect(loaded(plain).gateway).not.to.have.any.keys('mode', 'nat');
  });

  it('is on by one word, for all pools or for one', () => {
    const nat = { source: 'preserve', inside: [], affinity: 'address', seed: 1 };
    expect(loaded(`${plain}mode: nat\n`).gateway).to.deep.include({ mode: 'nat', nat });
    const { gateway } = loaded(plain.replace('] }]', '], mode: nat }]'));
    expect(gateway).to.deep.include({ nat }).and.to.not.have.property('mode');
    expect(gateway.pools.map(({ mode }) => mode)).to.deep.equal(['nat']);
  });

  it('takes every key, and reads back what it prints', () => {
    const all = `${plain}mode: nat
nat: { source: [10.0.0.100, 2001:db8:10::100], affinity: connection, seed: 7 }
`;
    const { gateway } = loaded(all);
    expect(gateway.nat).to.deep.equal({
      source: ['10.0.0.100', '2001:db8:10::100'],
      inside: [],
      affinity: 'connection',
      seed: 7,
    });
    for (const text of [all, `${plain}mode: nat\nnat: { inside: [10.244.0.0/16, 2001:db8:244::/48] }\n`]) {
      const config = loaded(text);
      expect(changedKeys(config, loaded(printYaml(config)))).to.deep.equal([]);
    }
  });

  it('has the seed of the routes where it has none of its own', () => {
    expect(loaded(`${plain}mode: nat\nhashSeed: 7361\n`).gateway.nat?.seed).to.equal(7361);
    expect(loaded(`${plain}mode: nat\nhashSeed: 7361\nnat: { seed: 5 }\n`).gateway.nat?.seed).to.equal(5);
  });

  const refused: readonly (readonly [text: string, line: string])[] = [
    [`${plain}mode: NAT\n`, 'gw.yaml:4:7 mode: must be routed or nat, not "NAT"'],
    [
      plain.replace('] }]', '], mode: bridge }]'),
      'gw.yaml:3:61 pools[0].mode: must be routed or nat, not "bridge"',
    ],
    [
      `${plain}mode: nat\nnat: { source: perserve }\n`,
      'gw.yaml:5:16 nat.source: must be preserve, masquerade or an address of the LAN: "perserve" is not an IP address',
    ],
    [
      `${plain}mode: nat\nnat: { source: [10.0.0.1, 10.0.0.2] }\n`,
      'gw.yaml:5:16 nat.source: 10.0.0.1 and 10.0.0.2 are both IPv4; there is one address per family',
    ],
    [
      `${plain}mode: nat\nnat: { source: 198.51.100.7 }\n`,
      'gw.yaml:5:16 nat.source: 198.51.100.7 is inside pool "public"; it must not be an EIP',
    ],
    [
      `${plain}mode: nat\nnat: { source: masquerade, inside: 10.244.0.0/16 }\n`,
      'gw.yaml:5:36 nat.inside: does nothing where nat.source changes the address of every client',
    ],
    [
      `${plain}mode: nat\nnat: { seed: 0 }\n`,
      'gw.yaml:5:14 nat.seed: must be a whole number from 1 to 4294967295, not 0',
    ],
    [
      `${plain}mode: nat\nnat: { afinity: address }\n`,
      'gw.yaml:5:8 nat.afinity: unknown key (did you mean "affinity"?)',
    ],
  ];
  for (const [text, line] of refused) {
    it(`refuses ${line}`, () => {
      const result = read(text);
      expect(result.kind === 'refused' ? result.errors.map(problemLine) : result.kind).to.deep.equal([line]);
    });
  }

  it('warns of what does nothing, and of nodes that cannot reach EIPs', () => {
    const warnings = (text: string) => {
      const result = read(text);
      return result.kind === 'refused' ? result.errors.map(problemLine) : result.warnings.map(problemLine);
    };
    expect(warnings(`${plain}nat: { source: masquerade }\n`)).to.deep.equal([
      'gw.yaml:4:16 nat.source: does nothing without mode: nat, here or in a pool',
    ]);
    const one = plain.replace('eth1', 'eth0');
    expect(warnings(`${one}mode: nat\n`).join()).to.include(
      'nat.inside: is not set, and lan and uplink are one interface (eth0)',
    );
    expect(warnings(`${one}mode: nat\nnat: { inside: 10.0.0.0/24 }\n`)).to.have.length(1);
  });
});
