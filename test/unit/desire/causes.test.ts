import { expect } from 'chai';
import { causes } from '../../../src/desire/causes.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { Problem, ProblemCode } from '../../../src/model/problem.ts';

const A = parseIp('198.51.100.10');
const B = parseIp('198.51.100.11');
const six = parseIp('2001:db8:e::10');

function problem(code: ProblemCode, rest: Partial<Problem>): Problem {
  return { code, severity: 'warn', subject: code, message: 'it is so', advice: 'change it', ...rest };
}
const twice = (eip: typeof A, names = 'default/dup and default/web'): Problem =>
  problem('eip-port-twice', {
    severity: 'error',
    subject: `${eip} TCP/80`,
    message: `Services ${names} hold ${eip} with the same port TCP/80: one is served`,
    eip,
  });
const waits = (eip: typeof A | undefined): Problem =>
  problem('service-waits', { service: 'default/dup', ...(eip && { eip }) });
const held = (eip: typeof A, severity: Problem['severity'] = 'warn'): Problem =>
  problem('eip-held-by-another', { severity, eip, service: 'default/dup' });

const shown = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ code, eip = 'no one EIP', service = '' }) => `${code} ${eip} ${service}`.trim());

describe('one cause', () => {
  it('is one problem: two Services with one port on both of their addresses', () => {
    const [one, ...more] = causes([twice(A), twice(six), problem('node-silent', {})], true).toReversed();
    expect(more.map(({ code }) => code)).to.deep.equal(['node-silent']);
    expect(one).to.deep.equal({
      code: 'eip-port-twice',
      severity: 'error',
      subject: '198.51.100.10 and 2001:db8:e::10 TCP/80',
      message:
        'Services default/dup and default/web hold 198.51.100.10 and 2001:db8:e::10 with the same port TCP/80: one is served',
      advice: 'change it',
    });
  });

  it('is one problem of EIPs that no node can carry for one reason, in whatever words each is told', () => {
    const without = (eip: typeof A, reason: string): Problem =>
      problem('eip-no-node', { subject: eip, message: `nobody has ${eip}`, eip, reason });
    const same = [without(A, 'no node has an address'), without(B, 'no node has an address')];
    const [one, ...more] = causes([...same, without(six, 'they are gone')], true);
    expect(more).to.deep.equal([without(six, 'they are gone')]);
    expect(one).to.deep.equal({
      code: 'eip-no-node',
      severity: 'warn',
      subject: 'EIPs, as no node has an address',
      message:
        'no node can carry 198.51.100.10, 198.51.100.11, whose Services have ready endpoints: no node has an address',
      advice: 'change it',
      reason: 'no node has an address',
    });
  });

  it('is not that of other Services', () => {
    const two = [twice(A), twice(B, 'default/a and default/b')];
    expect(causes(two, true)).to.deep.equal(two);
  });

  it('is told by the allocation of a Service that waits for the address that it names', () => {
    expect(shown(causes([held(A), waits(A)], true))).to.deep.equal([`service-waits ${A} default/dup`]);
  });

  it('is another one for another address, for a wait for any, and for a status that somebody wrote', () => {
    for (const two of [
      [held(B), waits(A)],
      [held(A), waits(undefined)],
      [held(A, 'error'), waits(A)],
    ])
      expect(causes(two, true)).to.deep.equal(two);
  });
});
