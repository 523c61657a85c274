import { expect } from 'chai';
import fc from 'fast-check';
import { compareIp, parseIp } from '../../../src/model/ip.ts';
import { mostUrgentFirst, type Need } from '../../../src/status/need.ts';

const eips = ['9.0.0.1', '10.0.0.1', '198.51.100.200', '2001:db8::9', '2001:db8::10', '2001:db8:1::'].map(
  parseIp,
);

const needs = fc.array(
  fc.record({
    kind: fc.constantFrom('EIP', 'NODE'),
    code: fc.constant('fight' as const),
    severity: fc.constantFrom('error' as const, 'warn' as const),
    subject: fc.constantFrom('a', 'b'),
    where: fc.constant(undefined),
    why: fc.constant(''),
    advice: fc.constant(''),
    eip: fc.option(fc.constantFrom(...eips), { nil: undefined }),
  }),
);

/** Errors first, then what is about no EIP, then by address, and by kind and subject. */
function compare(a: Need, b: Need): number {
  const bySeverity = Number(b.severity === 'error') - Number(a.severity === 'error');
  const byEip = Number(a.eip !== undefined) - Number(b.eip !== undefined);
  if (bySeverity !== 0 || byEip !== 0) return bySeverity || byEip;
  if (a.eip !== undefined && b.eip !== undefined) return compareIp(a.eip, b.eip);
  return a.kind.localeCompare(b.kind) || a.subject.localeCompare(b.subject);
}

describe('what needs a person', () => {
  it('stands in the order in which it stops the work, and that of its addresses', () => {
    fc.assert(
      fc.property(needs, (some) => {
        expect(mostUrgentFirst(some)).to.deep.equal([...some].sort(compare));
      }),
    );
  });
});
