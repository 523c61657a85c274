import { expect } from 'chai';
import { Covering } from '../../../src/daemon/covering.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { endpoint, service } from '../../scene.ts';

const key = 'default/web';

function web(on: string, externalTrafficPolicy: 'Cluster' | 'Local' = 'Local'): Service {
  const endpoints = on.split(' ').map((name) => endpoint(name));
  return service('web', ['198.51.100.10'], { externalTrafficPolicy, endpoints });
}

/** Reads a Service as it is one time after the other. */
function reading(covering: Covering, ...times: readonly (Service | undefined)[]): Covering {
  let before: Service | undefined;
  for (const after of times) {
    covering.readService({ key, before, after, how: 'changed' });
    before = after;
  }
  return covering;
}

function covering(): Covering {
  return new Covering({ limit: () => 1000, now: () => 0 });
}

function covered(by: Covering): string {
  return [...by.of(key)[4]].join(' ');
}

describe('covering', () => {
  const cases: readonly (readonly [
    what: string,
    times: readonly (Service | undefined)[],
    covered: string,
  ])[] = [
    ['is for the nodes that lose their endpoints', [web('n1 n2 n3'), web('n2 n3'), web('n3')], 'n1 n2'],
    ['is for nobody at first', [web('n1 n2')], ''],
    ['is for nobody whose Service was under Cluster', [web('n1 n2', 'Cluster'), web('n2')], ''],
    ['is over when the Service goes', [web('n1 n2'), web('n2'), undefined], ''],
    ['is over when the Service comes under Cluster', [web('n1 n2'), web('n2'), web('n2', 'Cluster')], ''],
  ];
  for (const [what, times, nodes] of cases)
    it(what, () => {
      expect(covered(reading(covering(), ...times))).to.equal(nodes);
    });

  it('goes on after a restart, at the first reading, for those that went meanwhile as well', () => {
    const kept = reading(covering(), web('n1 n2 n3'), web('n2 n3')).kept();
    for (const [now, nodes] of [
      [web('n2 n3'), 'n1'],
      [web('n3'), 'n1 n2'],
      [web('n2 n3 n4'), ''],
      [web('n3', 'Cluster'), ''],
      [undefined, ''],
    ] as const) {
      const after = covering();
      after.recall(kept);
      reading(after, now);
      expect([covered(after), after.isIdle]).to.deep.equal([nodes, nodes === '']);
    }
  });
});
