import { expect } from 'chai';
import { AwakeClock } from '../../../src/probe/awake-clock.ts';

describe('the awake clock', () => {
  it('counts what it is shown, and little of a time in which nobody looked', () => {
    let now = 1000;
    const clock = new AwakeClock(() => now, 100);
    now += 60;
    expect(clock.now()).to.equal(60);
    now += 100;
    expect(clock.now()).to.equal(160);
    // Stopped for five seconds.
    now += 5000;
    expect(clock.now()).to.equal(260);
    now += 1;
    expect(clock.now()).to.equal(261);
  });
});
