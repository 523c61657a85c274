import { expect } from 'chai';
import type { Answer } from '../../../lab/load/load.ts';
import { losses } from '../../lab/losses.ts';

const one = '198.51.100.1';
const other = '2001:db8:e::1';

function request(sent: number, done: number, error?: string, to = one): Answer {
  const pod = error === undefined ? 'web-1' : undefined;
  return { sent, done, to, pod, seen: undefined, error };
}

describe('losses', () => {
  const move = { from: 1000, to: 2000 };

  it('are the requests that were not answered, since a time', () => {
    const answers = [
      request(999, 1004, 'ECONNREFUSED'),
      request(1010, 1012),
      request(1020, 1922, 'timeout', other),
    ];
    expect(losses(answers, 1000)).to.deep.equal(['20 902 timeout 2001:db8:e::1']);
  });

  it('are not those that a move cuts off: of each EIP, all were open at one moment', () => {
    const answers = [
      request(1500, 1512, 'ECONNRESET'),
      request(1511, 1530, 'ECONNRESET'),
      request(1700, 1705, 'ECONNRESET', other),
      request(2700, 2705, 'ECONNRESET'),
    ];
    expect(losses(answers, 0, [move, { from: 2600, to: 3000 }])).to.deep.equal([]);
    expect(losses(answers, 0, [move])).to.deep.equal(['2700 5 ECONNRESET 198.51.100.1']);
  });

  it('are those that were not open at the same time', () => {
    const answers = [request(1500, 1510, 'ECONNRESET'), request(1511, 1530, 'ECONNRESET')];
    expect(losses(answers, 0, [move])).to.have.lengthOf(2);
  });

  it('are those that were over before the move, sent after it, or not reset', () => {
    const answers = [
      request(990, 999, 'ECONNRESET'),
      request(2000, 2004, 'ECONNRESET'),
      request(1500, 2402, 'timeout'),
      request(1600, 1601, 'ECONNREFUSED'),
    ];
    expect(losses(answers, 0, [move])).to.have.lengthOf(4);
  });
});
