import { expect } from 'chai';
import { nothing } from '../../../src/cluster/delta.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { GatewayDesire } from '../../../src/desire/gateway-desire.ts';
import { ServiceTable } from '../../../src/desire/service-table.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { gateway, listing, service, snapshot, threeNodes } from '../../scene.ts';

const a = service('a', ['198.51.100.1']);
const b = service('b', ['198.51.100.2']);
const c = service('c', ['198.51.100.3']);
const changed = { ...b, deleting: true };

/** Knows a and b, and then reads what there is now. @returns who changed from what to what */
function visited(keys: ReadonlySet<string> | 'all', now: readonly Service[]): readonly string[] {
  const known = new ServiceTable();
  // The first time all are read.
  const first = known.read(new Set(), readerOf(snapshot([], [a, b])));
  expect(first).to.deep.equal([a, b].map((after) => ({ key: after.key, before: undefined, after })));
  const word = (one: Service | undefined) =>
    one === undefined ? 'none' : one.deleting ? 'deleting' : 'there';
  const read = known.read(keys, readerOf(snapshot([], now)));
  expect([...known.values()]).to.have.members(now);
  return read.map(({ key, before, after }) => {
    expect(known.get(key)).to.equal(after);
    return `${key}: ${word(before)}, ${word(after)}`;
  });
}

describe('the Services as they were last read', () => {
  for (const how of ['by their keys', 'all'] as const)
    it(`are told of when they are others, new or gone, read ${how}`, () => {
      const read = (now: readonly Service[]) =>
        visited(how === 'all' ? 'all' : new Set([a, b, ...now].map(({ key }) => key)), now);
      expect(read([a, b])).to.deep.equal([]);
      expect(read([a, changed])).to.deep.equal(['default/b: there, deleting']);
      expect(read([a, b, c])).to.deep.equal(['default/c: none, there']);
      expect(read([b])).to.deep.equal(['default/a: there, none']);
    });

  it('are taken in by a desire that takes the place of another, which reads only what has changed since', () => {
    const services = new ServiceTable();
    const told: (readonly string[])[] = [];
    const eipsFor = (...now: readonly Service[]): readonly string[] => {
      const desire = new GatewayDesire(gateway(), {
        cluster: readerOf(snapshot(threeNodes, now)),
        takeDelta: () => ({ ...nothing, services: new Set([b.key]) }),
        services,
        read: (again) => told.push(again.map(({ key }) => key)),
        problems: () => [],
      });
      desire.update(new Actual(listing([])));
      return [...desire.paths.paths()].map(({ eip }) => eip);
    };
    expect(eipsFor(a, b)).to.deep.equal([...a.ingress, ...b.ingress]);
    expect(eipsFor(a, changed)).to.deep.equal([...a.ingress]);
    expect(told).to.deep.equal([[a.key, b.key], [b.key]]);
  });

  it('are told of when they are not there and never were: somebody may remember them', () => {
    expect(visited(new Set([c.key]), [a, b])).to.deep.equal(['default/c: none, none']);
  });
});
