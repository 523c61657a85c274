import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { LimitLooks } from '../../../src/probe/limit-looks.ts';
import { until } from './until.ts';

/** Limits that are over after so many looks. */
class Limits implements AsyncDisposable {
  left = 0;
  looks = 0;
  readonly watch = new LimitLooks({
    pace: 1,
    isIdle: () => {
      this.asked += 1;
      return this.left === 0;
    },
    look: () => {
      this.looks += 1;
      this.left -= 1;
    },
  });
  asked = 0;
  readonly #stop = new AbortController();
  readonly #running = this.watch.run(this.#stop.signal);

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('looks at limits', () => {
  it('go on until there are none, and begin again', async () => {
    await using limits = new Limits();
    for (const want of [3, 6]) {
      limits.left = 3;
      limits.watch.begin();
      await until('all limits are over', () => limits.left === 0);
      expect(limits.looks).to.equal(want);
    }
  });

  it('cease where there are none any more, and others go on', async () => {
    await using limits = new Limits();
    limits.left = 2;
    limits.watch.begin();
    await until('all limits are over', () => limits.left === 0);
    await using others = new Limits();
    others.left = 20;
    others.watch.begin();
    await until('those of the others are over', () => others.left === 0);
    expect(limits.looks).to.equal(2);
  });

  it('do not happen, and nobody is asked, while there are none', async () => {
    await using limits = new Limits();
    limits.watch.begin();
    limits.left = 1;
    for (let i = 0; i < 10; i += 1) await turn();
    expect(limits.looks, 'nothing has begun').to.equal(0);
    expect(limits.asked, 'by the begin alone').to.equal(1);
  });

  it('end with the signal', async () => {
    const limits = new Limits();
    limits.left = Number.POSITIVE_INFINITY;
    limits.watch.begin();
    await until('it looks', () => limits.looks > 1);
    await limits[Symbol.asyncDispose]();
    const { looks } = limits;
    await turn();
    expect(limits.looks).to.equal(looks);
  });
});
