import { expect } from 'chai';
import { mostRules, networkRules } from '../../../src/desire/network-rules.ts';
import { parsePrefix } from '../../../src/model/ip.ts';

describe('the rules for networks', () => {
  const networks = (count: number) => Array.from({ length: count }, (_, i) => parsePrefix(`10.0.${i}.0/28`));
  const six = parsePrefix('2001:db8:e::/64');

  it('are one for each network of the family, and no set', () => {
    const both = [...networks(2), six];
    expect(networkRules(4, 'daddr', both, 'jump there')).to.deep.equal([
      'ip daddr 10.0.0.0/28 jump there',
      'ip daddr 10.0.1.0/28 jump there',
    ]);
    expect(networkRules(6, 'saddr', both, 'drop')).to.deep.equal(['ip6 saddr 2001:db8:e::/64 drop']);
    expect(networkRules(6, 'saddr', networks(2), 'drop')).to.deep.equal([]);
    expect(networkRules(4, 'daddr', networks(mostRules), 'drop')).to.have.length(mostRules);
  });

  it('are one with a set for many: each rule costs every packet', () => {
    const [rule, ...others] = networkRules(4, 'daddr', [...networks(mostRules + 1), six], 'drop');
    expect(others).to.deep.equal([]);
    expect(rule).to.match(/^ip daddr \{ 10\.0\.0\.0\/28, .*, 10\.0\.32\.0\/28 \} drop$/);
    expect(rule).not.to.contain('2001');
  });
});
