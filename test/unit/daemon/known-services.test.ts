import { expect } from 'chai';
import { KnownServices } from '../../../src/daemon/known-services.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { service } from '../../scene.ts';

const a = service('a', ['198.51.100.1']);
const b = service('b', ['198.51.100.2']);
const c = service('c', ['198.51.100.3']);
const changed = { ...b, deleting: true };

/** Knows a and b, and then reads what there is now. @returns who changed from what to what */
function visited(keys: ReadonlySet<string> | 'all', now: readonly Service[]): readonly string[] {
  const known = new KnownServices();
  let services = new Map([a, b].map((one) => [one.key, one]));
  const cluster = { service: (key: string) => services.get(key), services: () => services.values() };
  const reading = { cluster, how: () => 'changed' as const };
  known.read({ ...reading, keys: 'all' }, () => {});
  services = new Map(now.map((one) => [one.key, one]));
  const visits: string[] = [];
  const word = (one: Service | undefined) =>
    one === undefined ? 'none' : one.deleting ? 'deleting' : 'there';
  known.read({ ...reading, keys }, ({ key, before, after }) => {
    visits.push(`${key}: ${word(before)}, ${word(after)}`);
    expect(known.get(key)).to.equal(after);
  });
  return visits;
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

  it('are told of when they are not there and never were: somebody may remember them', () => {
    expect(visited(new Set([c.key]), [a, b])).to.deep.equal(['default/c: none, none']);
  });
});
