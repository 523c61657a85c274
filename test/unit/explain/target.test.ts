import { expect } from 'chai';
import { parseTarget } from '../../../src/explain/target.ts';

describe('parseTarget', () => {
  const cases: Readonly<Record<string, string | undefined>> = {
    '198.51.100.10': '198.51.100.10',
    '198.51.100.10:80': '198.51.100.10 80',
    '2001:DB8:e::10': '2001:db8:e::10',
    '[2001:db8:e::10]:443': '2001:db8:e::10 443',
    web: 'web',
    'default/web-1': 'default/web-1',
    '1st/web': '1st/web',
    '198.51.100.10:0': undefined,
    '198.51.100.10:65536': undefined,
    '198.51.100.10/24': undefined,
    '198.51.100.256': undefined,
    'web:80': undefined,
    'a/b/c': undefined,
    'Default/Web': undefined,
    '': undefined,
  };
  for (const [text, want] of Object.entries(cases)) {
    it(`reads "${text}" as ${want ?? 'nothing'}`, () => {
      const found = parseTarget(text);
      expect(found && [found.of, found.port].filter((part) => part !== undefined).join(' ')).to.equal(want);
    });
  }
});
