import { expect } from 'chai';
import { candidates } from '../../../src/desire/carriers.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { NeighbourEntry, NeighbourState } from '../../../src/model/listing.ts';
import { type Hosts, nextHosts, nodeProblems, nodeStatuses } from '../../../src/status/nodes.ts';
import { node, threeNodes } from '../../scene.ts';

const n2 = parseIp('10.0.0.12');
const none: Hosts = new Map();

function entry(ip: string, state: NeighbourState): NeighbourEntry {
  return { ip: parseIp(ip), state };
}

/** What is known of n2 after a look at each of these, a second apart from the first at 0. */
function seen(...states: readonly (NeighbourState | undefined)[]): string {
  const hosts = states.reduce<Hosts>(
    (before, state, i) => nextHosts(before, state === undefined ? [] : [entry('10.0.0.12', state)], i * 1000),
    none,
  );
  const host = hosts.get(n2);
  return host === undefined ? 'unknown' : `${host.state} ${host.silentSince ?? 'answers'}`;
}

describe('the hosts of the LAN', () => {
  it('are silent from the first look that finds them FAILED', () => {
    expect(seen('REACHABLE', 'FAILED', 'FAILED')).to.equal('FAILED 1000');
  });

  it('stay silent while the kernel asks again', () => {
    expect(seen('FAILED', 'INCOMPLETE', 'FAILED', 'INCOMPLETE')).to.equal('INCOMPLETE 0');
  });

  it('are not silent while they are asked for the first time', () => {
    expect(seen('INCOMPLETE')).to.equal('INCOMPLETE answers');
  });

  for (const state of ['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT'] as const) {
    it(`answer again once they are ${state}`, () => {
      expect(seen('FAILED', state)).to.equal(`${state} answers`);
    });
  }

  it('are unknown once the kernel has forgotten them', () => {
    expect(seen('FAILED', undefined)).to.equal('unknown');
    expect(seen('FAILED', undefined, 'INCOMPLETE')).to.equal('INCOMPLETE answers');
  });
});

describe('the nodes', () => {
  const nodes = [
    ...threeNodes.slice(0, 1),
    node('n2', ['10.0.0.12', '2001:db8:10::12'], { notReady: true }),
    node('out', ['10.0.0.13'], { excludeLabel: '', notReady: true }),
  ];
  const hosts = nextHosts(
    none,
    [entry('10.0.0.12', 'FAILED'), entry('2001:db8:10::12', 'REACHABLE'), entry('10.0.0.13', 'FAILED')],
    5000,
  );

  it('are shown with what Kubernetes and the neighbour table say', () => {
    expect(nodeStatuses(nodes, candidates(nodes), hosts)).to.deep.equal([
      {
        name: 'n1',
        addresses: ['10.0.0.11', '2001:db8:10::11'],
        ready: true,
        answers: 'unknown',
        neighbour: undefined,
        silentSince: undefined,
      },
      {
        name: 'n2',
        addresses: ['10.0.0.12', '2001:db8:10::12'],
        ready: false,
        answers: 'no',
        neighbour: 'FAILED',
        silentSince: '1970-01-01T00:00:05.000Z',
      },
      {
        name: 'out',
        addresses: [],
        ready: false,
        answers: 'unknown',
        neighbour: undefined,
        silentSince: undefined,
      },
    ]);
  });

  it('are reported when they may carry traffic, and are not ready', () => {
    const found = nodeProblems(nodes, candidates(nodes));
    expect(found.map(({ code, severity, subject }) => `${severity} ${code} ${subject}`)).to.deep.equal([
      'warn node-not-ready node n2 (Ready)',
    ]);
  });
});
