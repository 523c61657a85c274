import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { judge, type Signal } from '../../../src/probe/judge.ts';

/** `a 5` is silent since 5 ms, `a` answers. Names of v6 addresses are capital letters. */
function signals(text: string): readonly Signal[] {
  return text.split(', ').map((one) => {
    const [name = '', since] = one.split(' ');
    return { ip: address(name), silentSince: since === undefined ? undefined : Number(since) };
  });
}

function address(name: string) {
  const nth = name.toLowerCase().charCodeAt(0) - 96;
  return parseIp(name === name.toLowerCase() ? `10.0.0.${nth}` : `2001:db8:10::${nth}`);
}

describe('the verdict over the nodes', () => {
  const cases: readonly {
    readonly name: string;
    readonly seen: string;
    readonly now?: number;
    readonly share?: number;
    readonly silent?: string;
    readonly doubts?: readonly string[];
  }[] = [
    { name: 'is that all answer', seen: 'a, b, c' },
    { name: 'is that a node is dead that does not answer', seen: 'a, b 0, c', silent: 'b' },
    { name: 'is that one of two is dead: just half is not more than the share', seen: 'a, b 0', silent: 'b' },
    {
      name: 'is that nobody is dead when nobody answers',
      seen: 'a 0, b 5000, c 9000',
      doubts: ['4 all 3/3'],
    },
    {
      name: 'is that nobody is dead when nobody answers, however long',
      seen: 'a 0, b 0',
      now: 1_000_000,
      doubts: ['4 all 2/2'],
    },
    { name: 'is that the only node is not dead', seen: 'a 0', now: 60_000, doubts: ['4 all 1/1'] },
    {
      name: 'doubts that more than the share went within a second',
      seen: 'a 0, b 900, c, d 100, e',
      now: 1000,
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'believes as many that went one by one',
      seen: 'a 0, b 1100, c, d 2200, e',
      now: 2300,
      silent: 'a b d',
    },
    {
      name: 'doubts a burst, and not the node that went long before',
      seen: 'a 0, b 5000, c 5100, d 5200, e',
      now: 5300,
      silent: 'a',
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'doubts whoever is within a second of enough others, on either side',
      seen: 'a 0, b 800, c 1600, d, e',
      share: 0.3,
      now: 1700,
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'believes a burst that has been silent for ten seconds while others answered',
      seen: 'a 0, b 900, c, d 100, e',
      now: 10_900,
      silent: 'a b d',
    },
    {
      name: 'doubts it until then',
      seen: 'a 0, b 900, c, d 100, e',
      now: 10_899,
      doubts: ['4 too many at once 3/5'],
    },
    { name: 'believes any burst with a share of 1', seen: 'a 0, b 0, c 0, d', share: 1, silent: 'a b c' },
    {
      name: 'doubts every node with a share of 0',
      seen: 'a 0, b, c',
      share: 0,
      doubts: ['4 too many at once 1/3'],
    },
    {
      name: 'judges each family by itself',
      seen: 'a, b 0, c, A 0, B 0, C 0',
      silent: 'b',
      doubts: ['6 all 3/3'],
    },
  ];
  for (const { name, seen, now = 9000, share = 0.5, silent = '', doubts = [] } of cases) {
    it(name, () => {
      const verdict = judge(signals(seen), { share, now });
      const names = silent === '' ? [] : silent.split(' ').map(address);
      expect([...verdict.silent]).to.have.members(names);
      expect(
        verdict.doubts.map(({ of, kind, silent: mute, asked }) => `${of} ${kind} ${mute.length}/${asked}`),
      ).to.deep.equal(doubts);
    });
  }
});
