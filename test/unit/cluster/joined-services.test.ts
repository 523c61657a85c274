import { expect } from 'chai';
import fc from 'fast-check';
import { rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { decodeService } from '../../../src/cluster/decode.ts';
import { decodeSlice } from '../../../src/cluster/decode-slice.ts';
import { JoinedServices } from '../../../src/cluster/joined-services.ts';
import type { Replacement } from '../../../src/cluster/resource-index.ts';
import { ClusterStore, resources } from '../../../src/cluster/store.ts';
import type { Delta, Service } from '../../../src/model/cluster.ts';

interface ServiceState {
  readonly name: string;
  readonly eip: string;
}

interface SliceState {
  readonly name: string;
  /** Name of the Service; undefined: the label is missing. */
  readonly of: string | undefined;
  /** Last byte of the address of its endpoint. */
  readonly host: number;
}

type Step =
  | { readonly kind: 'service'; readonly service: ServiceState }
  | { readonly kind: 'no service'; readonly name: string }
  | { readonly kind: 'slice'; readonly slice: SliceState }
  | { readonly kind: 'no slice'; readonly name: string }
  | { readonly kind: 'services'; readonly list: readonly ServiceState[] }
  | { readonly kind: 'slices'; readonly list: readonly SliceState[] }
  /** While a list is committed that takes several turns. */
  | { readonly kind: 'meanwhile'; readonly steps: readonly Step[] };

/** The specification: all is kept in the plainest way, and joined anew for each look. */
class Plain {
  readonly services = new Map<string, ServiceState>();
  readonly slices = new Map<string, SliceState>();
  /** Services that have had a slice. */
  readonly #had = new Set<string>();
  /** Names of the slices that a list lacked, by Service. */
  readonly #lacked = new Map<string, Set<string>>();

  setService(service: ServiceState): void {
    this.services.set(service.name, service);
  }

  deleteService(name: string): void {
    this.services.delete(name);
    this.#forget(name);
  }

  setSlice(slice: SliceState): void {
    const former = this.slices.get(slice.name)?.of;
    this.slices.set(slice.name, slice);
    if (slice.of !== undefined) {
      this.#had.add(slice.of);
      this.#lacked.get(slice.of)?.delete(slice.name);
    }
    if (former !== undefined) this.#forget(former);
  }

  deleteSlice(name: string, origin: 'event' | 'list'): void {
    const of = this.slices.get(name)?.of;
    this.slices.delete(name);
    if (of === undefined) return;
    if (origin === 'list') this.#lacked.set(of, (this.#lacked.get(of) ?? new Set()).add(name));
    this.#forget(of);
  }

  /** What is shown of each Service. */
  look(): ReadonlyMap<string, string> {
    const look = new Map<string, string>();
    for (const { name, eip } of this.services.values()) {
      const hosts = this.#slicesOf(name).map(({ host }) => host);
      const known = this.#had.has(name) && (this.#lacked.get(name)?.size ?? 0) === 0;
      look.set(name, lookOf(eip, hosts, known));
    }
    return look;
  }

  #slicesOf(name: string): readonly SliceState[] {
    return [...this.slices.values()].filter(({ of }) => of === name);
  }

  /** Nothing is left of a Service without an object and slices. */
  #forget(name: string): void {
    if (this.services.has(name) || this.#slicesOf(name).length > 0) return;
    this.#had.delete(name);
    this.#lacked.delete(name);
  }
}

function lookOf(eip: string | undefined, hosts: readonly number[], known: boolean): string {
  const sorted = [...new Set(hosts)].sort((a, b) => a - b);
  return `${eip} -> ${sorted.join(' ')}${known ? '' : ' and others'}`;
}

function lookAt({ ingress: [eip], endpoints, slicesKnown }: Service): string {
  const hosts = endpoints.map(({ ip }) => Number(ip.split('.').at(-1)));
  return lookOf(eip, hosts, slicesKnown);
}

/** What readers of the store see, which is the same through each of them. */
function look(store: ClusterStore): ReadonlyMap<string, string> {
  const seen = new Map([...store.services()].map((service) => [service.name, lookAt(service)]));
  expect([...seen.keys()].sort()).to.deep.equal(store.snapshot().services.map(({ name }) => name));
  for (const service of store.snapshot().services) {
    expect(store.service(service.key)).to.equal(service);
    expect(lookAt(service)).to.equal(seen.get(service.name));
  }
  for (const name of names) if (!seen.has(name)) expect(store.service(`default/${name}`)).to.equal(undefined);
  return seen;
}

const service = ({ name, eip }: ServiceState): object => rawService(name, { eips: [eip] });

function slice({ name, of, host }: SliceState): object {
  const whole = rawSlice(of ?? '', [{ ip: `10.1.0.${host}`, node: 'n1' }], name);
  return of === undefined ? { ...whole, metadata: { name, namespace: 'default' } } : whole;
}

class Run {
  readonly store = new ClusterStore();
  readonly plain = new Plain();
  readonly deltas: Delta[] = [];
  #before: ReadonlyMap<string, string> = new Map();

  constructor() {
    for (const resource of resources) this.store.state(resource, { synced: true });
    this.store.notify();
    this.store.signal.notify = (delta) => {
      this.deltas.push(delta);
    };
  }

  async take(step: Step): Promise<void> {
    await this.#take(step);
    this.store.notify();
    const now = look(this.store);
    expect(now).to.deep.equal(this.plain.look());
    const told = new Set(this.deltas.splice(0).flatMap(({ services }) => [...services]));
    for (const name of names)
      if (now.get(name) !== this.#before.get(name)) expect(told).to.include(`default/${name}`);
    this.#before = now;
  }

  async #take(step: Step): Promise<void> {
    const { services, endpointslices } = this.store.indexes;
    switch (step.kind) {
      case 'service':
        services.set(service(step.service));
        this.plain.setService(step.service);
        break;
      case 'no service':
        services.delete(rawService(step.name));
        this.plain.deleteService(step.name);
        break;
      case 'slice':
        endpointslices.set(slice(step.slice));
        this.plain.setSlice(step.slice);
        break;
      case 'no slice':
        endpointslices.delete(slice({ name: step.name, of: undefined, host: 1 }));
        this.plain.deleteSlice(step.name, 'event');
        break;
      case 'services': {
        const replacement = services.replacement();
        for (const each of step.list) replacement.add(service(each));
        await this.store.commit(replacement, turn);
        const listed = new Set(step.list.map(({ name }) => name));
        for (const name of names) if (!listed.has(name)) this.plain.deleteService(name);
        for (const each of step.list) this.plain.setService(each);
        break;
      }
      case 'slices': {
        const replacement = endpointslices.replacement();
        for (const each of step.list) replacement.add(slice(each));
        await this.store.commit(replacement, turn);
        const listed = new Set(step.list.map(({ name }) => name));
        for (const name of [...this.plain.slices.keys()])
          if (!listed.has(name)) this.plain.deleteSlice(name, 'list');
        for (const each of step.list) this.plain.setSlice(each);
        break;
      }
      case 'meanwhile': {
        const before = this.store.snapshot();
        await this.store.commit(oneTurn, async () => {
          for (const each of step.steps) {
            await this.#take(each);
            this.store.notify();
            expect(this.deltas).to.deep.equal([]);
            expect(look(this.store)).to.deep.equal(this.#before);
            expect(this.store.snapshot()).to.equal(before);
          }
        });
        break;
      }
      default:
        throw new Error(step satisfies never);
    }
  }
}

const turn = async (): Promise<void> => {};

/** A list that is committed in one turn, and changes nothing. */
const oneTurn: Replacement = {
  add: () => {},
  *commit() {
    yield;
  },
};

const names = ['a', 'b', 'c'];
const name = fc.constantFrom(...names);
const aService = fc.record({ name, eip: fc.constantFrom('198.51.100.1', '198.51.100.2') });
const aSlice = fc.record({
  name: fc.constantFrom('x', 'y', 'z'),
  of: fc.option(name, { nil: undefined, freq: 6 }),
  host: fc.integer({ min: 1, max: 3 }),
});
const once = { maxLength: 3, selector: ({ name: of }: { name: string }) => of };
const plainStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('service' as const), service: aService }),
  fc.record({ kind: fc.constant('no service' as const), name }),
  fc.record({ kind: fc.constant('slice' as const), slice: aSlice }),
  fc.record({ kind: fc.constant('no slice' as const), name: fc.constantFrom('x', 'y', 'z') }),
  fc.record({ kind: fc.constant('services' as const), list: fc.uniqueArray(aService, once) }),
  fc.record({ kind: fc.constant('slices' as const), list: fc.uniqueArray(aSlice, once) }),
);
const step = fc.oneof(
  { weight: 5, arbitrary: plainStep },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('meanwhile' as const),
      steps: fc.array(plainStep, { maxLength: 4 }),
    }),
  },
);

describe('Services joined with their slices', () => {
  it('are those of a plain join, after any changes, and as before while a list is committed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const run = new Run();
        for (const each of steps) await run.take(each);
      }),
      { numRuns: Number(process.env['EIPROUTE_HISTORIES'] ?? 300) },
    );
  });

  it('are joined once each for a list, whatever the number of their slices', () => {
    const told: string[] = [];
    const joined = new JoinedServices((key, origin) => told.push(`${key} by ${origin}`));
    const { object: web = expect.fail('no Service') } = decodeService(rawService('web'));
    joined.services.set(web.key, web, '1', 'event');
    told.length = 0;
    joined.hold();
    for (let i = 1; i <= 100; i += 1) {
      const { key = '', object } = decodeSlice(slice({ name: `s${i}`, of: 'web', host: i }));
      joined.slices.set(key, object, undefined, i === 1 ? 'list' : 'event');
    }
    expect(joined.get(web.key)?.endpoints).to.deep.equal([]);
    for (const _ of joined.join()) expect.fail('a hundred are one portion');
    joined.release();
    expect(joined.get(web.key)?.endpoints).to.have.length(100);
    expect(told).to.deep.equal(['default/web by list']);
  });

  it('have no version once they are gone, though a slice of theirs is left', () => {
    const joined = new JoinedServices(() => undefined);
    const { object: web = expect.fail('no Service') } = decodeService(rawService('web'));
    joined.services.set(web.key, web, '1', 'event');
    const { key = '', object } = decodeSlice(slice({ name: 's1', of: 'web', host: 1 }));
    joined.slices.set(key, object, undefined, 'event');
    expect(joined.version(web.key)).to.equal('1');
    joined.services.delete(web.key, 'event');
    expect(joined.version(web.key)).to.equal(undefined);
  });

  it('are joined at the end where the walk was given up, as when a daemon stops', () => {
    const told: string[] = [];
    const joined = new JoinedServices((key, origin) => told.push(`${key} by ${origin}`));
    const { object: web = expect.fail('no Service') } = decodeService(rawService('web'));
    joined.services.set(web.key, web, '1', 'event');
    told.length = 0;
    joined.hold();
    const { key = '', object } = decodeSlice(slice({ name: 's1', of: 'web', host: 1 }));
    joined.slices.set(key, object, undefined, 'list');
    joined.release();
    expect(joined.get(web.key)?.endpoints).to.have.length(1);
    expect(told).to.deep.equal(['default/web by list']);
  });
});
