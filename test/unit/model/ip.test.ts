import { isIP } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  compareIp,
  contains,
  family,
  hostPrefix,
  ipBytes,
  ipFromBytes,
  ipFromNumber,
  ipNumber,
  isWithin,
  networkOf,
  onlyIp,
  overlaps,
  parseIp,
  parsePrefix,
  rangePrefixes,
  remainder,
} from '../../../src/model/ip.ts';

const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const v6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .filter((bytes) => bytes.slice(0, 10).some((byte) => byte !== 0))
  .map(ipFromBytes);
const anyIp = fc.oneof(v4, v6);

describe('parseIp', () => {
  it('gives one text to one address', () => {
    expect(parseIp('2001:DB8:0:0:0:0:0:1')).to.equal('2001:db8::1');
    expect(parseIp('198.51.100.7')).to.equal('198.51.100.7');
  });

  for (const text of [
    '',
    '198.51.100',
    '198.51.100.256',
    '198.051.100.1',
    'node1',
    'fe80::1%eth0',
    '::ffff:192.0.2.1',
  ]) {
    it(`refuses "${text}"`, () => {
      expect(() => parseIp(text)).to.throw(RangeError);
    });
  }

  it('returns what ipFromBytes wrote', () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        expect(parseIp(ip)).to.equal(ip);
        expect(ipFromBytes(ipBytes(ip))).to.equal(ip);
        expect(ipFromNumber(ipNumber(ip), family(ip))).to.equal(ip);
      }),
    );
  });
});

describe('an IPv4 address', () => {
  it('is what Node takes for one, and of its family by its first characters', () => {
    const octet = fc.oneof(
      fc.nat(300).map(String),
      fc.nat(9).map((digit) => `0${digit}`),
      fc.constant(''),
    );
    const likely = fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join('.'));
    const any = fc.string({ unit: fc.constantFrom(...'0123456789.:a /'), maxLength: 16 });
    fc.assert(
      fc.property(fc.oneof(likely, any), (text) => {
        const parse = () => parseIp(text);
        if (isIP(text) === 4) expect(family(parse())).to.equal(4);
        else if (isIP(text) === 0) expect(parse).to.throw(RangeError);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(anyIp, (ip) => {
        expect(family(ip)).to.equal(ip.includes(':') ? 6 : 4);
      }),
    );
  });
});

describe('parsePrefix', () => {
  it('takes a single address as a network of one', () => {
    expect(parsePrefix('198.51.100.7')).to.equal('198.51.100.7/32');
    expect(onlyIp(parsePrefix('2001:db8::7'))).to.equal('2001:db8::7');
  });

  it('names the network when host bits are set', () => {
    expect(() => parsePrefix('198.51.100.7/24')).to.throw(RangeError, '198.51.100.0/24');
  });

  for (const text of [
    '198.51.100.0/33',
    '198.51.100.0/',
    '198.51.100.0/-1',
    '198.51.100.0/2e1',
    '198.51.100.0/024',
    '198.51.100.0/00',
    '2001:db8::/064',
    '2001:db8::/129',
  ]) {
    it(`refuses "${text}"`, () => {
      expect(() => parsePrefix(text)).to.throw(RangeError);
    });
  }
});

describe('networks', () => {
  it('contain and overlap', () => {
    const net = parsePrefix('198.51.100.0/25');
    expect(contains(net, parseIp('198.51.100.127'))).to.equal(true);
    expect(contains(net, parseIp('198.51.100.128'))).to.equal(false);
    expect(contains(net, parseIp('2001:db8::1'))).to.equal(false);
    expect(overlaps(net, parsePrefix('198.51.100.0/24'))).to.equal(true);
    expect(overlaps(net, parsePrefix('198.51.100.128/25'))).to.equal(false);
  });

  it('cover a range exactly', () => {
    expect(rangePrefixes(parseIp('192.0.2.10'), parseIp('192.0.2.20'))).to.deep.equal([
      '192.0.2.10/31',
      '192.0.2.12/30',
      '192.0.2.16/30',
      '192.0.2.20/32',
    ]);
    expect(rangePrefixes(parseIp('0.0.0.0'), parseIp('255.255.255.255'))).to.deep.equal(['0.0.0.0/0']);
  });

  it('cover every address of a range once and none beside it', () => {
    fc.assert(
      fc.property(v4, fc.integer({ min: 0, max: 300 }), (first, size) => {
        const end = ipNumber(first) + BigInt(size);
        fc.pre(end < 1n << 32n);
        const prefixes = rangePrefixes(first, ipFromNumber(end, 4));
        for (let at = ipNumber(first) - 1n; at <= end + 1n; at += 1n) {
          if (at < 0n || at >= 1n << 32n) continue;
          const ip = ipFromNumber(at, 4);
          const holders = prefixes.filter((prefix) => contains(prefix, ip)).length;
          expect(holders).to.equal(at >= ipNumber(first) && at <= end ? 1 : 0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('sort addresses as numbers, IPv4 first', () => {
    const sorted = ['2001:db8::1', '198.51.100.10', '198.51.100.9'].map(parseIp).sort(compareIp);
    expect(sorted).to.deep.equal(['198.51.100.9', '198.51.100.10', '2001:db8::1']);
    expect(hostPrefix(parseIp('198.51.100.9'))).to.equal('198.51.100.9/32');
  });
});

describe('remainder', () => {
  /** Networks in 198.51.100.0/24 that often meet. */
  const small = fc
    .record({ last: fc.integer({ min: 0, max: 255 }), length: fc.integer({ min: 24, max: 32 }) })
    .map(({ last, length }) => networkOf(parseIp(`198.51.100.${last}`), length));

  it('holds exactly the addresses that are in none of the others', () => {
    fc.assert(
      fc.property(small, fc.array(small, { maxLength: 5 }), (network, others) => {
        const rest = remainder(network, others);
        for (let last = 0; last < 256; last += 1) {
          const ip = parseIp(`198.51.100.${last}`);
          const want = contains(network, ip) && !others.some((other) => contains(other, ip));
          expect(rest.filter((one) => contains(one, ip)).length, ip).to.equal(want ? 1 : 0);
        }
        expect(rest.every((one) => isWithin(one, network))).to.equal(true);
      }),
    );
  });

  it('is quick for IPv6', () => {
    const [first, ...more] = remainder(parsePrefix('2001:db8:e::/64'), [parsePrefix('2001:db8:e::7')]);
    expect(first).to.equal('2001:db8:e::/126');
    expect(more).to.have.length(63);
    expect(remainder(parsePrefix('2001:db8:e::/64'), [parsePrefix('2001:db8::/32')])).to.deep.equal([]);
  });
});
