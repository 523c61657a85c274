import { expect } from 'chai';
import { WriteConflicts } from '../../../src/ipam/write-conflicts.ts';

const minute = 60_000;

describe('a Service whose status has another writer', () => {
  const until = (conflicts: WriteConflicts, now: number) => conflicts.restsUntil('default/web', now);

  it('is put right once, and then left alone, longer each time', () => {
    const conflicts = new WriteConflicts();
    conflicts.overwritten('default/web', 0);
    expect(until(conflicts, 0)).to.equal(undefined);
    conflicts.overwritten('default/web', minute);
    expect(until(conflicts, minute)).to.equal(6 * minute);
    // Ten minutes count from the end of the rest, in which nobody was put right.
    conflicts.overwritten('default/web', 15 * minute);
    expect(until(conflicts, 15 * minute)).to.equal(25 * minute);
  });

  it('is put right again when it was left in peace for ten minutes', () => {
    const conflicts = new WriteConflicts();
    conflicts.overwritten('default/web', 0);
    conflicts.overwritten('default/web', 10 * minute);
    expect(until(conflicts, 10 * minute)).to.equal(undefined);
  });

  it('is put right again where the last time was our own write, read late', () => {
    const conflicts = new WriteConflicts();
    conflicts.overwritten('default/web', 0);
    conflicts.retract('default/web');
    conflicts.overwritten('default/web', minute);
    expect(until(conflicts, minute)).to.equal(undefined);
    conflicts.overwritten('default/web', 2 * minute);
    conflicts.retract('default/web');
    expect(until(conflicts, 2 * minute), 'it rests no more').to.equal(undefined);
    conflicts.overwritten('default/web', 3 * minute);
    expect(until(conflicts, 3 * minute)).to.equal(8 * minute);
  });
});
