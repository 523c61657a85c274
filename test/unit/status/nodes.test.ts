import { expect } from 'chai';
import { candidates } from '../../../src/desire/carriers.ts';
import type { Verdict } from '../../../src/desire/verdict.ts';
import type { Host } from '../../../src/model/host.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import { nodeProblems, nodeStatuses } from '../../../src/status/nodes.ts';
import { node, threeNodes } from '../../scene.ts';

describe('the nodes', () => {
  const nodes = [
    ...threeNodes.slice(0, 1),
    node('n2', ['10.0.0.12', '2001:db8:10::12'], { notReady: true }),
    node('out', ['10.0.0.13'], { excludeLabel: '', notReady: true }),
  ];
  const hosts = new Map<Ip, Host>([
    [parseIp('10.0.0.12'), { state: 'FAILED', silentSince: 5000 }],
    [parseIp('2001:db8:10::12'), { state: 'REACHABLE', silentSince: undefined }],
    [parseIp('10.0.0.13'), { state: 'FAILED', silentSince: 5000 }],
  ]);

  const verdicts = new Map<string, Verdict>([['n2', { kind: 'draining', why: 'it is cordoned' }]]);

  it('are shown with what Kubernetes and the neighbour table say', () => {
    expect(nodeStatuses(nodes, candidates(nodes), hosts, verdicts, new Map([['n1', 3]]))).to.deep.equal([
      {
        name: 'n1',
        addresses: ['10.0.0.11', '2001:db8:10::11'],
        ready: true,
        answers: 'unknown',
        neighbour: undefined,
        silentSince: undefined,
        traffic: undefined,
        why: undefined,
        leaving: 3,
        agent: undefined,
      },
      {
        name: 'n2',
        addresses: ['10.0.0.12', '2001:db8:10::12'],
        ready: false,
        answers: 'no',
        neighbour: 'FAILED',
        silentSince: '1970-01-01T00:00:05.000Z',
        traffic: 'draining',
        why: 'it is cordoned',
        leaving: 0,
        agent: undefined,
      },
      {
        name: 'out',
        addresses: [],
        ready: false,
        answers: 'unknown',
        neighbour: undefined,
        silentSince: undefined,
        traffic: undefined,
        why: undefined,
        leaving: 0,
        agent: undefined,
      },
    ]);
  });

  it('are reported when they may carry traffic, and are not ready', () => {
    const found = nodeProblems(nodes, candidates(nodes));
    expect(found.map(({ code, severity, subject }) => `${severity} ${code} ${subject}`)).to.deep.equal([
      'warn node-not-ready node n2 (Ready)',
    ]);
  });

  it('are named to kubectl as their own cluster knows them', () => {
    const eastern = [node('east:n2', ['10.0.0.12'], { cluster: 'east', notReady: true })];
    const [found] = nodeProblems(eastern, candidates(eastern));
    expect(found?.message).to.match(/^node east:n2 is not Ready/);
    expect(found?.advice).to.match(
      /^in cluster east: kubectl describe node n2; .*kubectl label node n2 node/,
    );
  });
});
