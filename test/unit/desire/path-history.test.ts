import { expect } from 'chai';
import fc from 'fast-check';
import { nothing } from '../../../src/cluster/delta.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import type { PathHistory } from '../../../src/desire/path-history.ts';
import { PathTable } from '../../../src/desire/path-table.ts';
import { paths } from '../../../src/desire/paths.ts';
import { ServiceTable } from '../../../src/desire/service-table.ts';
import type { Snapshot } from '../../../src/model/cluster.ts';
import type { Ip } from '../../../src/model/ip.ts';
import { gateway } from '../../scene.ts';
import { anyHistory, ClusterModel, type History } from './histories.ts';

/** EIPs that go somewhere, by the full recompute. */
function routed(snapshot: Snapshot) {
  return new Map(paths(snapshot, gateway()).paths.map((path) => [path.eip, path]));
}

type Routed = ReturnType<typeof routed>;

/** Where an EIP goes, and where it would be said to have gone. */
function expectSame(history: PathHistory, before: Routed, now: Routed, eips: ReadonlySet<Ip>): void {
  for (const eip of eips) {
    const { carriers, services } = before.get(eip) ?? {};
    const former = carriers && { carriers, services };
    expect(history.before(eip), `${eip} before`).to.deep.equal(former);
    expect(history.now(eip), `${eip} now`).to.deep.equal(now.get(eip));
  }
}

/** EIPs that went to some nodes, and go to others. */
function movedBetween(before: Routed, now: Routed): ReadonlySet<Ip> {
  const moved = new Set<Ip>();
  for (const [eip, path] of now) {
    const former = before.get(eip);
    if (former === undefined) continue;
    const [then, since] = [former, path].map(({ carriers }) => carriers.map(({ node }) => node).join());
    if (then !== since) moved.add(eip);
  }
  return moved;
}

const anyAmount = fc.record({
  /** How many updates come before each look; the rest of the history comes before the last one. */
  looks: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 }),
  limit: fc.nat(2),
});

const everywhere = {
  external: [],
  policy: 'Cluster',
  namespace: 'default',
  created: 0,
  key: undefined,
} as const;

/** EIPs of one set move with it, and some of them are touched by an event of their own as well. */
const bothWays: History = {
  nodes: ['n1', 'n2'],
  steps: [
    {
      kind: 'service',
      name: 'a',
      to: { ...everywhere, eips: ['198.51.100.10', '198.51.100.11'], on: [{ node: 'n1', ready: true }] },
    },
    {
      kind: 'service',
      name: 'b',
      to: { ...everywhere, eips: ['198.51.100.12'], on: [{ node: 'n1', ready: true }] },
    },
    { kind: 'complete', to: true },
    { kind: 'node', name: 'n3', to: { shift: 0, excluded: false, extra: false } },
    { kind: 'endpoints', name: 'a', on: [{ node: 'n2', ready: true }] },
  ],
};

describe('the history of the paths', () => {
  it('equals a comparison of all paths before and after, whatever happened between', () => {
    const seen = { moved: 0, cut: 0, several: 0 };
    fc.assert(
      fc.property(
        anyHistory({ minLength: 20, maxLength: 40 }),
        anyAmount,
        ({ steps, ...world }, { looks, limit }) => {
          const model = new ClusterModel(world);
          const services = new ServiceTable();
          const table = new PathTable(gateway(), services);
          const update = () => {
            const cluster = readerOf(model.snapshot());
            const read = services.read('all', cluster);
            table.update(cluster.overview(), { services: read, byEvent: nothing.byEvent });
          };
          update();
          table.takeHistory();
          let before = routed(model.snapshot());
          const rest = [...steps];
          const eips = new Set<Ip>(before.keys());
          for (const updates of [...looks, rest.length]) {
            const some = rest.splice(0, updates);
            for (const step of some) {
              model.apply(step);
              update();
              for (const eip of routed(model.snapshot()).keys()) eips.add(eip);
            }
            const now = routed(model.snapshot());
            const history = table.takeHistory();
            expectSame(history, before, now, eips);

            const naive = movedBetween(before, now);
            const { first, count } = history.moved(limit);
            expect(count, 'moved').to.equal(naive.size);
            expect(first).to.have.length(Math.min(limit, naive.size));
            expect(new Set(first.map(({ eip }) => eip)).size, 'each once').to.equal(first.length);
            for (const path of first) {
              expect(naive.has(path.eip), `${path.eip} moved`).to.equal(true);
              expect(path).to.deep.equal(now.get(path.eip));
            }
            seen.moved += Math.min(1, naive.size);
            seen.cut += naive.size > limit ? 1 : 0;
            seen.several += naive.size > 0 && some.length > 1 ? 1 : 0;
            before = now;
          }
        },
      ),
      { numRuns: 500, examples: [[bothWays, { looks: [3], limit: 3 }]] },
    );
    expect(Math.min(seen.moved, seen.cut, seen.several), JSON.stringify(seen)).to.be.greaterThan(20);
  });
});
