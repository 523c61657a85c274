import { expect } from 'chai';
import type { Hint } from '../../src/kernel/kernel.ts';
import type { MakeBench } from './bench.ts';
import { foreign, group, groupId, nexthop, nexthopId, route, rule, sysctl } from './objects.ts';
import { adding, deleting, foreignTwin, lan, replacing, Stage, samples, settings } from './stage.ts';

/** How long a notification may take before the test gives up, in ms. */
const patience = 3000;

export function describeHints(make: MakeBench): void {
  describe('hints', () => {
    let stage: Stage;
    beforeEach(async () => {
      stage = await Stage.set(make);
      await stage.add(...stage.nodes());
    });
    afterEach(() => stage.strike());

    /** The kinds heard of a deed; the rule that another program adds after it closes the list. */
    async function heard(deed: () => Promise<unknown>): Promise<readonly Hint['kind'][]> {
      const end = new AbortController();
      const hints = stage.kernel.hints(AbortSignal.any([end.signal, AbortSignal.timeout(patience)]));
      await deed();
      await stage.meddle(rule(4, 31_999, 99, { protocol: foreign }));
      const kinds: Hint['kind'][] = [];
      for await (const { kind } of hints) {
        if (kind === 'rule') {
          end.abort();
          return kinds;
        }
        kinds.push(kind);
      }
      throw new Error(`the closing rule was not heard of in ${patience} ms, only: ${kinds.join(', ')}`);
    }

    const theirs = { protocol: foreign, nhid: nexthopId(1) };
    const theirs6 = { protocol: foreign, nhid: nexthopId(11) };
    const deeds: readonly (readonly [string, Hint['kind'], (stage: Stage) => Promise<unknown>])[] = [
      ['adds an IPv4 route', 'route', (at) => at.meddle(route('192.0.2.1', theirs))],
      ['adds an IPv6 route', 'route', (at) => at.meddle(route('2001:db8:1::1', theirs6))],
      [
        'deletes our IPv4 route',
        'route',
        (at) => at.bench.meddle(deleting(route('192.0.2.200', { nhid: nexthopId(1) }))),
      ],
      [
        'takes our IPv4 route over',
        'route',
        (at) =>
          at.bench.meddle(
            replacing(route('192.0.2.200', { nhid: nexthopId(1) }), route('192.0.2.200', theirs)),
          ),
      ],
      ['adds a nexthop', 'nexthop', (at) => at.meddle(nexthop(7, '10.0.0.70', at.lan, foreign))],
      [
        'moves our nexthop',
        'nexthop',
        (at) =>
          at.bench.meddle(
            replacing(nexthop(nexthopId(2), '10.0.0.12', at.lan), nexthop(nexthopId(2), '10.0.0.99', at.lan)),
          ),
      ],
      [
        'deletes our nexthop',
        'nexthop',
        (at) => at.bench.meddle(deleting(nexthop(nexthopId(2), '10.0.0.12', at.lan))),
      ],
      ['adds a group', 'nexthop', (at) => at.meddle(group(7, [nexthopId(1)], undefined, foreign))],
      ['takes a link down', 'link', (at) => at.bench.linkDown(lan)],
      ['pulls a cable', 'link', (at) => at.bench.carrierLost(lan)],
      ['adds a link', 'link', (at) => at.bench.addLink('eip-new')],
      ['removes a link', 'link', (at) => at.bench.removeLink(lan)],
      ['adds an IPv4 address', 'address', (at) => at.bench.addAddress(lan, '10.0.1.1/24')],
      ['adds an IPv6 address', 'address', (at) => at.bench.addAddress(lan, '2001:db8:11::1/64')],
      ['removes an address', 'address', (at) => at.bench.removeAddress(lan, '10.0.0.1/24')],
      ['switches forwarding', 'netconf', (at) => at.bench.setSysctl(settings.forward, '1')],
    ];
    for (const [what, kind, deed] of deeds) {
      it(`when another program ${what}`, async () => {
        await stage.add(route('192.0.2.200', { nhid: nexthopId(1) }));
        expect(await heard(() => deed(stage))).to.include(kind);
      });
    }

    it('when another program adds and deletes a rule', async () => {
      const hints = stage.kernel.hints(AbortSignal.any([stage.signal, AbortSignal.timeout(patience)]));
      await stage.meddle(rule(6, 1000, 99, { protocol: foreign }));
      await stage.bench.meddle(deleting(rule(6, 1000, 99, { protocol: foreign })));
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        if (kinds.length === 2) break;
      }
      expect(kinds).to.deep.equal(['rule', 'rule']);
    });

    it('say what happened in words', async () => {
      const hints = stage.kernel.hints(AbortSignal.any([stage.signal, AbortSignal.timeout(patience)]));
      await stage.meddle(route('192.0.2.1', theirs));
      const texts: string[] = [];
      for await (const { kind, text } of hints) {
        if (kind !== 'route') continue;
        texts.push(text);
        break;
      }
      expect(texts[0]).to.match(/^route .*192\.0\.2\.1/);
    });

    it('are silent about what we do ourselves', async () => {
      const ours = [...samples(stage), group(groupId(1), [nexthopId(1), nexthopId(2)])];
      const changes = [
        ...ours.map(adding),
        replacing(group(groupId(1), []), group(groupId(1), [nexthopId(2)])),
        replacing(route('192.0.2.7', { nhid: nexthopId(1) }), route('192.0.2.7', { nhid: nexthopId(2) })),
        ...ours.toReversed().map(deleting),
        // This one takes groups and routes along.
        adding(group(groupId(2), [nexthopId(1), nexthopId(3)])),
        adding(route('192.0.2.8', { nhid: nexthopId(1) })),
        deleting(nexthop(nexthopId(1), '10.0.0.11', stage.lan)),
        adding(route('2001:db8:1::8', { nhid: nexthopId(11) })),
        deleting(nexthop(nexthopId(11), '2001:db8:10::11', stage.lan)),
      ];
      const kinds = await heard(async () => {
        expect(new Set(await stage.codes(changes))).to.deep.equal(new Set(['ok']));
      });
      expect(kinds).to.deep.equal([]);
    });

    it('are silent about the settings that we write', async () => {
      const changes = [
        adding(sysctl(settings.forward, '1')),
        adding(sysctl(settings.redirects, '0')),
        adding(sysctl(settings.retrans, '250')),
      ];
      const kinds = await heard(async () => {
        expect(await stage.codes(changes)).to.deep.equal(['ok', 'ok', 'ok']);
      });
      expect(kinds).to.deep.equal([]);
    });

    it('hold what happened between the call and the first question', async () => {
      const hints = stage.kernel.hints(AbortSignal.any([stage.signal, AbortSignal.timeout(patience)]));
      await stage.meddle(foreignTwin(route('192.0.2.1', { nhid: nexthopId(1) })));
      await stage.list();
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        break;
      }
      expect(kinds).to.deep.equal(['route']);
    });

    it('end when they are no longer wanted', async () => {
      const end = new AbortController();
      const hints = stage.kernel.hints(end.signal);
      const waiting = (async () => {
        for await (const _ of hints) expect.fail('nothing has happened');
      })();
      end.abort();
      await waiting;
    });
  });
}
