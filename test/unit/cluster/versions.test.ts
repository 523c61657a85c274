import { expect } from 'chai';
import { Versions } from '../../../src/cluster/versions.ts';

/** Object `a`, shown at `first` and then written by us at each of the others. */
function ahead(first: string, ...answers: readonly string[]): Versions {
  const versions = new Versions();
  versions.set('a', first);
  for (const answer of answers) {
    expect(versions.answer('a', answer, versions.of('a') ?? ''), answer).to.equal(true);
  }
  return versions;
}

describe('versions', () => {
  it('are ordered as numbers of any length', () => {
    const versions = ahead('99', '100', '18446744073709551617');
    for (const stale of ['98', '99', '100', '101', '18446744073709551616']) {
      expect(versions.isStale('a', stale), stale).to.equal(true);
    }
    for (const fresh of ['18446744073709551617', '18446744073709551618', '100000000000000000000']) {
      expect(versions.isStale('a', fresh), fresh).to.equal(false);
    }
  });

  it('that are no decimal numbers are stale when a write of ours has replaced them', () => {
    const versions = ahead('x7', 'x3', 'x5');
    expect(['x7', 'x3', 'x5', 'x9', '007'].filter((each) => versions.isStale('a', each))).to.deep.equal([
      'x7',
      'x3',
    ]);
  });

  it('are stale no more when the watch has caught up', () => {
    const versions = ahead('1', '2', '3');
    versions.set('a', '3');
    expect(versions.isStale('a', '2')).to.equal(false);
  });

  it('of an object that is gone, or that the watch has shown newer, take no answer', () => {
    const versions = ahead('4');
    expect(versions.answer('a', '3', '2')).to.equal(false);
    expect(versions.answer('a', '4', '3')).to.equal(false);
    versions.delete('a');
    expect(versions.answer('a', '6', '5')).to.equal(false);
    expect(versions.of('a')).to.equal(undefined);
  });

  it('of our own writes outlive a list that is older, whether or not it has the object', () => {
    for (const listed of [new Map([['a', '1']]), new Map<string, string>()]) {
      const versions = ahead('1', '2', '5');
      expect(versions.replace(listed, '4')).to.deep.equal(['a']);
      expect(versions.of('a')).to.equal('5');
      expect(versions.isStale('a', '2'), 'from the watch after that list').to.equal(true);
    }
  });

  it('of our own writes yield to a list that is newer', () => {
    const versions = ahead('1', '2', '5');
    expect(versions.replace(new Map([['b', '6']]), '7')).to.deep.equal([]);
    expect([versions.of('a'), versions.of('b')]).to.deep.equal([undefined, '6']);
  });
});
