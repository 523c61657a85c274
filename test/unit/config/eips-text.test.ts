import { expect } from 'chai';
import { readEipsText } from '../../../src/config/eips-text.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { AgentGateway } from '../../../src/model/node-agent.ts';

const gateways: readonly AgentGateway[] = [
  { address: parseIp('10.0.0.1'), table: 101, mark: 0x00100000 },
  { address: parseIp('2001:db8:10::1'), table: 101, mark: 0x00100000 },
];
const both = ['198.51.100.0/24', '2001:db8:e::/64'];

describe('the EIP networks of a ConfigMap', () => {
  const good: readonly (readonly [what: string, text: string, eips: readonly string[]])[] = [
    ['lines', '198.51.100.0/24\n2001:db8:e::/64\n', both],
    ['lines of Windows', '198.51.100.0/24\r\n2001:db8:e::/64\r\n', both],
    ['lines with comments', '# ours\n\n  2001:db8:e::/64  # six\n198.51.100.0/24', both],
    ['a list in YAML', '- 198.51.100.0/24 # four\n- "2001:db8:e::/64"\n', both],
    ['a list in YAML behind a comment', '# ours\n- 2001:db8:e::/64\n- 198.51.100.0/24\n', both],
    ['a list in JSON', '["198.51.100.0/24", "2001:db8:e::/64"]', both],
    ['a list in JSON over several lines', '[\n  "198.51.100.0/24",\n  "2001:db8:e::/64"\n]\n', both],
    ['a range', '198.51.100.8-198.51.100.12', ['198.51.100.8/30', '198.51.100.12/32']],
    ['an address', '198.51.100.7', ['198.51.100.7/32']],
  ];
  for (const [what, text, eips] of good) {
    it(`may be ${what}`, () => {
      expect(readEipsText(text, gateways)).to.deep.equal({ kind: 'read', eips });
    });
  }

  const thousand = Array.from({ length: 1001 }, (_, i) => `2001:db8:e::${i.toString(16)}`).join('\n');
  const wrong: readonly (readonly [what: string, text: string, why: RegExp])[] = [
    ['nothing', '', /^eips: is an empty list/],
    ['comments alone', '# soon\n', /^eips: is an empty list/],
    ['an empty list', '[]', /^eips: is an empty list/],
    ['words', 'tbd', /^eips\[0\]: .*tbd/],
    ['a section', 'eips:\n- 198.51.100.0/24', /^eips\[0\]: .*eips:/],
    ['numbers', '- 7', /^eips\[0\]: must be a network, not a number/],
    ['a list that does not end', '[198.51.100.0/24', /^line \d+ is not YAML/],
    ['host bits', '198.51.100.7/24', /^eips\[0\]: .*198\.51\.100\.0\/24/],
    ['loopback', '127.0.0.0/8', /^eips\[0\]: .*\(loopback\)/],
    ['everything', '0.0.0.0/0', /^eips\[0\]: .*no EIP can have/],
    ['overlaps', '198.51.100.0/24\n198.51.100.7-198.51.100.9', /^eips\[1\]: .* overlaps 198\.51\.100\.0\/24/],
    ['a gateway', '10.0.0.0/24', /^gateways\[0\]: 10\.0\.0\.1 is inside 10\.0\.0\.0\/24/],
    ['more than a kernel should look at', thousand, /^eips: has 1001 entries/],
    ['many mistakes', 'a\nb\nc\nd\ne', /^eips\[0\].*; eips\[1\].*; eips\[2\].*; and 2 more$/],
  ];
  for (const [what, text, why] of wrong) {
    it(`are refused when it holds ${what}`, () => {
      const found = readEipsText(text, gateways);
      expect(found.kind === 'refused' && found.why).to.match(why);
    });
  }

  it('are refused without a gateway of their family', () => {
    const found = readEipsText('2001:db8:e::/64', gateways.slice(0, 1));
    expect(found.kind === 'refused' && found.why).to.match(/has no IPv6 address, but eips holds/);
  });
});
