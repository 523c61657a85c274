import { expect } from 'chai';
import { addressesOf, changedNames, turnedNames } from '../../../src/desire/candidate-changes.ts';
import { candidates } from '../../../src/desire/carriers.ts';
import type { Node } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { type FormerNodes, noFormerNodes } from '../../../src/model/probed.ts';
import { node } from '../../scene.ts';

const n1 = node('n1', ['10.0.0.11', '2001:db8:10::11']);
const n2 = node('n2', ['10.0.0.12']);

/** @param deleted address by name of the node */
function formerly(deleted: Record<string, string>): FormerNodes {
  const entries = Object.entries(deleted).map(([name, ip]) => [name, [parseIp(ip)]] as const);
  return { ...noFormerNodes, deleted: new Map(entries) };
}

describe('changedNames', () => {
  const cases: readonly { name: string; after: readonly Node[]; lately?: FormerNodes; want: string[] }[] = [
    { name: 'names nobody when the same nodes are listed in another order', after: [n2, n1], want: [] },
    { name: 'names a node that came', after: [n1, n2, node('n3', ['10.0.0.13'])], want: ['n3'] },
    { name: 'names a node that went', after: [n1], want: ['n2'] },
    {
      name: 'names a node that lost one address of two',
      after: [node('n1', ['10.0.0.11']), n2],
      want: ['n1'],
    },
    { name: 'names a node that is left out now', after: [n1, { ...n2, excludeLabel: '' }], want: ['n2'] },
    {
      name: 'names a node that was made anew: it has a former address',
      after: [n1, n2],
      lately: formerly({ n2: '10.0.0.22' }),
      want: ['n2'],
    },
    {
      name: 'names a deleted node whose last address is known',
      after: [n1, n2],
      lately: formerly({ n9: '10.0.0.19' }),
      want: ['n9'],
    },
  ];
  for (const { name, after, lately, want } of cases) {
    it(name, () => {
      expect([...changedNames(candidates([n1, n2]), candidates(after, lately))]).to.deep.equal(want);
    });
  }
});

describe('turnedNames', () => {
  const covered = (
    cluster: string | undefined,
    four: readonly string[],
    six: readonly string[],
  ): FormerNodes => ({
    ...noFormerNodes,
    covered: new Map([[cluster, { 4: new Set(four), 6: new Set(six) }]]),
  });
  const turned = (before: FormerNodes, after: FormerNodes): readonly string[] => [
    ...turnedNames(before, after),
  ];

  it('names nodes that the others began or ceased to cover for, in either family', () => {
    expect(turned(noFormerNodes, covered(undefined, ['n1'], []))).to.deep.equal(['n1']);
    expect(turned(covered(undefined, [], ['n1']), noFormerNodes)).to.deep.equal(['n1']);
    expect(turned(covered(undefined, ['n1', 'n2'], []), covered(undefined, ['n2', 'n3'], []))).to.deep.equal([
      'n1',
      'n3',
    ]);
  });

  it('names nobody when they cover for the same ones', () => {
    expect(turned(covered('east', ['n1'], ['n1']), covered('east', ['n1'], ['n1']))).to.deep.equal([]);
  });

  it('keeps the clusters apart', () => {
    expect(turned(covered('east', ['n1'], []), covered('west', ['n1'], []))).to.deep.equal(['n1', 'n1']);
  });
});

describe('addressesOf', () => {
  it('gives the addresses that a node has now', () => {
    const { byName } = candidates([n1, n2], formerly({ n2: '10.0.0.22' }));
    expect(addressesOf(byName.get('n1'))).to.deep.equal(n1.addresses);
    expect(addressesOf(byName.get('n2'))).to.deep.equal(['10.0.0.12']);
    expect(addressesOf(undefined)).to.deep.equal([]);
  });
});
