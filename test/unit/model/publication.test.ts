import { expect } from 'chai';
import fc from 'fast-check';
import { hostPrefix, isWithin, networkOf, type Prefix, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { mostNetworks } from '../../../src/model/node-agent.ts';
import {
  allLeaving,
  type Publication,
  publicationText,
  readPublication,
  readTold,
  type ToldAgent,
  toldText,
  unionOf,
} from '../../../src/model/publication.ts';

const publication: Publication = {
  id: 'gw1_1',
  pools: [{ name: 'public', networks: [parsePrefix('198.51.100.0/24'), parsePrefix('2001:db8:e::/64')] }],
  lan: [parseIp('10.0.0.1'), parseIp('2001:db8:10::1')],
  state: 'active',
  draining: [parseIp('10.0.0.13'), parseIp('2001:db8:10::13')],
  leaving: new Map([[parseIp('198.51.100.10'), [parseIp('10.0.0.11'), parseIp('10.0.0.12')]]]),
};
const told: ToldAgent = {
  eips: [parsePrefix('198.51.100.0/24')],
  gateways: [parseIp('10.0.0.1')],
  eipsAt: '/etc/eiproute/node.yaml:2',
  gatewaysAt: undefined,
};

/** The network of an address and a length. */
function host(text: string): Prefix {
  const [ip = '', length] = text.split('/');
  return networkOf(parseIp(ip), Number(length));
}

describe('what a gateway publishes', () => {
  it('may have a gateway by its link-local address', () => {
    const text = publicationText(publication).replace('2001:db8:10::1', 'fe80::1');
    expect(readPublication(text).lan).to.deep.equal(['10.0.0.1', 'fe80::1']);
  });

  it('is read as it was written', () => {
    expect(readPublication(publicationText(publication))).to.deep.equal(publication);
  });

  it('names no draining nodes when there are none, as older gateways do, and is read without', () => {
    const text = publicationText({ ...publication, draining: [] });
    expect(text).to.not.include('draining');
    expect(readPublication(text).draining).to.deep.equal([]);
    const wrong = publicationText(publication).replace('["10.0.0.13","2001:db8:10::13"]', '["node3"]');
    expect(() => readPublication(wrong)).to.throw(RangeError, 'node3');
  });

  it('names no nodes that leave EIPs when there are none, as older gateways do, and is read without', () => {
    const text = publicationText({ ...publication, leaving: new Map() });
    expect(text).to.not.include('leaving');
    expect(readPublication(text).leaving).to.deep.equal(new Map());
    for (const wrong of [
      '{"leaving":[]',
      '{"leaving":{"198.51.100.10":7}',
      '{"leaving":{"web":["10.0.0.11"]}',
    ])
      expect(() => readPublication(text.replace('{', `${wrong},`)), wrong).to.throw(RangeError);
  });

  it('is joined to the nodes that leave each EIP, by any of the gateways', () => {
    const one = readPublication(publicationText(publication)).leaving;
    const other = new Map([
      [parseIp('198.51.100.10'), [parseIp('10.0.0.9'), parseIp('10.0.0.12')]],
      [parseIp('192.0.2.10'), [parseIp('10.0.0.12')]],
    ]);
    expect([...allLeaving([one, other])]).to.deep.equal([
      ['192.0.2.10', ['10.0.0.12']],
      ['198.51.100.10', ['10.0.0.9', '10.0.0.11', '10.0.0.12']],
    ]);
  });

  const wrong: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ['no JSON', 'gone', /it is no JSON/],
    ['no object', '7', /it is no object of JSON/],
    ['a newer version', publicationText(publication).replace('1', '2'), /version 2, and not of version 1/],
    ['a word that is no state', publicationText(publication).replace('active', 'idle'), /no state/],
    ['no network', publicationText(publication).replace('198.51.100.0/24', 'web'), /web/],
    [
      'a pool without networks',
      publicationText(publication).replace('networks', 'nets'),
      /no name or networks/,
    ],
    [
      'two addresses of a family',
      publicationText(publication).replace('2001:db8:10::1', '10.0.0.2'),
      /both IPv4/,
    ],
    ...[
      ['loopback', '127.0.0.0/8'],
      ['link-local', '169.254.169.254/32'],
      ['multicast', '224.0.0.0/4'],
      ['multicast', 'ff02::/16'],
      ['"this network"', '0.0.0.0/0'],
      ['the unspecified address', '::/0'],
    ].map(
      ([use = '', network = '']) =>
        [
          `a network that holds ${use}: ${network}`,
          publicationText(publication).replace('198.51.100.0/24', network),
          RegExp(`^${network} of pool public holds addresses that no EIP can have \\(${use}\\)$`),
        ] as const,
    ),
    ...['0.0.0.0', '127.0.0.1', '224.0.0.5', '255.255.255.255'].map(
      (address) =>
        [
          `a gateway that nobody can have: ${address}`,
          publicationText(publication).replace('10.0.0.1"', `${address}"`),
          RegExp(`^${address} cannot be a gateway`),
        ] as const,
    ),
  ];
  for (const [what, text, says] of wrong) {
    it(`is refused with ${what}`, () => {
      expect(() => readPublication(text)).to.throw(RangeError, says);
    });
  }

  const host4 = (i: number) => parseIp(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  const hosts = (count: number) => Array.from({ length: count }, (_, i) => host4(i));
  const tooMany: readonly (readonly [what: string, most: number, of: (count: number) => object])[] = [
    [
      'networks',
      4000,
      (count) => ({ pools: [{ name: 'public', networks: hosts(count).map((ip) => `${ip}/32`) }] }),
    ],
    ['pools', 4000, (count) => ({ pools: hosts(count).map((ip) => ({ name: ip, networks: [] })) })],
    ['addresses of draining nodes', 10_000, (count) => ({ draining: hosts(count) })],
    ['pairs', 2048, (count) => ({ leaving: { '198.51.100.10': hosts(count) } })],
    ['pairs', 2048, (count) => ({ leaving: Object.fromEntries(hosts(count).map((ip) => [ip, []])) })],
    ['letters of its id', 253, (count) => ({ id: 'x'.repeat(count) })],
    [
      'letters of the name of a pool',
      253,
      (count) => ({ pools: [{ name: 'x'.repeat(count), networks: [] }] }),
    ],
  ];
  for (const [what, most, of] of tooMany) {
    it(`is read with ${most} ${what}, and refused with one more`, () => {
      const text = (count: number): string =>
        JSON.stringify({ ...JSON.parse(publicationText(publication)), ...of(count) });
      expect(readPublication(text(most)).state).to.equal('active');
      expect(() => readPublication(text(most + 1))).to.throw(
        RangeError,
        RegExp(`^it has ${most + 1} ${what}.*; ${most} are taken at most$`),
      );
    });
  }

  it('is joined to a union without networks inside of others', () => {
    const of = (...networks: readonly string[]) => ({ name: 'p', networks: networks.map(parsePrefix) });
    expect(
      unionOf([of('198.51.100.0/25', '2001:db8:e::/64'), of('198.51.100.0/24', '192.0.2.0/24')]),
    ).to.deep.equal(['192.0.2.0/24', '198.51.100.0/24', '2001:db8:e::/64']);
  });

  it('is joined to those networks that are in no other one', () => {
    const network = fc.oneof(
      fc.tuple(fc.nat(15), fc.integer({ min: 24, max: 32 })).map(([n, length]) => `192.0.2.${n}/${length}`),
      fc
        .tuple(fc.nat(3), fc.integer({ min: 120, max: 128 }))
        .map(([n, length]) => `2001:db8::${n}/${length}`),
    );
    const networks = fc.array(network.map(host));
    fc.assert(
      fc.property(networks, (all) => {
        const outer = [...new Set(all)].filter((one) => !all.some((of) => of !== one && isWithin(one, of)));
        expect(new Set(unionOf([{ name: 'p', networks: all }]))).to.deep.equal(new Set(outer));
      }),
    );
  });
});

describe('what an agent tells', () => {
  it('is read as it was written', () => {
    expect(readTold(toldText(told))).to.deep.equal(told);
  });

  it('is refused with more networks or gateways than a node takes', () => {
    const many = Array.from({ length: mostNetworks + 1 }, (_, i) => parseIp(`192.0.${i >> 8}.${i & 255}`));
    const networks = many.map(hostPrefix);
    expect(() => readTold(toldText({ ...told, eips: networks }))).to.throw(
      RangeError,
      /1001 eips.* 1000 at most/,
    );
    expect(() => readTold(toldText({ ...told, gateways: many }))).to.throw(RangeError, /1001 gateways/);
    expect(readTold(toldText({ ...told, eips: networks.slice(1) })).eips).to.have.length(mostNetworks);
  });

  it('is refused with a place that is longer than a path', () => {
    const at = (length: number): string => toldText({ ...told, gatewaysAt: 'x'.repeat(length) });
    expect(readTold(at(4200)).gatewaysAt).to.have.length(4200);
    expect(() => readTold(at(4201))).to.throw(RangeError, '4201 letters of a place in a file');
  });

  it('is refused without its networks', () => {
    expect(() => readTold('{"version":1,"gateways":[]}')).to.throw(RangeError, 'no eips');
  });
});
