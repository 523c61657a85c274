import { expect } from 'chai';
import fc from 'fast-check';
import { MessageReader, MessageWriter, Type } from '../../../../src/kernel/netlink/message.ts';
import { RepeatedDump } from '../../../../src/kernel/netlink/repeated.ts';

/** What a message says; its number of words may differ as well. */
interface Said {
  readonly words: readonly number[];
}

/** Counts what it decodes; a message that begins with 0 is not of interest. */
function counting() {
  const counted = { decoded: 0 };
  const dump = new RepeatedDump<Said>({
    type: Type.RTM_GETROUTE,
    encode: () => {},
    decode: (message) => {
      counted.decoded += 1;
      const words: number[] = [];
      for (let at = message.start; at < message.end; at += 4) words.push(message.u32At(at));
      return words[0] === 0 ? undefined : { words };
    },
  });
  return { dump, counted };
}

let sequence = 0;

function tell(dump: RepeatedDump<Said>, all: readonly (readonly number[])[]): void {
  const writer = new MessageWriter(64 * 1024);
  sequence += 1;
  for (const words of all) {
    writer.begin(Type.RTM_NEWROUTE, 0, sequence);
    for (const word of words) writer.u32(word);
    writer.end();
  }
  const reader = new MessageReader(writer.bytes);
  reader.reset(writer.length);
  dump.start();
  while (reader.next()) dump.take(reader);
}

function told(dump: RepeatedDump<Said>, all: readonly (readonly number[])[]): readonly (Said | undefined)[] {
  tell(dump, all);
  return dump.end();
}

const numbers = (count: number): readonly number[][] => Array.from({ length: count }, (_, i) => [7, i]);

describe('a repeated dump', () => {
  it('is the very same array when nothing has changed, and decodes nothing', () => {
    const { dump, counted } = counting();
    const first = told(dump, numbers(1000));
    expect(counted.decoded).to.equal(1000);
    expect(told(dump, numbers(1000))).to.equal(first);
    expect(counted.decoded).to.equal(1000);
  });

  const changes: readonly { name: string; now: readonly number[][]; decoded: number }[] = [
    { name: 'one more', now: numbers(100).toSpliced(50, 0, [8]), decoded: 1 },
    { name: 'one less', now: numbers(100).toSpliced(50, 1), decoded: 0 },
    { name: 'another in the place of one', now: numbers(100).toSpliced(50, 1, [8]), decoded: 1 },
    { name: 'one more at the end', now: numbers(101), decoded: 1 },
    { name: 'the last few gone', now: numbers(90), decoded: 0 },
    { name: 'all gone', now: [], decoded: 0 },
    {
      name: 'a longer message with the same beginning',
      now: numbers(100).toSpliced(50, 1, [7, 50, 0]),
      decoded: 1,
    },
    // Too far apart to find each other again.
    { name: 'many gone', now: numbers(100).toSpliced(20, 40), decoded: 40 },
  ];
  for (const { name, now, decoded } of changes) {
    it(`decodes only what is new: ${name}`, () => {
      const { dump, counted } = counting();
      const before = told(dump, numbers(100));
      counted.decoded = 0;
      const after = told(dump, now);
      expect(after.map((one) => one?.words)).to.deep.equal(now);
      expect(counted.decoded).to.equal(decoded);
      const same = after.filter((one) => before.includes(one)).length;
      expect(same).to.equal(now.length - decoded);
      expect(told(dump, now)).to.equal(after);
    });
  }

  it('decodes what is dumped, whatever was dumped before, also where a dump broke off', () => {
    // Few different messages, so that they meet again in every order.
    const message = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 });
    const dumps = fc.array(fc.record({ all: fc.array(message, { maxLength: 40 }), whole: fc.boolean() }));
    fc.assert(
      fc.property(dumps, (all) => {
        const { dump } = counting();
        for (const { all: words, whole } of all) {
          tell(dump, words);
          if (!whole) continue;
          const wanted = words.map((one) => (one[0] === 0 ? undefined : { words: one }));
          expect(dump.end()).to.deep.equal(wanted);
        }
      }),
    );
  });

  it('decodes what is not made of whole words every time', () => {
    const { dump, counted } = counting();
    const writer = new MessageWriter(64);
    writer.begin(Type.RTM_NEWROUTE, 0, 1);
    writer.u8(1).u8(2).end();
    const half: number[] = [];
    for (let i = 0; i < 2; i += 1) {
      const reader = new MessageReader(writer.bytes);
      reader.reset(writer.length);
      dump.start();
      while (reader.next()) dump.take(reader);
      dump.end();
      half.push(counted.decoded);
    }
    expect(half).to.deep.equal([1, 2]);
  });
});
