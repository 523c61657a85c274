import { expect } from 'chai';
import { type ProxiedEndpoint, type ProxiedService, proxyRules } from '../../../lab/proxy/proxy-rules.ts';
import { parseIp } from '../../../src/model/ip.ts';

describe('proxyRules', () => {
  const cases: readonly {
    readonly name: string;
    readonly policy: ProxiedService['policy'];
    readonly endpoints: readonly ProxiedEndpoint[];
    /** Endpoints that a client outside reaches by this node. */
    readonly reached: readonly string[];
  }[] = [
    {
      name: 'spreads over the ready endpoints of all nodes under Cluster',
      policy: 'Cluster',
      endpoints: [at(1, 'node1'), at(2, 'node2'), at(3, 'node2', 'away')],
      reached: ['10.244.0.1', '10.244.0.2'],
    },
    {
      name: 'takes only its own endpoints under Local',
      policy: 'Local',
      endpoints: [at(1, 'node1'), at(2, 'node2')],
      reached: ['10.244.0.1'],
    },
    {
      name: 'drops under Local without an endpoint of its own',
      policy: 'Local',
      endpoints: [at(2, 'node2')],
      reached: [],
    },
    {
      name: 'leaves terminating endpoints alone while others are ready',
      policy: 'Cluster',
      endpoints: [at(1, 'node1', 'terminating'), at(2, 'node2')],
      reached: ['10.244.0.2'],
    },
    {
      name: 'drains: its own terminating endpoint serves on under Local, though others are ready elsewhere',
      policy: 'Local',
      endpoints: [at(1, 'node1', 'terminating'), at(2, 'node2')],
      reached: ['10.244.0.1'],
    },
  ];
  for (const { name, policy, endpoints, reached } of cases) {
    it(name, () => {
      const rules = proxyRules([service(policy, endpoints)], 'node1');
      expect(rules).to.contain('ip daddr 198.51.100.10 tcp dport 80 goto ext-default-web-80-4\n');
      expect(behind(rules, 'ext-default-web-80-4')).to.deep.equal(reached);
    });
  }

  it('has no door for a Service without endpoints', () => {
    expect(proxyRules([service('Cluster', [at(1, 'node1', 'away')])], 'node1')).to.not.contain('dport');
  });
});

function service(policy: ProxiedService['policy'], endpoints: readonly ProxiedEndpoint[]): ProxiedService {
  const addresses = [parseIp('198.51.100.10'), parseIp('2001:db8:e::10')];
  return { name: 'default/web', addresses, protocol: 'tcp', port: 80, policy, endpoints };
}

function at(last: number, node: string, state: ProxiedEndpoint['state'] = 'ready'): ProxiedEndpoint {
  return { ip: parseIp(`10.244.0.${last}`), port: 8080, node, state };
}

/** The pods that the rules reach from a chain, skipping the ways for clients inside the cluster. */
function behind(rules: string, from: string): readonly string[] {
  const chains = new Map(
    [...rules.matchAll(/chain (\S+) \{\n([^}]*(?:\{[^}]*\}[^}]*)*?)\n {2}\}/g)].map(
      ([, name = '', body = '']) => [name, body],
    ),
  );
  const body = (chains.get(from) ?? '')
    .split('\n')
    .filter((line) => !/saddr/.test(line))
    .join('\n');
  return [
    ...[...body.matchAll(/dnat ip to ([\d.]+):/g)].map(([, ip = '']) => ip),
    ...[...body.matchAll(/goto ([\w-]+)/g)].flatMap(([, next = '']) => behind(rules, next)),
  ].sort();
}
