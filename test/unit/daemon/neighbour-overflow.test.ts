import { expect } from 'chai';
import { NeighbourOverflow, tableFulls } from '../../../src/daemon/neighbour-overflow.ts';
import type { Family } from '../../../src/model/ip.ts';

describe('the overflow of the neighbour table', () => {
  it('is told while the kernel refuses neighbours, and five minutes longer', () => {
    const refused: Record<Family, number | undefined> = { 4: 7, 6: 0 };
    const overflow = new NeighbourOverflow((of) => refused[of]);
    expect(overflow.look(0), 'what was before this program').to.equal(false);
    refused[4] = 9;
    expect(overflow.look(9_999), 'between two looks').to.equal(false);
    expect(overflow.look(10_000)).to.equal(true);
    expect(overflow.problems.map(({ code, subject }) => [code, subject])).to.deep.equal([
      ['neighbour-table-full', 'neighbour table (IPv4) is full'],
    ]);
    const { problems } = overflow;
    refused[4] = 12;
    expect(overflow.look(200_000), 'it goes on').to.equal(false);
    expect(overflow.problems).to.equal(problems);
    expect(overflow.look(499_999)).to.equal(false);
    expect(overflow.look(509_999), 'it is over').to.equal(true);
    expect(overflow.problems).to.deep.equal([]);
  });

  it('is no problem where it is not shown', () => {
    const overflow = new NeighbourOverflow(() => undefined);
    expect([overflow.look(0), overflow.look(20_000), overflow.problems]).to.deep.equal([false, false, []]);
  });

  it('is the sum of the processors, in hexadecimal', () => {
    const text = `entries  allocs   table_fulls
00000002 00005d51 0000000a
00000002 00005945 00000010
`;
    expect(tableFulls(text)).to.equal(26);
    expect(tableFulls('entries  allocs\n00000002 00005d51\n')).to.equal(undefined);
  });
});
