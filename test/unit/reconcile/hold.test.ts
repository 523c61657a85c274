import { expect } from 'chai';
import { Hold } from '../../../src/reconcile/hold.ts';
import type { Held } from '../../../src/reconcile/report.ts';
import { deleting, route } from './objects.ts';

describe('the hold of too many deletes', () => {
  const held: Held = { ...deleting(route(1, 9)), reason: 'too many at once', until: 5000 };

  it('knows what a person let go one by one until it ends, and no longer than that is gone', () => {
    const hold = new Hold();
    hold.release(new Map([['a', 'default/a']]));
    hold.release(new Map([['b', 'default/b']]));
    hold.keep([held], (key) => key === 'b');
    expect([...hold.released.keys()]).to.deep.equal(['a']);
    hold.keep([], () => false);
    expect([...hold.released.keys()]).to.deep.equal([]);
  });
});
