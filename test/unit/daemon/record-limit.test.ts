import { expect } from 'chai';
import { RecordLimit } from '../../../src/daemon/record-limit.ts';

describe('the limit of records', () => {
  /** @returns how many of so many records are written */
  function written(limit: RecordLimit, kind: string, count: number, now: number): number {
    return Array.from({ length: count }, () => limit.has(kind, now)).filter(Boolean).length;
  }

  it('is that of a kind in a window, and says what was above it', () => {
    const limit = new RecordLimit();
    expect(written(limit, 'round', 1500, 0)).to.equal(1000);
    expect(written(limit, 'problem eip-no-node', 1, 0), 'another kind').to.equal(1);
    expect([...limit.over(29_999)]).to.deep.equal([]);
    expect([...limit.over(31_000)]).to.deep.equal([{ kind: 'round', more: 500, seconds: 31 }]);
    expect(written(limit, 'round', 1001, 31_000)).to.equal(1000);
  });

  it('counts what is exactly at it as nothing left out', () => {
    const limit = new RecordLimit();
    expect(written(limit, 'round', 1000, 0)).to.equal(1000);
    expect([...limit.over(30_000)]).to.deep.equal([]);
  });

  it('ends a window when the clock was set back', () => {
    const limit = new RecordLimit();
    written(limit, 'round', 1001, 3_600_000);
    expect([...limit.over(0)]).to.deep.equal([{ kind: 'round', more: 1, seconds: 30 }]);
    expect(limit.has('round', 0)).to.equal(true);
  });
});
