import { expect } from 'chai';
import { type Answer, tally } from '../../../lab/load/load.ts';

describe('tally', () => {
  it('counts good answers by pod and losses by their reason', () => {
    const { sent, lost, pods, errors } = tally([
      good(0, 'a'),
      good(5, 'b'),
      good(10, 'a'),
      bad(15, 'timeout'),
    ]);
    expect({ sent, lost, pods, errors }).to.deep.equal({
      sent: 4,
      lost: 1,
      pods: { a: 2, b: 1 },
      errors: { timeout: 1 },
    });
  });

  it('measures the longest time between two good answers, in the order they came', () => {
    expect(tally([good(0, 'a'), good(30, 'a'), bad(10, 'torn'), good(35, 'a')]).gap).to.equal(30);
  });

  it('reports the slowest good answer', () => {
    expect(tally([{ ...good(0, 'a'), done: 40 }, good(5, 'a')]).slowest).to.equal(40);
  });

  it('is all zeros for nothing', () => {
    expect(tally([])).to.deep.equal({ sent: 0, lost: 0, errors: {}, pods: {}, slowest: 0, gap: 0 });
  });
});

function good(sent: number, pod: string): Answer {
  return { sent, done: sent + 1, to: '198.51.100.10', pod, seen: '192.0.2.100', error: undefined };
}

function bad(sent: number, error: string): Answer {
  return { ...good(sent, ''), pod: undefined, seen: undefined, error };
}
