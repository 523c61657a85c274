import { expect } from 'chai';
import fc from 'fast-check';
import { jsonLines } from '../../../src/cluster/lines.ts';
import { ProtocolError } from '../../../src/cluster/transport.ts';

async function* chunksOf(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [index, start] of places.entries()) {
    const end = places[index + 1];
    if (end !== undefined) yield bytes.subarray(start, end);
  }
}

async function all(chunks: AsyncIterable<Buffer>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const batch of jsonLines(chunks)) values.push(...batch);
  return values;
}

describe('jsonLines', () => {
  it('gives the same values however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        async (values, cuts) => {
          const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
          const back = await all(chunksOf(Buffer.from(text), cuts));
          expect(JSON.stringify(back)).to.equal(JSON.stringify(values));
        },
      ),
    );
  });

  it('hands a batch on as soon as its line is whole', async () => {
    const lines = jsonLines(chunksOf(Buffer.from('1\n2\n3\n4'), [3, 5]));
    expect((await lines.next()).value).to.deep.equal([1]);
    expect((await lines.next()).value).to.deep.equal([2]);
  });

  it('says when the stream ends within a value', async () => {
    const error = await all(chunksOf(Buffer.from('{"a":1}\n{"b"'), [])).catch((caught: unknown) => caught);
    expect(String(error)).to.contain('in the middle of an event');
  });

  it('gives up a line without an end, and keeps no more of it', async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n');
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      // The same chunk again and again takes no memory here.
      for (; sent < 200; sent += 1) yield chunk;
    }
    const error = await all(endless()).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(ProtocolError);
    expect(String(error)).to.contain('more than 67108864 bytes of one watch event');
    expect(sent).to.equal(64);
  });

  it('says what it found when a line is no JSON', async () => {
    const error = await all(chunksOf(Buffer.from('<html>\n'), [])).catch((caught: unknown) => caught);
    expect(String(error)).to.contain('no JSON: <html>');
  });
});
