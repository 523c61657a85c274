import { expect } from 'chai';
import fc from 'fast-check';
import { alikeTo } from '../../../src/desire/alike.ts';
import { candidates, carriers } from '../../../src/desire/carriers.ts';
import type { Endpoint, Service } from '../../../src/model/cluster.ts';
import { type Family, type Ip, parseIp } from '../../../src/model/ip.ts';
import { type ByFamily, unprobed } from '../../../src/model/probed.ts';
import { node, service } from '../../scene.ts';

const names = ['n1', 'n2', 'n3', 'n4'];

function addressesOf(name: string): readonly Ip[] {
  const number = names.indexOf(name) + 1;
  return [`10.0.0.${number}`, `2001:db8:1::${number}`].map(parseIp);
}

/** With these endpoints alone: the scene would add some of the other family. */
function local(name: string, endpoints: readonly Endpoint[]): Service {
  return { ...service(name, []), externalTrafficPolicy: 'Local', endpoints };
}

const anyEndpoint = fc.record({
  ip: fc.constantFrom('10.244.0.1', '10.244.0.2', '2001:db8:2::1').map(parseIp),
  node: fc.constantFrom(undefined, ...names, ...names),
  ready: fc.constantFrom(true, true, false),
  serving: fc.boolean(),
  terminating: fc.boolean(),
});
const anyEndpoints = fc.array(anyEndpoint, { maxLength: 6, size: 'max' });
const anyNames = fc.subarray(names).map((some) => new Set(some));
const nearlyNobody = fc.oneof({ weight: 6, arbitrary: fc.constant(new Set<string>()) }, anyNames);

/** What the probe has seen of one Service, in both families. */
const anySeen = fc.record({ waiting: nearlyNobody, leaving: nearlyNobody, former: nearlyNobody });

const anyField = fc.constantFrom('ip' as const, 'node' as const, 'ready' as const, 'serving' as const);

/** Two Services that differ in nothing, in the order of their endpoints, in one field of an endpoint, or in all. */
const anyTwo = anyEndpoints.chain((some) =>
  fc.tuple(
    fc.constant(some),
    fc.oneof(
      fc.constant(some),
      fc.shuffledSubarray(some, { minLength: some.length }),
      fc
        .tuple(fc.nat(5), anyEndpoint, anyField)
        .map(([at, one, field]) =>
          some.map((other, i) => (i === at ? { ...other, [field]: one[field] } : other)),
        ),
      anyEndpoints,
    ),
  ),
);
const anySeenTwice = anySeen.chain((some) =>
  fc.tuple(fc.constant(some), fc.oneof(fc.constant(some), anySeen)),
);

describe('two Services under Local that are alike', () => {
  it('may have their endpoints in another order, and not others', () => {
    const [one, two] = names.map((name) => ({
      ip: parseIp('10.244.0.1'),
      node: name,
      ready: true,
      serving: true,
      terminating: false,
    }));
    if (one === undefined || two === undefined) throw new Error('two were made');
    const isAlike = alikeTo(local('a', [one, one, two]), 4, unprobed);
    expect(isAlike(local('b', [two, one, one]))).to.equal(true);
    expect(isAlike(local('b', [two, two, one]))).to.equal(false);
    expect(isAlike(local('b', [two, one, { ...one, ready: false }]))).to.equal(false);
  });

  it('have the same nodes, whatever the nodes are', () => {
    const seen = { alike: 0, carried: 0, others: 0 };
    fc.assert(
      fc.property(
        fc.record({
          endpoints: anyTwo,
          probe: anySeenTwice,
          nodes: fc.subarray(names, { minLength: 2 }),
          deleted: anyNames,
          of: fc.constantFrom<Family>(4, 4, 6),
          weighing: fc.constantFrom('equal' as const, 'endpoints' as const),
        }),
        ({ endpoints, probe, nodes, deleted, of, weighing }) => {
          const [a, b] = ['a', 'b'].map((name, i) => local(name, endpoints[i] ?? []));
          if (a === undefined || b === undefined) throw new Error('two were made');
          const seenOf = (key: string) => probe[key === a.key ? 0 : 1];
          const both = (some: ReadonlySet<string>): ByFamily => ({ 4: some, 6: some });
          const probed = {
            ...unprobed,
            waiting: (key: string) => both(seenOf(key).waiting),
            leaving: (key: string) => both(seenOf(key).leaving),
            formerCarriers: (key: string) => both(seenOf(key).former),
          };
          const all = candidates(
            nodes.map((name) => node(name, addressesOf(name))),
            { deleted: new Map([...deleted].map((name) => [name, addressesOf(name)])), covered: new Map() },
          );
          const where = (one: Service) => carriers(one, all, of, weighing, seenOf(one.key));
          if (!alikeTo(a, of, probed)(b)) {
            seen.others += 1;
            return;
          }
          seen.alike += 1;
          seen.carried += where(a).length > 1 ? 1 : 0;
          expect(where(b)).to.deep.equal(where(a));
        },
      ),
      { numRuns: 10_000 },
    );
    expect(Math.min(seen.alike, seen.carried, seen.others), JSON.stringify(seen)).to.be.greaterThan(50);
  });
});
