import { expect } from 'chai';
import { everything, GrowingDelta } from '../../../src/cluster/delta.ts';
import type { Origin } from '../../../src/model/cluster.ts';

describe('a growing delta', () => {
  const cases: readonly { readonly origins: readonly Origin[]; readonly byEvent: boolean }[] = [
    { origins: ['event'], byEvent: true },
    { origins: ['event', 'event'], byEvent: true },
    { origins: ['list'], byEvent: false },
    { origins: ['event', 'list'], byEvent: false },
    { origins: ['list', 'event'], byEvent: false },
    { origins: ['event', 'list', 'event'], byEvent: false },
  ];
  for (const { origins, byEvent } of cases) {
    it(`came ${byEvent ? '' : 'not only '}by events: ${origins.join(', ')}`, () => {
      const together = new GrowingDelta();
      const merged = new GrowingDelta();
      for (const origin of origins) {
        const one = new GrowingDelta();
        for (const delta of [together, one]) {
          delta.service('default/web', origin);
          delta.node(origin);
        }
        merged.merge(one);
      }
      for (const delta of [together, merged]) {
        expect(delta).to.deep.include({ services: new Set(['default/web']), nodes: true });
        expect(delta.byEvent).to.deep.equal({
          services: new Set(byEvent ? ['default/web'] : []),
          nodes: byEvent,
        });
      }
    });
  }

  it('judges each Service by itself, and the Nodes', () => {
    const delta = new GrowingDelta();
    delta.service('default/a', 'list');
    delta.service('default/b', 'event');
    delta.node('event');
    expect(delta.byEvent).to.deep.equal({ services: new Set(['default/b']), nodes: true });
  });

  it('came by no event once another state has taken its place', () => {
    const delta = new GrowingDelta();
    delta.service('default/web', 'event');
    delta.node('event');
    delta.merge(everything);
    delta.service('default/web', 'event');
    expect(delta).to.deep.include({
      services: 'all',
      nodes: true,
      byEvent: { services: new Set(), nodes: false },
    });
  });

  it('begins anew with what it has forgotten', () => {
    const delta = new GrowingDelta();
    const listed = new GrowingDelta();
    listed.service('default/web', 'list');
    listed.node('list');
    delta.merge(listed);
    delta.forget(listed);
    delta.service('default/web', 'event');
    delta.node('event');
    expect(delta.byEvent).to.deep.equal({ services: new Set(['default/web']), nodes: true });
  });
});
