import { expect } from 'chai';
import { OwnWrites } from '../../../src/cluster/versions.ts';

/** Object `a`, shown at `first` and then written by us at each of the others. */
function ahead(
  first: string,
  ...answers: readonly string[]
): { readonly writes: OwnWrites; readonly versions: Map<string, string> } {
  const versions = new Map([['a', first]]);
  const writes = new OwnWrites((key) => versions.get(key));
  for (const answer of answers) {
    expect(writes.answer('a', answer, versions.get('a') ?? ''), answer).to.equal(true);
    versions.set('a', answer);
  }
  return { writes, versions };
}

describe('our own writes', () => {
  it('have versions that are ordered as numbers of any length', () => {
    const { writes } = ahead('99', '100', '18446744073709551617');
    for (const stale of ['98', '99', '100', '101', '18446744073709551616']) {
      expect(writes.isStale('a', stale), stale).to.equal(true);
    }
    for (const fresh of ['18446744073709551617', '18446744073709551618', '100000000000000000000']) {
      expect(writes.isStale('a', fresh), fresh).to.equal(false);
    }
  });

  it('make stale what they have replaced, where versions are no decimal numbers', () => {
    const { writes } = ahead('x7', 'x3', 'x5');
    expect(['x7', 'x3', 'x5', 'x9', '007'].filter((each) => writes.isStale('a', each))).to.deep.equal([
      'x7',
      'x3',
    ]);
  });

  it('make nothing stale when the watch has caught up', () => {
    const { writes } = ahead('1', '2', '3');
    writes.reached('a');
    expect(writes.isStale('a', '2')).to.equal(false);
  });

  it('of an object that is gone, or that the watch has shown newer, have no answer', () => {
    const { writes, versions } = ahead('4');
    expect(writes.answer('a', '3', '2')).to.equal(false);
    expect(writes.answer('a', '4', '3')).to.equal(false);
    versions.delete('a');
    expect(writes.answer('a', '6', '5')).to.equal(false);
  });

  it('outlive a list that is older, whether or not it has the object', () => {
    for (const listed of ['1', undefined]) {
      const { writes } = ahead('1', '2', '5');
      expect(writes.outlives('a', listed, '4')).to.equal(true);
      expect(writes.isStale('a', '2'), 'from the watch after that list').to.equal(true);
    }
  });

  it('yield to a list that is newer', () => {
    const { writes } = ahead('1', '2', '5');
    expect(writes.outlives('a', '6', '7')).to.equal(false);
    expect(writes.outlives('a', undefined, '7')).to.equal(false);
    expect(writes.outlives('b', '6', '7'), 'of another object').to.equal(false);
  });

  it('outlive a list that has what they have replaced, where versions are no decimal numbers', () => {
    const { writes } = ahead('x7', 'x3', 'x5');
    expect(['x7', 'x3', 'x5', undefined].map((each) => writes.outlives('a', each, 'x4'))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });
});
