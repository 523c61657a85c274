import { expect } from 'chai';
import { leftNodes } from '../../../src/daemon/left-nodes.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import {
  type Change,
  changeObject,
  type KernelObject,
  keyOf,
  type NatEip,
  type NatGroup,
} from '../../../src/model/object.ts';

const [n1, n2, n3] = ['10.0.0.11', '10.0.0.12', '10.0.0.13'].map(parseIp) as [Ip, Ip, Ip];
const [web, mail] = ['198.51.100.10', '198.51.100.11'].map(parseIp) as [Ip, Ip];

function group(id: number, ...buckets: readonly Ip[]): NatGroup {
  return { kind: 'nat-group', id, protocol: 86, family: 4, buckets, seed: 1, intact: true };
}

function eip(of: Ip, id: number): NatEip {
  const port = {
    protocol: 'udp',
    port: 53,
    nodePort: 30053,
    affinity: 'address',
    ranges: undefined,
  } as const;
  return { kind: 'nat-eip', eip: of, protocol: 86, ports: [{ ...port, group: id }], intact: true };
}

/** The nodes that were left, by EIP. */
function left(changes: readonly Change[], desired: readonly KernelObject[], kept: readonly Ip[] = []) {
  const done = changes.map((change) => ({ key: keyOf(changeObject(change)), change, why: { text: '' } }));
  const found = leftNodes(
    done,
    () => desired,
    (node) => kept.includes(node),
  );
  return Object.fromEntries([...found].map(([ip, nodes]) => [ip, [...nodes]]));
}

describe('the nodes that an EIP has left', () => {
  const shrinks: Change = { verb: 'replace', have: group(1, n1, n2, n1), want: group(1, n1) };
  const desired = [group(1, n1), group(2, n2, n3), eip(web, 1), eip(mail, 2)];

  it('are those that its group has lost, and no other EIP has left them', () => {
    expect(left([shrinks], desired)).to.deep.equal({ [web]: [n2] });
  });

  it('are those of its former group that are not in the new one', () => {
    const moves: Change = { verb: 'replace', have: eip(mail, 1), want: eip(mail, 2) };
    expect(left([moves], desired)).to.deep.equal({ [mail]: [n1] });
    // The group that nobody uses any more goes in the same round.
    const last = { verb: 'replace', have: eip(mail, 3), want: eip(mail, 2) } as const;
    expect(left([last, { verb: 'delete', have: group(3, n1, n3) }], desired)).to.deep.equal({ [mail]: [n1] });
  });

  it('are all of an EIP that is gone', () => {
    expect(left([{ verb: 'delete', have: eip(web, 2) }], [group(2, n2, n3)])).to.deep.equal({
      [web]: [n2, n3],
    });
  });

  it('are not those that drain, and none where a node comes or a port changes', () => {
    expect(left([shrinks], desired, [n2])).to.deep.equal({});
    expect(
      left(
        [{ verb: 'replace', have: group(1, n2), want: group(1, n1, n2) }],
        [group(1, n1, n2), eip(web, 1)],
      ),
    ).to.deep.equal({});
    expect(left([{ verb: 'replace', have: eip(web, 1), want: eip(web, 1) }], desired)).to.deep.equal({});
  });
});
