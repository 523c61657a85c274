import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { sha256 } from '../../../src/model/sha256.ts';

describe('sha256', () => {
  it('is that of FIPS 180-4', () => {
    expect(sha256('abc').toString('hex')).to.equal(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('is what Node computes, of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(sha256(text).toString('hex')).to.equal(createHash('sha256').update(text).digest('hex'));
      }),
    );
  });

  it('is what Node computes where the padding needs a block of its own, and of many blocks', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 20_000]) {
      const text = 'x'.repeat(length);
      expect(sha256(text).toString('hex'), `${length} bytes`).to.equal(
        createHash('sha256').update(text).digest('hex'),
      );
    }
  });
});
