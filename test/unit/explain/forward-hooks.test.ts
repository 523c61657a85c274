import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { allowance } from '../../../src/explain/firewall-managers.ts';
import { judgeForward, type Packet } from '../../../src/explain/forward-hooks.ts';
import { parseIp } from '../../../src/model/ip.ts';

const packet: Packet = {
  iif: 'eth1',
  oif: 'eth0',
  source: parseIp('203.0.113.7'),
  destination: parseIp('198.51.100.10'),
  protocol: 'TCP',
  port: 80,
  translated: false,
};

type Json = Readonly<Record<string, unknown>>;

const is = (left: Json, right: unknown, op = '=='): Json => ({ match: { op, left, right } });
const iif = { meta: { key: 'iifname' } };
const oif = { meta: { key: 'oifname' } };
const dport = { payload: { protocol: 'tcp', field: 'dport' } };
const daddr = { payload: { protocol: 'ip', field: 'daddr' } };
const state = { ct: { key: 'state' } };
const mark = { meta: { key: 'mark' } };
const [accept, drop] = [{ accept: null }, { drop: null }];

/** A ruleset with one forward chain, and further chains by name. */
function ruleset(
  policy: 'accept' | 'drop',
  rules: readonly (readonly Json[])[],
  more: Readonly<Record<string, readonly (readonly Json[])[]>> = {},
  family = 'inet',
) {
  const of = { family, table: 'filter' };
  const chains = Object.entries({ forward: rules, ...more });
  return {
    nftables: [
      ...chains.map(([name]) => ({
        chain: name === 'forward' ? { ...of, name, hook: 'forward', policy } : { ...of, name },
      })),
      { set: { ...of, name: 'eips', elem: ['192.0.2.1', { prefix: { addr: '198.51.100.0', len: 24 } }] } },
      ...chains.flatMap(([chain, all]) =>
        all.map((expr, i) => ({ rule: { ...of, chain, handle: i + 1, expr } })),
      ),
    ],
  };
}

describe('judgeForward', () => {
  const cases: readonly (readonly [what: string, ruleset: unknown, verdict: string])[] = [
    ['passes an empty ruleset', { nftables: [] }, 'passes'],
    ['passes a chain that accepts', ruleset('accept', []), 'passes'],
    ['drops by the policy', ruleset('drop', []), 'drops chain inet filter forward, its policy drop'],
    [
      'passes a rule that accepts it',
      ruleset('drop', [[is(iif, 'eth1'), is(oif, { set: ['eth0', 'eth2'] }), accept]]),
      'passes',
    ],
    ['takes the packet for a new connection', ruleset('drop', [[is(state, 'new'), accept]]), 'passes'],
    [
      'does not take established for new',
      ruleset('drop', [[is(state, ['established', 'related'], 'in'), accept]]),
      'drops chain inet filter forward, its policy drop',
    ],
    [
      'drops by a rule',
      ruleset('accept', [[is(dport, { range: [80, 90] }), drop]]),
      'drops chain inet filter forward, rule handle 1',
    ],
    [
      'rejects by a rule',
      ruleset('accept', [[is(dport, 443), drop], [{ reject: {} }]]),
      'drops chain inet filter forward, rule handle 2',
    ],
    [
      'reads networks',
      ruleset('drop', [[is(daddr, { prefix: { addr: '198.51.100.0', len: 24 } }), accept]]),
      'passes',
    ],
    [
      'reads what is not',
      ruleset('accept', [[is(daddr, { prefix: { addr: '10.0.0.0', len: 8 } }, '!='), drop]]),
      'drops chain inet filter forward, rule handle 1',
    ],
    ['reads named sets', ruleset('drop', [[is(daddr, '@eips'), accept]]), 'passes'],
    ['reads stars', ruleset('drop', [[is(iif, 'eth*'), accept]]), 'passes'],
    [
      'passes by IPv4 what is about IPv6',
      ruleset('accept', [[is({ payload: { protocol: 'ip6', field: 'daddr' } }, '::'), drop]]),
      'passes',
    ],
    ['leaves other families alone', ruleset('drop', [], {}, 'ip6'), 'passes'],
    [
      'reads the chains of iptables',
      ruleset('drop', [], {}, 'ip'),
      'drops chain ip filter forward, its policy drop',
    ],
    [
      'is not sure about a mark',
      ruleset('accept', [[is(mark, 7), drop]]),
      'unclear chain inet filter forward, rule handle 1',
    ],
    [
      'is sure where a rule before it accepts',
      ruleset('accept', [
        [is(iif, 'eth1'), accept],
        [is(mark, 7), drop],
      ]),
      'passes',
    ],
    [
      'is not sure about a match of iptables',
      ruleset('drop', [[{ xt: { type: 'match', name: 'conntrack' } }, accept]]),
      'unclear chain inet filter forward, its policy drop',
    ],
    [
      'passes over comments and counters',
      ruleset('drop', [[{ xt: { type: 'match', name: 'comment' } }, { counter: {} }, accept]]),
      'passes',
    ],
    [
      'is not sure about a verdict map',
      ruleset('accept', [[{ vmap: { key: state, data: '@m' } }]]),
      'unclear chain inet filter forward, rule handle 1',
    ],
    [
      'follows a jump',
      ruleset('accept', [[{ jump: { target: 'more' } }]], { more: [[is(dport, 80), drop]] }),
      'drops chain inet filter more, rule handle 1',
    ],
    [
      'comes back from a jump',
      ruleset('drop', [[{ jump: { target: 'more' } }], [accept]], { more: [[{ return: null }], [drop]] }),
      'passes',
    ],
    [
      'does not come back from a goto',
      ruleset('drop', [[{ goto: { target: 'more' } }], [accept]], { more: [] }),
      'drops chain inet filter forward, its policy drop',
    ],
    [
      'ends in a circle',
      ruleset('drop', [[{ jump: { target: 'more' } }], [accept]], { more: [[{ jump: { target: 'more' } }]] }),
      'passes',
    ],
  ];
  for (const [what, rules, verdict] of cases) {
    it(what, () => {
      const found = judgeForward(rules, packet);
      expect(found.kind === 'passes' ? 'passes' : `${found.kind} ${found.by}`).to.equal(verdict);
    });
  }

  it('is not sure about a port where none was asked for', () => {
    const rules = ruleset('drop', [[is(dport, 80), accept]]);
    const found = judgeForward(rules, { ...packet, port: undefined });
    expect(found.kind).to.equal('unclear');
  });
});

describe('what a firewall has to be told', () => {
  const foreign = (more: readonly string[], family = 'ip'): unknown => {
    const found = ruleset('drop', [], Object.fromEntries(more.map((name) => [name, []])), family);
    return JSON.parse(JSON.stringify(found).replaceAll('"forward","hook"', '"FORWARD","hook"'));
  };
  const told = (rules: unknown, to = packet): string => {
    const verdict = judgeForward(rules, to);
    if (verdict.kind !== 'drops') return verdict.kind;
    return verdict.manager === undefined
      ? 'nobody known'
      : allowance(verdict.manager, verdict.by, 'eth1', 'eth0');
  };

  it('is in the words of who made the chain', () => {
    expect(told(foreign(['ufw-before-forward']))).to.equal('ufw route allow in on eth1 out on eth0');
    expect(told(foreign(['ufw-before-forward', 'DOCKER-USER']))).to.equal(
      'iptables -I DOCKER-USER -i eth1 -o eth0 -j ACCEPT && iptables -I DOCKER-USER -i eth0 -o eth1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    );
    const ipv6 = { ...packet, source: parseIp('2001:db8::7'), destination: parseIp('2001:db8:10::11') };
    expect(told(foreign(['DOCKER-USER'], 'ip6'), ipv6)).to.match(
      /^ip6tables -I DOCKER-USER -i eth1 -o eth0 -j ACCEPT && ip6tables -I DOCKER-USER -i eth0 -o eth1 /,
    );
    const firewalld = JSON.parse(
      JSON.stringify(ruleset('drop', [])).replaceAll('"table":"filter"', '"table":"firewalld"'),
    );
    expect(told(firewalld)).to.match(
      /firewall-cmd --permanent --new-policy=eiproute && .* --set-target=ACCEPT && firewall-cmd --reload$/,
    );
  });

  it('is not known of a chain that a person made', () => {
    expect(told(ruleset('drop', []))).to.equal('nobody known');
    // Docker has a table of its own, and another one drops.
    expect(told(ruleset('drop', [], { 'DOCKER-USER': [] }))).to.equal('nobody known');
  });
});

/** As Debian 12 makes them; `test/host/firewalls.test.ts` has the programs themselves. */
describe('the real rules of other programs', () => {
  const packets = {
    IPv4: { ...packet, port: undefined },
    IPv6: {
      ...packet,
      port: undefined,
      source: parseIp('2001:db8:5::fe'),
      destination: parseIp('2001:db8:e::10'),
    },
  };
  const read = (name: string): string =>
    readFileSync(new URL(`../../fixtures/firewalls/${name}`, import.meta.url), 'utf8');
  const judged = (name: string, one: Packet, text = read(`${name}.txt`)): string => {
    const verdict = judgeForward(JSON.parse(read(`${name}.json`)), one, text);
    return verdict.kind === 'passes'
      ? 'passes'
      : `${verdict.kind}: ${verdict.by}${verdict.kind === 'drops' ? ` of ${verdict.manager}` : ''}`;
  };

  for (const [name, IPv4, IPv6] of [
    [
      'ufw',
      'drops: chain ip filter FORWARD, its policy drop of ufw',
      'drops: chain ip6 filter FORWARD, its policy drop of ufw',
    ],
    ['ufw-allowed', 'passes', 'passes'],
    [
      'firewalld',
      /^drops: chain inet firewalld filter_FWD_public, rule handle \d+ of firewalld$/,
      /^drops: chain inet firewalld filter_FWD_public, rule handle \d+ of firewalld$/,
    ],
    ['firewalld-allowed', 'passes', 'passes'],
    ['docker', 'drops: chain ip filter FORWARD, its policy drop of docker', 'passes'],
  ] as const) {
    it(name, () => {
      for (const [found, wanted] of [
        [judged(name, packets.IPv4), IPv4],
        [judged(name, packets.IPv6), IPv6],
      ] as const)
        if (typeof wanted === 'string') expect(found).to.equal(wanted);
        else expect(found).to.match(wanted);
    });
  }

  it('pass what has been translated, where firewalld looks for that', () => {
    for (const one of Object.values(packets))
      expect(judged('firewalld', { ...one, translated: true })).to.equal('passes');
  });

  it('are unclear where their states are not known', () => {
    expect(judged('ufw', packets.IPv4, '')).to.match(/^unclear: chain ip filter /);
  });
});
