import { expect } from 'chai';
import fc from 'fast-check';
import type { JournalProblem } from '../../../src/daemon/journal-problems.ts';
import { OpenProblems, type Turns } from '../../../src/daemon/open-problems.ts';

const minute = 60_000;

/** `a1` and `a2` are about one object, `a`. */
const keys = ['a1', 'a2', 'b1', 'b2'];

function foundOf(some: readonly string[]): ReadonlyMap<string, JournalProblem> {
  return new Map(
    some.map((key) => [
      key,
      { code: 'x', about: key.slice(0, 1), level: 'warn', event: 'problem', facts: {}, words: key },
    ]),
  );
}

/** What a reader of the journal believes to be open. */
class Reader {
  readonly open = new Set<string>();

  take({ begun, solved }: Turns): void {
    for (const { key } of begun) {
      expect(this.open.has(key), `${key} begins`).to.equal(false);
      this.open.add(key);
    }
    for (const { key } of solved) expect(this.open.delete(key), `${key} ends`).to.equal(true);
  }
}

describe('the open problems', () => {
  it('are told at once, each time, where they are about nothing that a user writes', () => {
    const problems = new OpenProblems();
    const down: JournalProblem = {
      code: 'interface-down',
      about: undefined,
      level: 'error',
      event: 'problem',
      facts: {},
      words: 'down',
    };
    for (let times = 0; times < 20; times += 1) {
      const isDown = times % 2 === 0;
      const { begun, solved } = problems.read(new Map(isDown ? [['down', down]] : []), times);
      expect([begun.length, solved.length]).to.deep.equal(isDown ? [1, 0] : [0, 1]);
    }
  });

  const steps = fc.array(
    fc.record({ found: fc.subarray(keys), takes: fc.constantFrom(0, 1000, 20_000, minute) }),
    { maxLength: 40 },
  );

  const storms = fc.array(
    fc.record({ found: fc.subarray(keys), takes: fc.constantFrom(0, 100, 100, 1000, 1000, 3 * minute) }),
    { maxLength: 60, size: 'max' },
  );

  it('are told in the end as they are, also when they are compared only when they change or are due', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const problems = new OpenProblems();
        const reader = new Reader();
        let [now, before] = [0, ''];
        const read = (found: readonly string[]): void => {
          if (String(found) === before && !problems.isDue(now)) return;
          before = String(found);
          reader.take(problems.read(foundOf(found), now));
        };
        for (const { found, takes } of all) {
          now += takes;
          read(found);
        }
        now += minute;
        read(all.at(-1)?.found ?? []);
        expect([...reader.open].sort()).to.deep.equal(all.at(-1)?.found ?? []);
      }),
      { numRuns: Number(process.env['EIPROUTE_HISTORIES'] ?? 500) },
    );
  });

  it('are told of one object eight times in a minute at most, and at once where nothing was told for a minute', () => {
    fc.assert(
      fc.property(storms, (all) => {
        const problems = new OpenProblems();
        const told: number[] = [];
        let now = 0;
        const reader = new Reader();
        for (const { found, takes } of all) {
          now += takes;
          const own = new Set(found.filter((key) => key.startsWith('a')));
          const turns = problems.read(foundOf([...own]), now);
          const isTold = turns.begun.length + turns.solved.length > 0;
          const isQuiet = told.every((at) => now - at >= 2 * minute);
          if (isQuiet && own.symmetricDifference(reader.open).size > 0) expect(isTold).to.equal(true);
          if (isTold) told.push(now);
          reader.take(turns);
        }
        for (const at of told)
          expect(told.filter((one) => one >= at && one < at + minute).length).to.be.at.most(8);
      }),
      { numRuns: Number(process.env['EIPROUTE_HISTORIES'] ?? 500) },
    );
  });
});
