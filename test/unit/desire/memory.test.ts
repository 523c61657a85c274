import { expect } from 'chai';
import fc from 'fast-check';
import { claimsOf } from '../../../src/desire/claims.ts';
import { gatewayWant } from '../../../src/desire/gateway.ts';
import { paths } from '../../../src/desire/paths.ts';
import type { Node, Service, Snapshot } from '../../../src/model/cluster.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { type Change, changeObject, equal } from '../../../src/model/object.ts';
import { Picture } from '../../../src/reconcile/picture.ts';
import { plan } from '../../../src/reconcile/plan.ts';
import type { Due } from '../../../src/reconcile/report.ts';
import { endpoint, gateway, listing, node, service, settingsOf, snapshot, twoLinks } from '../../scene.ts';

/** Few values, so that Services share EIPs, come back as they were, and take each other's places. */
const anyService: fc.Arbitrary<Service> = fc
  .record({
    eips: fc.array(fc.constantFrom('198.51.100.10', '198.51.100.11', '2001:db8:e::10', '203.0.113.77'), {
      maxLength: 2,
    }),
    external: fc.boolean(),
    deleting: fc.boolean(),
    policy: fc.constantFrom('Cluster' as const, 'Local' as const),
    on: fc.array(fc.constantFrom('n1', 'n2', 'n9'), { maxLength: 3 }),
  })
  .map(({ eips, external, deleting, policy, on }) => {
    const { ingress } = service('x', eips);
    return service('x', [], {
      ...(external ? { externalIps: ingress } : { ingress }),
      deleting,
      externalTrafficPolicy: policy,
      endpoints: on.map((name) => endpoint(name)),
    });
  });

const anyNode: fc.Arbitrary<Node> = fc
  .record({ last: fc.integer({ min: 11, max: 13 }), six: fc.boolean(), excluded: fc.boolean() })
  .map(({ last, six, excluded }) =>
    node('x', [`10.0.0.${last}`, ...(six ? [`2001:db8:10::${last}`] : [])], {
      excludeLabel: excluded ? 'true' : undefined,
    }),
  );

/** One event; places are taken modulo what is there. */
type Step =
  | {
      readonly kind: 'service' | 'node';
      readonly verb: 'insert' | 'change';
      readonly at: number;
      readonly item: number;
    }
  | { readonly kind: 'service' | 'node'; readonly verb: 'remove'; readonly at: number }
  | { readonly kind: 'edit'; readonly at: number; readonly edit: Edit; readonly to: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'gateway' };

/** Changes of one field: all other fields stay the same objects, as they do from one snapshot to the next. */
type Edit = (typeof edits)[number];
const edits = ['endpoints', 'deleting', 'policy', 'type', 'ingress', 'externalIps', 'name'] as const;

const place = fc.nat(9);
const kind = fc.constantFrom('service' as const, 'node' as const);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind, verb: fc.constantFrom('insert' as const, 'change' as const), at: place, item: place }),
  fc.record({ kind, verb: fc.constant('remove' as const), at: place }),
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('edit' as const),
      at: place,
      edit: fc.constantFrom(...edits),
      to: place,
    }),
  },
  fc.constant({ kind: 'again' as const }),
  fc.constant({ kind: 'gateway' as const }),
);

interface History {
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly steps: readonly Step[];
}

const anyHistory: fc.Arbitrary<History> = fc.record({
  services: fc.array(anyService, { minLength: 10, maxLength: 10 }),
  nodes: fc.array(anyNode, { minLength: 10, maxLength: 10 }),
  steps: fc.array(anyStep, { minLength: 2, maxLength: 12 }),
});

function edited<T>(
  list: readonly T[],
  verb: 'insert' | 'change' | 'remove',
  at: number,
  item: T,
): readonly T[] {
  const there = at % (list.length + 1);
  return list.toSpliced(there, verb === 'insert' ? 0 : 1, ...(verb === 'remove' ? [] : [item]));
}

function editedService(one: Service, edit: Edit, other: Service, to: number): Service {
  switch (edit) {
    case 'deleting':
      return { ...one, deleting: !one.deleting };
    case 'policy':
      return { ...one, externalTrafficPolicy: one.externalTrafficPolicy === 'Local' ? 'Cluster' : 'Local' };
    case 'type':
      return { ...one, type: one.type === 'LoadBalancer' ? 'ClusterIP' : 'LoadBalancer' };
    case 'endpoints':
      return { ...one, endpoints: to === 0 ? [] : [endpoint(`n${to % 4}`)] };
    case 'ingress':
    case 'externalIps':
      return { ...one, [edit]: other[edit] };
    case 'name':
      return { ...one, name: `s${to}` };
    default:
      return edit satisfies never;
  }
}

/** The snapshots of a history: what a step does not touch is the same object before and after. */
function* told(history: History): Generator<[Snapshot, Gateway]> {
  let settings = gateway();
  let services: readonly Service[] = history.services
    .slice(0, 4)
    .map((one, i) => ({ ...one, name: `s${i}` }));
  let nodes: readonly Node[] = history.nodes.slice(0, 2).map((one, i) => ({ ...one, name: `n${i + 1}` }));
  yield [snapshot(nodes, services), settings];
  for (const [i, step] of history.steps.entries()) {
    const of = <T>(list: readonly T[], at: number): T => {
      const item = list[at % list.length];
      if (item === undefined) throw new Error('an empty list');
      return item;
    };
    switch (step.kind) {
      case 'service': {
        const item = { ...of(history.services, 'item' in step ? step.item : 0), name: `s${i % 6}` };
        services = edited(services, step.verb, step.at, item);
        break;
      }
      case 'node': {
        const item = { ...of(history.nodes, 'item' in step ? step.item : 0), name: `n${i % 4}` };
        nodes = edited(nodes, step.verb, step.at, item);
        break;
      }
      case 'edit': {
        const at = step.at % Math.max(1, services.length);
        const one = services[at];
        if (one) {
          const other = of(history.services, step.to);
          services = services.with(at, editedService(one, step.edit, other, step.to));
        }
        break;
      }
      case 'gateway':
        settings = gateway({ weighByEndpoints: !settings.weighByEndpoints });
        break;
      case 'again':
        break;
      default:
        step satisfies never;
    }
    yield [snapshot(nodes, services), settings];
  }
}

function changeOf({ change }: Due): Change {
  return change;
}

function rankOf({ change }: Due): string {
  return `${change.verb} ${changeObject(change).kind}`;
}

describe('what is remembered from one round to the next does not show', () => {
  it('in claims, paths and wants', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        for (const [cluster, settings] of told(history)) {
          const have = listing(settingsOf(settings, twoLinks));
          const [clusterAnew, settingsAnew] = structuredClone([cluster, settings]);
          expect(claimsOf(cluster.services, settings)).to.deep.equal(
            claimsOf(clusterAnew.services, settingsAnew),
          );
          expect(paths(cluster, settings)).to.deep.equal(paths(clusterAnew, settingsAnew));
          const none = new Map();
          expect(gatewayWant(cluster, settings, have, none)).to.deep.equal(
            gatewayWant(clusterAnew, settingsAnew, have, none),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  it('in plans, with any part of each plan done', () => {
    fc.assert(
      fc.property(anyHistory, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (history, luck) => {
        const picture = new Picture(listing(settingsOf(gateway(), twoLinks)));
        for (const [cluster, settings] of told(history)) {
          const want = gatewayWant(cluster, settings, picture, new Map()).objects;
          const { objects, foreignIds, links, neighbours, formerSysctls } = picture;
          const have = structuredClone({ objects, foreignIds, links, neighbours, formerSysctls });
          const [clusterAnew, settingsAnew] = structuredClone([cluster, settings]);
          expect(want).to.deep.equal(gatewayWant(clusterAnew, settingsAnew, have, new Map()).objects);
          const found = plan(want, picture);
          const anew = plan(want, new Picture(picture));
          expect(found.wanted).to.deep.equal(anew.wanted);
          // Within a rank, deletes come in any order; why something was wanted only the plan before can tell.
          expect(found.due.map(changeOf)).to.have.deep.members(anew.due.map(changeOf));
          expect(found.due.map(rankOf)).to.deep.equal(anew.due.map(rankOf));
          for (const { change } of found.due) {
            if (luck.next().value === 0) continue;
            picture.acknowledge(change);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('in a plan after which nothing is due', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        const picture = new Picture(listing(settingsOf(gateway(), twoLinks)));
        for (const [cluster, settings] of told(history)) {
          const want = gatewayWant(cluster, settings, picture, new Map()).objects;
          for (const { change } of plan(want, picture).due) picture.acknowledge(change);
          expect(plan(want, picture).due).to.deep.equal([]);
          const keys = new Set(want.map(({ key }) => key));
          for (const [key, { kind: there }] of picture.objects) {
            expect(keys.has(key) || there === 'sysctl', key).to.equal(true);
          }
          for (const { key, object } of want) {
            const there = picture.objects.get(key);
            expect(there !== undefined && equal(there, object), key).to.equal(true);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
