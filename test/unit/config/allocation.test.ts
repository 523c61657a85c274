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

function errors(text: string): readonly string[] {
  const result = read(text);
  return result.kind === 'refused' ? result.errors.map(problemLine) : [];
}

const plain = 'pools: [ { name: public, addresses: [198.51.100.0/24] } ]\n';
const full = `pools:
  - name: public
    addresses: [198.51.100.0/24]
    autoAssign: false
    avoidBuggyIPs: true
    priority: 10
    namespaces: [web, api, web]
    serviceSelector: { tier: public, env: "1" }
    enforce: true
  - { name: nodes, nodeAddresses: true }
allocate: { class: lb.example/x, classless: false, finalizer: false, lease: net/eips }
`;

describe('the configuration of allocation', () => {
  it('is off unless asked for', () => {
    expect(loaded(plain).gateway.allocation).to.equal(undefined);
    expect(loaded(plain).gateway.pools[0]).to.have.all.keys('name', 'addresses');
  });

  it('is on by one word', () => {
    expect(loaded(`${plain}allocate: true`).gateway.allocation).to.deep.equal({
      class: 'eiproute.io/gateway',
      classless: true,
      finalizer: true,
      lease: { namespace: 'kube-system', name: 'eiproute' },
    });
  });

  it('takes every key', () => {
    const { pools, allocation } = loaded(full).gateway;
    expect(allocation).to.deep.equal({
      class: 'lb.example/x',
      classless: false,
      finalizer: false,
      lease: { namespace: 'net', name: 'eips' },
    });
    expect(pools).to.deep.equal([
      {
        name: 'public',
        addresses: ['198.51.100.0/24'],
        terms: {
          autoAssign: false,
          avoidBuggyIps: true,
          priority: 10,
          namespaces: ['api', 'web'],
          serviceSelector: { env: '1', tier: 'public' },
          enforce: true,
          nodeAddresses: false,
        },
      },
      {
        name: 'nodes',
        addresses: [],
        terms: {
          autoAssign: true,
          avoidBuggyIps: false,
          priority: undefined,
          namespaces: [],
          serviceSelector: {},
          enforce: false,
          nodeAddresses: true,
        },
      },
    ]);
  });

  it('reads back what it prints', () => {
    for (const text of [full, `${plain}allocate: { lease: false }`]) {
      const config = loaded(text);
      const printed = printYaml(config).replace(/^(lan|uplink):.*\n/gm, '');
      expect(loaded(printed)).to.deep.equal(config);
    }
  });

  const bad: readonly (readonly [text: string, error: string])[] = [
    [
      `${plain}allocate: { lease: kube-system }`,
      'gw.yaml:4:20 allocate.lease: must be NAMESPACE/NAME or false, not the text "kube-system"',
    ],
    [
      `${plain}allocate: true\nsource: { file: c.json }`,
      'gw.yaml:4:11 allocate.enabled: needs an API to write to; the cluster is read from a file',
    ],
    [
      'pools: [ { name: p, addresses: [192.0.2.1], namespaces: [] } ]',
      'gw.yaml:3:57 pools[0].namespaces: is an empty list; take the key out to let all namespaces in',
    ],
    [
      'pools: [ { name: p, addresses: [192.0.2.1], namespaces: [Web] } ]',
      'gw.yaml:3:57 pools[0].namespaces: "Web" is no name that a namespace can have',
    ],
    [
      'pools: [ { name: p, addresses: [192.0.2.1], serviceSelector: { env: 1 } } ]',
      'gw.yaml:3:62 pools[0].serviceSelector: the value of label "env" must be text; put it in quotes',
    ],
    [
      'pools: [ { name: p, addresses: [192.0.2.1], priority: high } ]',
      'gw.yaml:3:55 pools[0].priority: must be a whole number from 0 to 1000000, not the text "high"',
    ],
    [
      'pools: [ { name: p, addresses: [192.0.2.1], autoassign: false } ]',
      'gw.yaml:3:45 pools[0].autoassign: unknown key (did you mean "autoAssign"?)',
    ],
    [
      'pools: [ { name: p, nodeAddresses: true } ]',
      'gw.yaml:3:36 pools[0].nodeAddresses: does nothing without allocate: true',
    ],
    [
      'allocate: true\npools: [ { name: p, nodeAddresses: true, addresses: [192.0.2.1] } ]',
      'gw.yaml:4:53 pools[0].addresses: has no place in a pool with nodeAddresses: true, which has those of the nodes',
    ],
    [
      'allocate: true\npools: [ { name: p, nodeAddresses: true }, { name: q, nodeAddresses: true } ]',
      'gw.yaml:4:70 pools[1].nodeAddresses: pool "p" has the nodes\' addresses already',
    ],
  ];
  for (const [text, error] of bad) {
    it(`refuses ${error}`, () => {
      expect(errors(text)).to.deep.equal([error]);
    });
  }
});
