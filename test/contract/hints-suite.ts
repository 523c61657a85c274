import { expect } from 'chai';
import type { Hint } from '../../src/kernel/kernel.ts';
import { late } from '../patience.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { foreign, group, groupId, nexthop, nexthopId, route, rule, sysctl } from './objects.ts';
import { adding, deleting, foreignTwin, lan, replacing, Scenario, samples, settings } from './scenario.ts';

export function describeHints(make: MakeKernelFixture): void {
  describe('hints', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
      await scenario.add(...scenario.nodes());
    });
    afterEach(() => scenario.close());

    /** The kinds heard of a deed; a rule in our name that another program adds after it closes the list. */
    async function heard(deed: () => Promise<unknown>): Promise<readonly Hint['kind'][]> {
      const end = new AbortController();
      const hints = scenario.kernel.hints(AbortSignal.any([end.signal, late()]));
      // Before a listing all is news; after it only what concerns us.
      await scenario.list();
      await deed();
      await scenario.meddle(rule(4, 31_999, 99));
      const kinds: Hint['kind'][] = [];
      for await (const { kind } of hints) {
        if (kind === 'rule') {
          end.abort();
          return kinds;
        }
        kinds.push(kind);
      }
      throw new Error(`the closing rule was not heard of in time, only: ${kinds.join(', ')}`);
    }

    const ours = route('192.0.2.200', { nhid: nexthopId(1) });
    const ours6 = route('2001:db8:1::200', { nhid: nexthopId(11) });
    const inTheWay = route('192.0.2.201', { nhid: nexthopId(1), protocol: foreign });
    const deeds: readonly (readonly [string, Hint['kind'], (scenario: Scenario) => Promise<unknown>])[] = [
      ['deletes our IPv4 route', 'route', (at) => at.fixture.meddle(deleting(ours))],
      ['deletes our IPv6 route', 'route', (at) => at.fixture.meddle(deleting(ours6))],
      ['takes our IPv4 route over', 'route', (at) => at.fixture.meddle(replacing(ours, foreignTwin(ours)))],
      ['takes our IPv6 route over', 'route', (at) => at.fixture.meddle(replacing(ours6, foreignTwin(ours6)))],
      [
        'adds an IPv4 route in our name',
        'route',
        (at) => at.meddle(route('192.0.2.1', { nhid: nexthopId(1) })),
      ],
      [
        'adds an IPv6 route in our name',
        'route',
        (at) => at.meddle(route('2001:db8:1::1', { nhid: nexthopId(11) })),
      ],
      [
        'deletes a route that was in our way',
        'route',
        async (at) => {
          expect(await at.one(adding({ ...inTheWay, protocol: ours.protocol }))).to.equal('EEXIST');
          await at.fixture.meddle(deleting(inTheWay));
        },
      ],
      [
        'deletes a route that was in our way before we looked again',
        'route',
        async (at) => {
          expect(await at.one(adding({ ...inTheWay, protocol: ours.protocol }))).to.equal('EEXIST');
          await at.list();
          await at.fixture.meddle(deleting(inTheWay));
        },
      ],
      [
        'adds a nexthop among our ids',
        'nexthop',
        (at) => at.meddle(nexthop(nexthopId(7), '10.0.0.70', at.lan, foreign)),
      ],
      [
        'adds a group among our ids',
        'nexthop',
        (at) => at.meddle(group(groupId(7), [nexthopId(1)], undefined, foreign)),
      ],
      [
        'moves our nexthop',
        'nexthop',
        (at) =>
          at.fixture.meddle(
            replacing(nexthop(nexthopId(2), '10.0.0.12', at.lan), nexthop(nexthopId(2), '10.0.0.99', at.lan)),
          ),
      ],
      [
        'deletes our nexthop',
        'nexthop',
        (at) => at.fixture.meddle(deleting(nexthop(nexthopId(2), '10.0.0.12', at.lan))),
      ],
      ['takes a link down', 'link', (at) => at.fixture.linkDown(lan)],
      ['pulls a cable', 'link', (at) => at.fixture.carrierLost(lan)],
      ['adds a link', 'link', (at) => at.fixture.addLink('eip-new')],
      ['removes a link', 'link', (at) => at.fixture.removeLink(lan)],
      ['adds an IPv4 address', 'address', (at) => at.fixture.addAddress(lan, '10.0.1.1/24')],
      ['adds an IPv6 address', 'address', (at) => at.fixture.addAddress(lan, '2001:db8:11::1/64')],
      ['removes an address', 'address', (at) => at.fixture.removeAddress(lan, '10.0.0.1/24')],
      ['switches forwarding', 'netconf', (at) => at.fixture.setSysctl(settings.forward, '1')],
    ];
    for (const [what, kind, deed] of deeds) {
      it(`report when another program ${what}`, async () => {
        await scenario.add(ours, ours6);
        await scenario.meddle(inTheWay);
        expect(await heard(() => deed(scenario))).to.include(kind);
      });
    }

    it('report when another program adds and deletes a rule with our protocol', async () => {
      const hints = scenario.kernel.hints(AbortSignal.any([scenario.signal, late()]));
      await scenario.list();
      await scenario.meddle(rule(6, 1000, 99));
      await scenario.fixture.meddle(deleting(rule(6, 1000, 99)));
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        if (kinds.length === 2) break;
      }
      expect(kinds).to.deep.equal(['rule', 'rule']);
    });

    it('say what happened in words', async () => {
      const hints = scenario.kernel.hints(AbortSignal.any([scenario.signal, late()]));
      await scenario.meddle(route('192.0.2.1', { nhid: nexthopId(1) }));
      const texts: string[] = [];
      for await (const { kind, text } of hints) {
        if (kind !== 'route') continue;
        texts.push(text);
        break;
      }
      expect(texts[0]).to.match(/^route added: 192\.0\.2\.1/);
    });

    it('are silent about what concerns only others', async () => {
      const kinds = await heard(async () => {
        const theirs = [
          nexthop(7, '10.0.0.70', scenario.lan, foreign),
          group(8, [7], undefined, foreign),
          route('192.0.2.1', { nhid: 8, protocol: foreign }),
          route('2001:db8:1::1', { type: 'unreachable', protocol: foreign }),
          rule(4, 1000, 100, { protocol: foreign }),
        ];
        await scenario.meddle(...theirs);
        for (const object of theirs.toReversed()) await scenario.fixture.meddle(deleting(object));
      });
      expect(kinds).to.deep.equal([]);
    });

    it('are silent about what we do ourselves', async () => {
      const several = [...samples(scenario), group(groupId(1), [nexthopId(1), nexthopId(2)])];
      const changes = [
        ...several.map(adding),
        replacing(group(groupId(1), []), group(groupId(1), [nexthopId(2)])),
        replacing(route('192.0.2.7', { nhid: nexthopId(1) }), route('192.0.2.7', { nhid: nexthopId(2) })),
        replacing(route('192.0.2.7', { nhid: nexthopId(2) }), route('192.0.2.7', { nhid: nexthopId(1) })),
        ...several.toReversed().map(deleting),
        // These take groups and routes along; of those of IPv6 the kernel itself tells, where nexthop_compat_mode is on.
        adding(group(groupId(2), [nexthopId(1), nexthopId(3)])),
        adding(route('192.0.2.8', { nhid: nexthopId(1) })),
        adding(route('2001:db8:1::8', { nhid: nexthopId(11) })),
        deleting(nexthop(nexthopId(1), '10.0.0.11', scenario.lan)),
        deleting(nexthop(nexthopId(11), '2001:db8:10::11', scenario.lan)),
      ];
      const kinds = await heard(async () => {
        expect(new Set(await scenario.codes(changes))).to.deep.equal(new Set(['ok']));
      });
      expect(kinds).to.deep.equal([]);
    });

    it('are silent about the settings that we write', async () => {
      const changes = [
        adding(sysctl(settings.forward, '1')),
        adding(sysctl(settings.redirects, '0')),
        adding(sysctl(settings.retrans, '400')),
      ];
      const kinds = await heard(async () => {
        expect(await scenario.codes(changes)).to.deep.equal(['ok', 'ok', 'ok']);
      });
      expect(kinds).to.deep.equal([]);
    });

    it('hold what happened between the call and the first question', async () => {
      const hints = scenario.kernel.hints(AbortSignal.any([scenario.signal, late()]));
      await scenario.meddle(route('192.0.2.1', { nhid: nexthopId(1) }));
      await scenario.list();
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        break;
      }
      expect(kinds).to.deep.equal(['route']);
    });

    it('end when they are no longer wanted', async () => {
      const end = new AbortController();
      const hints = scenario.kernel.hints(end.signal);
      const waiting = (async () => {
        for await (const _ of hints) expect.fail('nothing has happened');
      })();
      end.abort();
      await waiting;
    });

    for (const [what, kind, deed] of [
      ['a link', 'link', (at: Scenario) => at.fixture.linkDown(lan)],
      ['a setting', 'netconf', (at: Scenario) => at.fixture.setSysctl(settings.forward, '1')],
    ] as const) {
      it(`of ${what} reach every caller, the one who came after the listing as well`, async () => {
        const end = new AbortController();
        const signal = AbortSignal.any([end.signal, late()]);
        const early = [scenario.kernel.hints(signal), scenario.kernel.hints(signal)];
        await scenario.list();
        const callers = [...early, scenario.kernel.hints(signal)];
        await deed(scenario);
        const heardBy = callers.map(async (hints) => {
          for await (const hint of hints) if (hint.kind === kind) return true;
          return false;
        });
        expect(await Promise.all(heardBy)).to.deep.equal([true, true, true]);
        end.abort();
      });
    }
  });
}
