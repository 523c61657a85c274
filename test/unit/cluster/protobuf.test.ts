import { expect } from 'chai';
import fc from 'fast-check';
import { ProtobufError, ProtobufReader } from '../../../src/cluster/protobuf.ts';

/** A varint, as its definition says: seven bits a byte, the lowest first. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

function reader(...bytes: readonly number[]): ProtobufReader {
  return new ProtobufReader(Buffer.from(bytes));
}

/** Of a field 1 with this value. */
function only<T>(bytes: readonly number[], read: (reader: ProtobufReader) => T): T {
  const it = reader(8, ...bytes);
  expect(it.next()).to.equal(true);
  const value = read(it);
  expect(it.next()).to.equal(false);
  return value;
}

describe('ProtobufReader', () => {
  it('reads numbers of any size', () => {
    const edges = [0n, 127n, 128n, 2n ** 28n, 2n ** 31n - 1n, 2n ** 32n, 2n ** 35n, 2n ** 53n - 1n];
    const numbers = fc.oneof(
      fc.constantFrom(...edges, ...edges.map((edge) => -edge)),
      fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
    );
    fc.assert(
      fc.property(numbers, (number) => {
        expect(only(varint(number), (it) => it.int64())).to.equal(Number(number));
        expect(only(varint(number), (it) => it.int32())).to.equal(Number(BigInt.asIntN(32, number)));
        expect(only(varint(number), (it) => it.bool())).to.equal(number !== 0n);
      }),
    );
  });

  it('reads short texts anywhere in a long page, forwards and backwards', () => {
    const texts = Array.from({ length: 30_000 }, (_, i) => `t${i}`);
    const places: (readonly [start: number, end: number, text: string])[] = [];
    const bytes: number[] = [];
    for (const text of texts) {
      const start = bytes.length;
      bytes.push(10, text.length, ...Buffer.from(text));
      places.push([start, bytes.length, text]);
    }
    const it = new ProtobufReader(Buffer.from(bytes));
    for (const [start, end, text] of [...places, ...places.toReversed().filter((_, i) => i % 100 === 0)]) {
      it.seek(start, end);
      expect(it.next()).to.equal(true);
      expect(it.text()).to.equal(text);
    }
  });

  it('reads texts, and gives one of the same bytes again for words', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 30 }), { maxLength: 20 }), (texts) => {
        const fields = texts.map((text) => {
          const bytes = Buffer.from(text);
          return [10, ...varint(BigInt(bytes.length)), ...bytes];
        });
        for (const read of [(it: ProtobufReader) => it.text(), (it: ProtobufReader) => it.word()]) {
          const it = reader(...fields.flat());
          const found: string[] = [];
          while (it.next()) found.push(read(it));
          expect(found).to.deep.equal(texts);
        }
      }),
    );
  });

  it('skips numbers, bytes, 32 and 64 bits, and what is packed', () => {
    const skipped = [
      [8, ...varint(-1n)],
      [17, 1, 2, 3, 4, 5, 6, 7, 8],
      [26, 3, 1, 2, 3],
      [37, 1, 2, 3, 4],
      [...varint((536_870_911n << 3n) | 2n), 0],
    ];
    const it = reader(...skipped.flat(), 48, 7);
    for (const field of [1, 2, 3, 4, 536_870_911]) {
      expect(it.next()).to.equal(true);
      expect(it.field).to.equal(field);
      it.skip();
    }
    expect(it.next()).to.equal(true);
    expect([it.field, it.int32(), it.next()]).to.deep.equal([6, 7, false]);
  });

  it('reads nothing beyond a message that is in another', () => {
    const it = reader(10, 2, 8, 5, 16, 7);
    it.next();
    const inner = it.message((message) => {
      const found: number[] = [];
      while (message.next()) found.push(message.field, message.int32());
      return found;
    });
    expect(inner).to.deep.equal([1, 5]);
    expect([it.next(), it.field, it.int32(), it.next()]).to.deep.equal([true, 2, 7, false]);
  });

  const broken: readonly { name: string; bytes: readonly number[]; says: RegExp }[] = [
    {
      name: 'a text that is longer than the rest',
      bytes: [10, 3, 65, 66],
      says: /in the middle of a field, at byte 2/,
    },
    { name: 'a text longer than any', bytes: [10, ...varint(2n ** 40n)], says: /in the middle of a field/ },
    { name: 'half of a number', bytes: [8, 255], says: /in the middle of a number, at byte 2/ },
    { name: 'a number of eleven bytes', bytes: [8, ...Array(10).fill(255), 1], says: /more than ten bytes/ },
    { name: 'half of 64 bits', bytes: [9, 1, 2, 3], says: /in the middle of a field/ },
    { name: 'half of 32 bits', bytes: [13, 1, 2, 3], says: /in the middle of a field/ },
    { name: 'field 0', bytes: [2, 0], says: /no valid number/ },
    { name: 'a field number beyond 32 bits', bytes: varint(2n ** 36n + 8n), says: /no valid number/ },
    { name: 'a group', bytes: [11], says: /field 1 is a group, which Kubernetes does not use/ },
  ];
  for (const { name, bytes, says } of broken) {
    it(`refuses ${name}`, () => {
      const skip = (): void => {
        const it = reader(...bytes);
        while (it.next()) it.skip();
      };
      expect(skip).to.throw(ProtobufError, says);
    });
  }

  it('refuses a field of another type than its message says', () => {
    const text = reader(8, 1);
    text.next();
    expect(() => text.text()).to.throw(ProtobufError, 'field 1 is a varint instead of bytes, at byte 1');
    const number = reader(10, 0);
    number.next();
    expect(() => number.int32()).to.throw(ProtobufError, 'field 1 is bytes instead of a varint, at byte 1');
  });
});
