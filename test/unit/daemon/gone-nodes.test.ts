import { expect } from 'chai';
import { GoneNodes } from '../../../src/daemon/gone-nodes.ts';
import { DesiredTable } from '../../../src/model/desired.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Change, NatGroup } from '../../../src/model/object.ts';

const [n1, n2, n3] = ['10.0.0.11', '10.0.0.12', '10.0.0.13'].map(parseIp) as [Ip, Ip, Ip];

function group(id: number, ...buckets: readonly Ip[]): NatGroup {
  return { kind: 'nat-group', id, protocol: 86, family: 4, buckets, seed: 1, intact: true };
}

const shrinks = (id: number): Change => ({
  verb: 'replace',
  have: group(id, n1, n2, n1),
  want: group(id, n1),
});

describe('the nodes whose connections end', () => {
  const gone = new Set<Ip>();
  let desired: NatGroup[] = [];
  let nodes: GoneNodes;
  beforeEach(() => {
    gone.clear();
    desired = [group(1, n1)];
    const table = (): DesiredTable => {
      const made = new DesiredTable();
      for (const object of desired) made.set(object, { text: '' });
      return made;
    };
    nodes = new GoneNodes({ isGone: (ip) => gone.has(ip), desired: table });
  });

  it('are those that have left the groups and are gone, once', () => {
    gone.add(n2).add(n3);
    expect(nodes.rounded([shrinks(1)])).to.deep.equal([n2]);
    expect(nodes.rounded([])).to.deep.equal([]);
    expect(nodes.rounded([{ verb: 'delete', have: group(2, n3) }])).to.deep.equal([n3]);
  });

  it('are not those that drain, until they go', () => {
    expect(nodes.rounded([shrinks(1)])).to.deep.equal([]);
    gone.add(n2);
    expect(nodes.rounded([])).to.deep.equal([n2]);
  });

  it('are not those that came back in the meantime', () => {
    expect(nodes.rounded([shrinks(1)])).to.deep.equal([]);
    expect(nodes.rounded([{ verb: 'replace', have: group(1, n1), want: group(1, n1, n2) }])).to.deep.equal(
      [],
    );
    gone.add(n2);
    expect(nodes.rounded([])).to.deep.equal([]);
  });

  it('are not those that another group keeps, because nobody answers there', () => {
    gone.add(n2);
    desired = [group(1, n1), group(2, n2)];
    expect(nodes.rounded([shrinks(1)])).to.deep.equal([]);
    desired = [group(1, n1)];
    expect(nodes.rounded([])).to.deep.equal([n2]);
  });
});
