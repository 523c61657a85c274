import { expect } from 'chai';
import { WorkQueue } from '../../../src/ipam/work-queue.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';

const forever = new AbortController().signal;

/** All that can be taken now, in its order; each is done at once. */
function drained(queue: WorkQueue<string>): readonly string[] {
  const keys: string[] = [];
  for (let key = queue.take(); key !== undefined; key = queue.take()) {
    keys.push(key);
    queue.done(key);
  }
  return keys;
}

describe('a work queue', () => {
  let clock: VirtualClock;
  let queue: WorkQueue<string>;
  beforeEach(() => {
    clock = new VirtualClock();
    queue = new WorkQueue(clock);
  });

  it('hands out keys in the order in which they were added, each once', () => {
    for (const key of ['b', 'a', 'b', 'c']) queue.add(key);
    expect(drained(queue)).to.deep.equal(['b', 'a', 'c']);
  });

  it('hands out a key that is added while it is processed when it is done, and not before', () => {
    queue.add('a');
    expect(queue.take()).to.equal('a');
    queue.add('a');
    queue.add('a');
    expect(queue.take()).to.equal(undefined);
    queue.done('a');
    expect(drained(queue)).to.deep.equal(['a']);
  });

  it('hands out a delayed key when its time has come', async () => {
    queue.addAfter('a', 100);
    expect(queue.take()).to.equal(undefined);
    await clock.sleep(99, forever);
    expect(queue.take()).to.equal(undefined);
    await clock.sleep(1, forever);
    expect(drained(queue)).to.deep.equal(['a']);
  });

  it('goes by the earlier of two times', async () => {
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    await clock.sleep(50, forever);
    expect(drained(queue)).to.deep.equal(['a']);
    await clock.sleep(1000, forever);
    expect(drained(queue)).to.deep.equal([]);
  });

  it('delays a key longer with each failure, and from the first again when it is forgotten', async () => {
    const waits: number[] = [];
    for (const forget of [false, false, false, true, false]) {
      if (forget) queue.forget('a');
      queue.addRateLimited('a', { first: 10, longest: 35 });
      const from = clock.now();
      while (queue.take() === undefined) await clock.sleep(1, forever);
      queue.done('a');
      waits.push(clock.now() - from);
    }
    expect(waits).to.deep.equal([10, 20, 35, 10, 20]);
    expect(queue.failures('a')).to.equal(2);
  });

  it('signals when there is something to take: at once, later, earlier than it seemed, and after a key is done', async () => {
    const stop = new AbortController();
    const ready = queue.ready(stop.signal);
    queue.add('a');
    await ready.next();
    expect(queue.take()).to.equal('a');
    queue.add('a');
    const start = clock.now();
    queue.addAfter('b', 500);
    await ready.next();
    expect([queue.take(), clock.now() - start]).to.deep.equal(['b', 500]);
    queue.addAfter('c', 10_000);
    const next = ready.next();
    queue.done('a');
    await next;
    expect([queue.take(), clock.now() - start]).to.deep.equal(['a', 500]);
    const earlier = ready.next();
    queue.addAfter('d', 20);
    await earlier;
    expect([queue.take(), clock.now() - start]).to.deep.equal(['d', 520]);
    const end = ready.next();
    stop.abort();
    expect((await end).done).to.equal(true);
  });
});
