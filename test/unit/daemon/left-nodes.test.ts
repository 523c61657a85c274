import { expect } from 'chai';
import fc from 'fast-check';
import { leftNodes } from '../../../src/daemon/left-nodes.ts';
import { DesiredTable } from '../../../src/model/desired.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import {
  type Change,
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

function tableOf(objects: readonly KernelObject[]): DesiredTable {
  const table = new DesiredTable();
  for (const object of objects) table.set(object, { text: '' });
  return table;
}

/** The nodes that were left, by EIP. */
function left(changes: readonly Change[], desired: readonly KernelObject[], kept: readonly Ip[] = []) {
  const found = leftNodes(changes, tableOf(desired), (node) => kept.includes(node));
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

  it('are found without a walk over all that is desired, unless a group that stays has lost a node', () => {
    const table = tableOf([group(1, n1, n2), group(2, n2, n3), eip(web, 2), eip(mail, 2)]);
    const walked = (...changes: readonly Change[]): number => {
      let count = 0;
      const values = (): ReturnType<DesiredTable['values']> => {
        count += 1;
        return table.values();
      };
      leftNodes(changes, { get: (key) => table.get(key), values }, () => false);
      return count;
    };
    const moves: Change = { verb: 'replace', have: eip(web, 1), want: eip(web, 2) };
    expect(walked(moves, { verb: 'delete', have: group(3, n3) })).to.equal(0);
    expect(walked({ verb: 'replace', have: group(1, n1), want: group(1, n1, n2) })).to.equal(0);
    expect(walked({ verb: 'replace', have: group(1, n1, n2, n3), want: group(1, n1, n2) })).to.equal(1);
  });

  it('are, for every EIP, its nodes before without its nodes after', () => {
    const ips = [web, mail];
    const some = fc.record({
      groups: fc.tuple(...[1, 2, 3].map(() => fc.subarray([n1, n2, n3], { minLength: 1 }))),
      of: fc.tuple(...ips.map(() => fc.option(fc.integer({ min: 1, max: 3 })))),
    });
    /** Groups that no EIP uses are not there. */
    const objects = ({ groups, of }: typeof some extends fc.Arbitrary<infer T> ? T : never) => [
      ...groups.map((nodes, i) => group(i + 1, ...nodes)).filter(({ id }) => of.includes(id)),
      ...ips.flatMap((ip, i) => (of[i] == null ? [] : [eip(ip, of[i])])),
    ];
    fc.assert(
      fc.property(some, some, fc.subarray([n1, n2, n3]), (before, after, kept) => {
        const wanted = new Map(objects(after).map((object) => [keyOf(object), object]));
        const changes: Change[] = objects(before).flatMap((have): readonly Change[] => {
          const want = wanted.get(keyOf(have));
          if (want === undefined) return [{ verb: 'delete', have }];
          return JSON.stringify(want) === JSON.stringify(have) ? [] : [{ verb: 'replace', have, want }];
        });
        const had = new Set(objects(before).map(keyOf));
        for (const [key, want] of wanted) if (!had.has(key)) changes.push({ verb: 'add', want });
        const nodesAt = ({ groups, of }: typeof before, i: number): readonly Ip[] =>
          groups[(of[i] ?? 0) - 1] ?? [];
        const expected = ips.flatMap((ip, i) => {
          const gone = nodesAt(before, i).filter(
            (node) => !nodesAt(after, i).includes(node) && !kept.includes(node),
          );
          return gone.length === 0 ? [] : [[ip, gone]];
        });
        expect(left(changes, objects(after), kept)).to.deep.equal(Object.fromEntries(expected));
      }),
    );
  });
});
